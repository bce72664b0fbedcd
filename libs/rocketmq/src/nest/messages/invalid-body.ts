// What happens to a message with an invalid body: it cannot be decoded, does not fit its schema, or a pipe rejects it.

import { DeadLetterError } from '../../consumer/model/outcome-errors.js';
import type { MessageView } from '../../protocol/model/message.js';
import { describe } from '../../support/options.js';

/** The version of a body, and the one that the topic's definition has. */
export interface NewerVersion {
  readonly sent: number;
  readonly known: number;
}

/** A received body that cannot be decoded, does not fit the topic's schema, or is rejected by a pipe (`cause`: what it threw). */
export class InvalidBodyError extends Error {
  constructor(
    readonly topic: string,
    readonly messageId: string,
    problem: string,
    { newer, ...options }: ErrorOptions & { readonly newer?: NewerVersion | undefined } = {},
  ) {
    const release = newer && `; it has version ${newer.sent} of a newer release, this application knows ${newer.known}`;
    super(`message ${messageId} from "${topic}": the body ${problem}${release ?? ''}`, options);
    this.name = 'InvalidBodyError';
    this.isNewer = newer !== undefined;
  }

  /** Whether a newer release has sent it, so that another instance may be able to handle it. */
  readonly isNewer: boolean;
}

/** `ack`: the message is handled, for instance stored elsewhere. */
export type InvalidBodyDecision = 'dead-letter' | 'retry' | 'ack';

/**
 * What happens to a message whose body is invalid. A function decides for each message; when it throws, the attempt has failed.
 * Use `retry` for a receiver whose schema is about to be fixed.
 */
export type OnInvalid =
  | 'dead-letter'
  | 'retry'
  | ((error: InvalidBodyError, message: MessageView) => InvalidBodyDecision | Promise<InvalidBodyDecision>);

/** Resolves for an ack. @throws DeadLetterError, or the error itself for a retry */
export async function settleInvalid(
  error: InvalidBodyError,
  message: MessageView,
  onInvalid: OnInvalid = error.isNewer ? 'retry' : 'dead-letter',
): Promise<void> {
  const decision = typeof onInvalid === 'function' ? await onInvalid(error, message) : onInvalid;
  if (decision === 'ack') return;
  if (decision === 'retry') throw error;
  throw new DeadLetterError(error.message, { cause: error });
}

/** Describes what is wrong with the option, or returns undefined. */
export function onInvalidProblem(value: unknown): string | undefined {
  if (value === undefined || value === 'dead-letter' || value === 'retry' || typeof value === 'function')
    return undefined;
  return `must be dead-letter or retry or a function, not ${describe(value)}`;
}
