// The JSON in the bodies of requests.

import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { rejected } from '../admin/admin-answer.js';

type JsonObject = Readonly<Record<string, unknown>>;

/** @throws AdminRejection */
export function objectIn({ body }: RemotingFrame): JsonObject {
  try {
    const data: unknown = JSON.parse(body.toString('utf8'));
    if (isObject(data)) return data;
  } catch {
    // Reported below.
  }
  throw rejected('the body of the request is not a JSON object; nothing was changed');
}

/** The objects in a list; none in anything else. */
export function objectsIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function textIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A number that is no integer from 0 on is not one. */
export function countIn(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
