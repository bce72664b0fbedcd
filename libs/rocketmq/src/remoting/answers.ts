// Shared by all readers of answers: the body as JSON or as a configuration, and error codes that only mean that something does not exist.

import { toOffset } from '../protocol/model/offset.js';
import { RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { MalformedJson, ObjectKeyedMap, parseJavaJson } from '../protocol/remoting/java-json.js';
import { TransportError } from '../support/errors.js';
import { RemotingError } from './remoting-error.js';

/** A long of Java: BigInt would take minutes for millions of digits. */
const OFFSET = /^-?\d{1,19}$/;
/** A number with so many digits is exact. */
const EXACT_DIGITS = 15;

/** A place in a queue. */
interface QueuePosition {
  readonly topic: string;
  readonly brokerName: string;
  readonly queueId: number;
  readonly offset: number;
}

/** The answer, or undefined when it has this error code. */
export async function undefinedWhen<T>(responseCode: number, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RemotingError && error.responseCode === responseCode) return undefined;
    throw error;
  }
}

/** A setting in a configuration (request code 26), which has a line for each; undefined if it is missing, or must not be read. */
export function settingIn({ code, body }: RemotingFrame, name: string): string | undefined {
  if (code !== RESPONSE_CODES.success) return undefined;
  const line = body
    .toString('utf8')
    .split(/\r?\n/)
    .find((one) => one.startsWith(`${name}=`));
  return line?.slice(name.length + 1);
}

/** The body as JSON. Its content must be validated before use. @throws TransportError when it is not JSON */
export function jsonOf(answer: RemotingFrame): Readonly<Record<string, unknown>> {
  return objectIn(parsed(answer.body.toString('utf8')));
}

function parsed(text: string): unknown {
  try {
    return parseJavaJson(text);
  } catch (cause) {
    if (!(cause instanceof MalformedJson)) throw cause;
    const message = `${cause.message}; check that it is a name server or broker of RocketMQ`;
    throw new TransportError('RPC_FAILED', message, 'unknown', false, { cause });
  }
}

/** The strings of a list in an answer; other values are ignored. */
export function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

/** The objects of a list in an answer; other values are ignored. */
export function objectsIn<T extends object>(value: unknown): T[] {
  return Array.isArray(value) ? value.filter((item): item is T => typeof item === 'object' && item !== null) : [];
}

/** The objects of a table in an answer, by name; other values are ignored. */
export function namedObjectsIn<T extends object>(value: unknown): [string, T][] {
  return Object.entries(objectIn(value)).filter((entry): entry is [string, T] => {
    return typeof entry[1] === 'object' && entry[1] !== null;
  });
}

/** An object in an answer; an empty one in the place of any other value. */
export function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** The offset in a string; undefined when it contains none. */
export function offsetOf(text: string): number | undefined {
  if (!OFFSET.test(text)) return undefined;
  // Nearly all are small enough for a number, which costs a fraction of a BigInt.
  return text.length <= EXACT_DIGITS ? Number(text) : toOffset(BigInt(text));
}

/** An offset in a field of an answer; `otherwise` when the field is missing. @throws TransportError when it is invalid */
export function offsetField({ fields }: RemotingFrame, name: string, otherwise: number): number {
  const text = fields[name];
  if (text === undefined) return otherwise;
  const offset = offsetOf(text);
  if (offset !== undefined) return offset;
  const message = `the answer of the server has no offset as ${name}; check that it is a name server or broker of RocketMQ`;
  throw new TransportError('RPC_FAILED', message, 'unknown', false);
}

/** An offset in an answer; 0 when it is missing. */
export function offsetIn(value: unknown): number {
  if (typeof value === 'bigint') return toOffset(value);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : 0;
}

/** A time in an answer, in milliseconds since 1970; the server writes 0 for none. */
export function timeIn(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}

/** The offsets of queues in the answer to request code 222, and in request code 220 to clients. */
export function offsetTableIn(frame: RemotingFrame): QueuePosition[] {
  const table = jsonOf(frame).offsetTable;
  if (!(table instanceof ObjectKeyedMap)) return [];
  return table.pairs.map(([key, offset]) => {
    const { topic, brokerName, queueId } = objectIn(key);
    const queue = { topic: String(topic), brokerName: String(brokerName), queueId: Number(queueId) };
    return { ...queue, offset: offsetIn(offset) };
  });
}
