// A received message as it can be sent again. Servers accept labels from other clients that a send rejects, and what was stored once must
// be storable elsewhere.

import { LIMITS } from './limits.js';
import { beginningOf, hasControlCharacter, hasHalfCharacter, isServersProperty } from './names.js';

/** What of a message a copy carries. */
interface Carried {
  readonly body: Uint8Array;
  readonly tag?: string | undefined;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
}

/** The properties of a copy that say what it could not carry as it was. */
export const FORWARDED_PROPERTIES = {
  /** The tag, if no send accepts it. Control characters are written as in JSON: \u0009. */
  tag: 'originTag',
  /** The keys as a JSON list, if a send does not accept all of them; those that it accepts are keys of the copy as well. */
  keys: 'originKeys',
  /**
   * `empty`: the message has no body, and that of the copy is a blank. `compressed`: the body is larger than a send accepts; that of the copy is
   * as it was stored, compressed with gzip or zlib.
   */
  body: 'originBody',
  /** The names of properties that do not fit, as a JSON list. */
  left: 'originPropertiesLeftOut',
} as const;

/** What a copy leaves free for what interceptors, propagators and hooks add to it. */
interface Spare {
  readonly bytes: number;
  readonly properties: number;
}

const SPARE: Spare = { bytes: 512, properties: 4 };
/** Nobody can know what is added, so a send that fails because of it is repeated with more room, the last time with all there is. */
const LARGER_SPARES: readonly Spare[] = [
  { bytes: 2_048, properties: 16 },
  { bytes: 6_144, properties: 48 },
  { bytes: LIMITS.propertiesBytes, properties: LIMITS.properties },
];
/** Of what a note quotes, in characters, which have up to three bytes in UTF-8. */
const MAX_NOTE_LENGTH = 300;
const NOTES_BYTES = 4 * (32 + 3 * MAX_NOTE_LENGTH);

/** Whether a send accepts the tag. */
export function isSendableTag(tag: string): boolean {
  return tag.trim() !== '' && !tag.includes('|') && !hasControlCharacter(tag) && !hasHalfCharacter(tag);
}

/** Whether a send accepts the key. */
export function isSendableKey(key: string): boolean {
  return key !== '' && !/\s/.test(key) && !hasControlCharacter(key) && !hasHalfCharacter(key);
}

/**
 * The body, tag, keys and properties of a received message in a form that every send accepts; the caller adds the topic. Labels that a send would
 * reject become the properties `originTag`, `originKeys`, `originBody` and `originPropertiesLeftOut`; properties that do not fit are left out, the last ones first.
 * 512 bytes and 4 properties are left for what the caller and interceptors add.
 * @param story properties that the copy has in any case; they replace those of the message
 */
export function forwarded(message: Carried, story: Readonly<Record<string, string>> = {}): Carried {
  const whole = carried(message, story, SPARE, 0);
  return whole.isComplete ? whole.copy : carried(message, story, SPARE, NOTES_BYTES).copy;
}

/** Like {@link forwarded}, for when a send failed because labels are too large or too many: each copy has fewer of them, the last one none. */
export function forwardedWithLess(message: Carried, story: Readonly<Record<string, string>> = {}): Carried[] {
  const whole = carried(message, story, SPARE, 0);
  let { labelBytes } = whole.isComplete ? whole : carried(message, story, SPARE, NOTES_BYTES);
  return LARGER_SPARES.flatMap((spare) => {
    const less = carried(message, story, spare, NOTES_BYTES);
    // With the same labels it would fail again.
    if (less.labelBytes >= labelBytes) return [];
    ({ labelBytes } = less);
    return [less.copy];
  });
}

/** Whether {@link forwarded} changes nothing but the order of properties. */
export function isForwardable(message: Carried): boolean {
  return carried(message, {}, SPARE, 0).isComplete;
}

function carried(
  { body, tag, keys, properties }: Carried,
  story: Readonly<Record<string, string>>,
  spare: Spare,
  notesBytes: number,
): { readonly copy: Carried; readonly isComplete: boolean; readonly labelBytes: number } {
  const names = FORWARDED_PROPERTIES;
  const room = new Room(story, spare, notesBytes);
  const notes: [string, string][] = [];
  if (body.length === 0) notes.push([names.body, 'empty']);
  const isTagKept = tag !== undefined && isSendableTag(tag) && room.takes(tag);
  if (tag !== undefined && !isTagKept) notes.push([names.tag, tag]);
  const keptKeys = keys.filter((key) => isSendableKey(key) && room.takes(key));
  if (keptKeys.length < keys.length) notes.push([names.keys, JSON.stringify(keys)]);
  const left: string[] = [];
  let isEscaped = false;
  for (const [name, value] of notesFirst(properties)) {
    if (name === '' || value === '' || isServersProperty(name) || Object.hasOwn(story, name)) continue;
    const [shownName, shownValue] = [visible(name), visible(value)];
    isEscaped ||= shownName !== name || shownValue !== value;
    if (!room.takes(shownName, shownValue)) left.push(name);
  }
  if (left.length > 0) notes.push([names.left, leftNote(left, properties[names.left])]);
  for (const [name, text] of notes) room.put(name, beginningOf(visible(text), MAX_NOTE_LENGTH) || '-');
  const copy = {
    body: body.length === 0 ? Buffer.from(' ') : body,
    keys: keptKeys,
    properties: room.properties,
    ...(isTagKept ? { tag } : {}),
  };
  return { copy, isComplete: notes.length === 0 && !isEscaped, labelBytes: room.takenBytes };
}

const NOTES: ReadonlySet<string> = new Set(Object.values(FORWARDED_PROPERTIES));

/** The message may be a copy itself, whose notes are then the last to be left out. */
function notesFirst(properties: Readonly<Record<string, string>>): [string, string][] {
  const entries = Object.entries(properties);
  return [...entries.filter(([name]) => NOTES.has(name)), ...entries.filter(([name]) => !NOTES.has(name))];
}

/** @param earlier the note of the copy that the message is; what was left out then is as absent */
function leftNote(left: readonly string[], earlier: string | undefined): string {
  const list = JSON.stringify(left);
  if (earlier?.startsWith('["') !== true) return list;
  return earlier.endsWith('"]') ? `${earlier.slice(0, -1)},${list.slice(1)}` : earlier;
}

/** The properties of a copy, and the bytes that are left for labels. */
class Room {
  takenBytes = 0;
  private readonly entries: [string, string][];
  private readonly maxBytes: number;
  private readonly maxEntries: number;

  constructor(story: Readonly<Record<string, string>>, spare: Spare, notesBytes: number) {
    this.entries = Object.entries(story);
    this.maxBytes = LIMITS.propertiesBytes - spare.bytes - notesBytes - bytesOf(...this.entries.flat());
    const notes = notesBytes === 0 ? 0 : NOTES.size;
    this.maxEntries = LIMITS.properties - spare.properties - notes;
  }

  get properties(): Record<string, string> {
    return Object.fromEntries(this.entries);
  }

  /** Adds a property, which has room set aside for it. */
  put(name: string, value: string): void {
    this.entries.push([name, value]);
  }

  /** Takes a label, or the name and the value of a property, if there is room. */
  takes(text: string, value?: string): boolean {
    const bytes = this.takenBytes + bytesOf(text, value ?? '');
    if (bytes > this.maxBytes || (value !== undefined && this.entries.length >= this.maxEntries)) return false;
    this.takenBytes = bytes;
    if (value !== undefined) this.put(text, value);
    return true;
  }
}

function bytesOf(...texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** With control characters and half surrogate pairs as in JSON. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
