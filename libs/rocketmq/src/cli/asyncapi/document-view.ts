// An AsyncAPI 3 document as the comparison reads it: its operations with their channels and messages, whoever wrote it.

import { DEFAULT_CONNECTION } from '../../nest/asyncapi/document.js';
import { BODY_VERSION_PROPERTY } from '../../nest/messages/body-version.js';
import { REQUEST_PROPERTIES } from '../../nest/sending/reply-message.js';
import { UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { listIn, partAt, schemasIn } from './json-schema.js';

/** Of parts in each other. */
const MAX_DEPTH = 500;
/** Of references that lead to references. */
const MAX_STEPS = 20;

type Part = Readonly<Record<string, unknown>>;

/** A kind of message. */
export interface MessageView {
  readonly name: string;
  readonly contentType: unknown;
  readonly payload: unknown;
  readonly tag: unknown;
  readonly version: number;
  /** The oldest version of bodies that a receiver takes. */
  readonly oldest: number;
  /** As a schema; without the headers that the library sets, whose changes other fields show. */
  readonly headers: unknown;
  /** The reference of a message that is not in the document. */
  readonly missing: string | undefined;
  /** Why bodies have a schema that the document does not contain. */
  readonly noSchema: unknown;
}

/** What an application does with a topic. */
export interface OperationView {
  readonly key: string;
  readonly action: 'send' | 'receive';
  /** The topic, with its connection unless that is the default one. */
  readonly channel: string;
  readonly type: unknown;
  readonly messages: readonly MessageView[];
  /** Undefined: it has no answers. */
  readonly answers: readonly MessageView[] | undefined;
  readonly consumerGroup: unknown;
  /** A text, so that it can be compared. */
  readonly filter: string;
  readonly mode: unknown;
  readonly liteTopics: readonly string[];
}

/** A document with its operations. */
export interface DocumentView {
  /** The document itself, in which references lead. */
  readonly root: unknown;
  readonly operations: readonly OperationView[];
}

/** @param name of the file, for errors @throws UsageError `ILLEGAL_DOCUMENT` when it is not an AsyncAPI 3 document */
export function documentView(name: string, text: string): DocumentView {
  let root: unknown;
  try {
    // Some editors begin a file with a byte order mark.
    root = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new UsageError('ILLEGAL_DOCUMENT', `${name} is not JSON: ${describeError(error)}; nothing was done`);
  }
  if (tooDeep(root)) {
    const text = `${name} is nested more than ${MAX_DEPTH} levels deep; nothing was done`;
    throw new UsageError('ILLEGAL_DOCUMENT', text);
  }
  const document = part(root);
  if (typeof document.asyncapi !== 'string' || !document.asyncapi.startsWith('3.')) {
    const text = `${name} is not an AsyncAPI 3 document; nothing was done`;
    throw new UsageError('ILLEGAL_DOCUMENT', text);
  }
  const operations = Object.entries(schemasIn(document.operations)).map(([key, one]) =>
    operationView(root, key, one, name),
  );
  return { root, operations };
}

/** Whether a value has more levels than are compared. Level by level: a recursion would overflow the stack. */
export function tooDeep(root: unknown): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    level = level.flatMap((one) => Object.values(part(one)));
    if (level.length === 0) return false;
  }
  return true;
}

function operationView(root: unknown, key: string, given: unknown, name: string): OperationView {
  const operation = followed(root, given);
  const channel = followed(root, operation.channel);
  const { action } = operation;
  if ((action !== 'send' && action !== 'receive') || channel.messages === undefined) {
    const text = `${name}: operation ${key} has no action "send" or "receive", or no channel with messages; nothing was done`;
    throw new UsageError('ILLEGAL_DOCUMENT', text);
  }
  const facts = part(operation['x-rocketmq']);
  const ofChannel = part(channel['x-rocketmq']);
  const { connection = DEFAULT_CONNECTION } = ofChannel;
  const prefix = connection === DEFAULT_CONNECTION ? '' : `${String(connection)}/`;
  const address = typeof channel.address === 'string' ? channel.address : pointerIn(operation.channel);
  return {
    key,
    action,
    channel: prefix + address,
    type: ofChannel.type,
    messages: messagesOf(root, operation.messages, channel),
    answers: answersOf(root, operation.reply),
    consumerGroup: facts.consumerGroup,
    filter:
      facts.filter === undefined ? '*' : typeof facts.filter === 'string' ? facts.filter : JSON.stringify(facts.filter),
    mode: facts.mode,
    liteTopics: listIn(facts.liteTopics).map(String),
  };
}

function answersOf(root: unknown, given: unknown): readonly MessageView[] | undefined {
  if (given === undefined) return undefined;
  const reply = followed(root, given);
  const missing = missingReference(root, given) ?? missingReference(root, reply.channel);
  if (missing !== undefined) return [messageView(root, { $ref: missing })];
  return messagesOf(root, reply.messages, followed(root, reply.channel));
}

/** All messages of the channel, unless the operation names some. */
function messagesOf(root: unknown, named: unknown, channel: Part): MessageView[] {
  const given = Array.isArray(named) ? named : Object.values(schemasIn(channel.messages));
  return given.map((one) => messageView(root, one));
}

function messageView(root: unknown, given: unknown): MessageView {
  const message = followed(root, given);
  const facts = part(message['x-rocketmq']);
  const version = typeof facts.version === 'number' ? facts.version : 1;
  return {
    name: String(message.name ?? message.title ?? 'message'),
    contentType: message.contentType ?? part(root).defaultContentType,
    payload: message.payload,
    headers: headersIn(root, message),
    missing: missingReference(root, given),
    tag: facts.tag,
    version,
    oldest: typeof facts.upgradesFrom === 'number' ? facts.upgradesFrom : version,
    noSchema: facts.noSchema,
  };
}

const OWN_HEADERS: readonly string[] = [BODY_VERSION_PROPERTY, ...Object.values(REQUEST_PROPERTIES)];

function headersIn(root: unknown, { headers }: Part): unknown {
  const missing = missingReference(root, headers);
  if (missing !== undefined) return { $ref: missing };
  const { properties, required, ...others } = followed(root, headers);
  const fields = Object.entries(schemasIn(properties)).filter(([name]) => !OWN_HEADERS.includes(name));
  const always = listIn(required).filter((name) => !OWN_HEADERS.includes(String(name)));
  return { ...others, type: 'object', properties: Object.fromEntries(fields), required: always };
}

/** Undefined: there is none, or it leads to a part of the document. */
function missingReference(root: unknown, given: unknown): string | undefined {
  let found = part(given);
  for (let steps = 0; typeof found.$ref === 'string'; steps++) {
    const next = partAt(root, found.$ref);
    if (next === undefined || steps > MAX_STEPS) return found.$ref;
    found = part(next);
  }
  return undefined;
}

/** What a reference leads to, through further references; an empty part where it leads nowhere. */
function followed(root: unknown, given: unknown): Part {
  let found = part(given);
  for (let steps = 0; typeof found.$ref === 'string' && steps <= MAX_STEPS; steps++)
    found = part(partAt(root, found.$ref));
  return found;
}

function pointerIn(given: unknown): string {
  return String(part(given).$ref ?? 'a channel without an address');
}

function part(value: unknown): Part {
  return typeof value === 'object' && value !== null ? (value as Part) : {};
}
