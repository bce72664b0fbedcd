// Turns valid requests into hostile ones by changing their fields, their bytes, or their frames.

import { below, type Chance, noise, oneOf } from '../../tools/random.js';
import { framed } from '../../tools/wire/http2-peer.js';

const TEXTS = [
  '',
  ' ',
  '%RETRY%g',
  '../../etc',
  '__proto__',
  'constructor',
  '\u0000',
  'a\nb',
  'grün',
  '😀'.repeat(40),
  '*',
];
const NUMBERS = [0, 1, -1, 7, 255, 2 ** 31 - 1, -(2 ** 31)];
const LONG_NUMBERS = [0n, 1n, -1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];
const TIMES_MS = [0, -1, 1e12, 4e12, 8.64e15, -8.64e15];
const LENGTHS = [0, 1, 4, 0x7f_ff_ff_ff, 0xff_ff_ff_ff, 130 * 1024 * 1024, 130 * 1024 * 1024 + 1];

/** Changes something in a value: removes a field, sets an extreme, extends a list. */
export function mutatedValue(chance: Chance, value: unknown): unknown {
  if (typeof value === 'string') return mutatedText(chance, value);
  if (typeof value === 'number') return oneOf(chance, NUMBERS);
  if (typeof value === 'bigint') return oneOf(chance, LONG_NUMBERS);
  if (typeof value === 'boolean') return !value;
  if (value instanceof Date) return new Date(oneOf(chance, TIMES_MS));
  if (value instanceof Uint8Array) return mutatedBytes(chance, Buffer.from(value));
  if (Array.isArray(value)) return mutatedList(chance, value);
  if (typeof value === 'object' && value !== null) return mutatedObject(chance, value);
  return value;
}

function mutatedText(chance: Chance, text: string): string {
  const way = chance();
  if (way < 0.5) return oneOf(chance, TEXTS);
  if (way < 0.6) return 'x'.repeat(below(chance, 20_000));
  if (way < 0.8) return text + oneOf(chance, TEXTS);
  return mutatedBytes(chance, Buffer.from(text)).toString('latin1');
}

function mutatedList(chance: Chance, list: readonly unknown[]): unknown[] {
  const way = chance();
  if (list.length === 0 || way < 0.15) return [];
  if (way < 0.3) return Array.from({ length: below(chance, 300) }, () => oneOf(chance, list));
  const at = below(chance, list.length);
  return list.map((item, index) => (index === at ? mutatedValue(chance, item) : item));
}

function mutatedObject(chance: Chance, fields: object): object {
  const entries = Object.entries(fields);
  const given = entries.filter(([, value]) => value !== undefined);
  if (given.length === 0) return fields;
  const [key] = oneOf(chance, given);
  const change = (value: unknown): unknown => (chance() < 0.15 ? undefined : mutatedValue(chance, value));
  return Object.fromEntries(entries.map(([name, value]) => [name, name === key ? change(value) : value]));
}

/** Flips bits; removes, duplicates or randomizes ranges. */
export function mutatedBytes(chance: Chance, bytes: Buffer): Buffer {
  const way = chance();
  const at = below(chance, bytes.length + 1);
  if (way < 0.2) return bytes.subarray(0, at);
  if (way < 0.35)
    return Buffer.concat([bytes.subarray(0, at), noise(chance, 1 + below(chance, 30)), bytes.subarray(at)]);
  if (way < 0.5) return Buffer.concat([bytes, bytes.subarray(at)]);
  const copy = Buffer.from(bytes);
  for (let turn = 0; turn <= way * 4 && copy.length > 0; turn++) {
    const place = below(chance, copy.length);
    copy[place] = (copy[place] as number) ^ (1 << below(chance, 8));
  }
  return copy;
}

/** Invalid gRPC frames: wrong flags, wrong lengths, too many messages. */
export function wrongFrames(chance: Chance, message: Buffer): Buffer[] {
  const frame = framed(message);
  const ways: (() => Buffer[])[] = [
    () => [framed(message, 1)],
    () => [framed(message, 2 + below(chance, 254))],
    () => [framed(message, 0, oneOf(chance, LENGTHS))],
    () => [framed(message, 0, message.length + 1 + below(chance, 100))],
    () => [framed(message, 0, below(chance, message.length + 1))],
    () => [frame.subarray(0, below(chance, frame.length))],
    () => [frame, frame],
    () => [frame, noise(chance, 1 + below(chance, 20))],
    () => [Buffer.concat(Array.from({ length: below(chance, 2_000) }, () => framed(Buffer.alloc(0))))],
    () => [],
  ];
  return oneOf(chance, ways)();
}

/** Splits the bytes into a few chunks, like a slow or broken network. */
export function inPieces(chance: Chance, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  let rest = bytes;
  while (rest.length > 0 && pieces.length < 5) {
    const end = 1 + below(chance, rest.length);
    pieces.push(rest.subarray(0, end));
    rest = rest.subarray(end);
  }
  return rest.length > 0 ? [...pieces, rest] : pieces;
}
