// What becomes of a message whose body is invalid: it cannot be decoded, does not fit its schema, or a pipe refuses it.

import { DeadLetterError } from '../../consumer/model/outcome-errors.js';
import type { MessageView } from '../../protocol/model/message.js';
import type { InvalidBodyError } from './message-body.js';

/** `ack`: it is dealt with, for instance kept elsewhere. */
export type InvalidBodyDecision = 'dead-letter' | 'retry' | 'ack';

/**
 * What becomes of a message whose body is invalid. A function decides for each; what it throws is a failed attempt. `retry` suits
 * a receiver whose schema is about to be mended.
 */
export type OnInvalid =
  | 'dead-letter'
  | 'retry'
  | ((error: InvalidBodyError, message: MessageView) => InvalidBodyDecision | Promise<InvalidBodyDecision>);

/** Resolves for an ack. @throws DeadLetterError, or the error itself for a retry */
export async function settleInvalid(
  error: InvalidBodyError,
  message: MessageView,
  onInvalid: OnInvalid = 'dead-letter',
): Promise<void> {
  const decision = typeof onInvalid === 'function' ? await onInvalid(error, message) : onInvalid;
  if (decision === 'ack') return;
  if (decision === 'retry') throw error;
  throw new DeadLetterError(error.message, { cause: error });
}

/** What is wrong with the option, or undefined. */
export function onInvalidProblem(value: unknown): string | undefined {
  if (value === undefined || value === 'dead-letter' || value === 'retry' || typeof value === 'function')
    return undefined;
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return `must be dead-letter or retry or a function, not ${shown}`;
}
