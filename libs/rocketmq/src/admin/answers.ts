// What every reader of answers needs: the body as JSON, and refusals that only say that something is not there.

import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { TransportError } from '../support/errors.js';
import { MalformedJson, parseJavaJson } from './java-json.js';
import { RemotingError } from './remoting-error.js';

/** The server's response codes that are not errors here. @see ResponseCode of the server */
export const RESPONSE_CODES = {
  success: 0,
  topicNotExist: 17,
  pullNotFound: 19,
  pullRetryImmediately: 20,
  pullOffsetMoved: 21,
  queryNotFound: 22,
  consumerNotOnline: 206,
} as const;

/** A long of Java: BigInt would take minutes for millions of digits. */
const OFFSET = /^-?\d{1,19}$/;

/** The answer, or undefined when it is a refusal with this code. */
export async function undefinedWhen<T>(responseCode: number, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RemotingError && error.responseCode === responseCode) return undefined;
    throw error;
  }
}

/** The body as JSON. What is in it has to be looked at before it is believed. @throws TransportError when it is none */
export function jsonOf(answer: RemotingFrame): Readonly<Record<string, unknown>> {
  const value = parsed(answer.body.toString('utf8'));
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function parsed(text: string): unknown {
  try {
    return parseJavaJson(text);
  } catch (cause) {
    if (!(cause instanceof MalformedJson)) throw cause;
    const message = `${cause.message}; is it a name server or broker of RocketMQ?`;
    throw new TransportError('RPC_FAILED', message, 'unknown', false, { cause });
  }
}

/** A list of texts in an answer; what is no text is left out. */
export function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

/** The offset that a string holds; undefined when it holds none. */
export function offsetOf(text: string): bigint | undefined {
  return OFFSET.test(text) ? BigInt(text) : undefined;
}

/** An offset in a field of an answer; `otherwise` where the field is not there. @throws TransportError for what is none */
export function offsetField({ fields }: RemotingFrame, name: string, otherwise: bigint): bigint {
  const text = fields[name];
  if (text === undefined) return otherwise;
  const offset = offsetOf(text);
  if (offset !== undefined) return offset;
  const message = `the answer of the server has no offset as ${name}; is it a name server or broker of RocketMQ?`;
  throw new TransportError('RPC_FAILED', message, 'unknown', false);
}

/** An offset in an answer; 0 where there is none. */
export function offsetIn(value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : 0n;
}

/** A time in an answer, as milliseconds since 1970; the server writes 0 where there is none. */
export function timeIn(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}
