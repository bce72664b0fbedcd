// What handlers threw. Errors quote what they failed on, so their texts are shown only to viewers who see the body of the message.

import type { FailureRecord } from 'nestjs-rocketmq/admin';
import type { ConsoleAttempt, ConsoleEvent } from '../source.js';

const MAX_ERROR_LENGTH = 500;
const MAX_STACK_LENGTH = 1_500;
/** Names and codes of classes and systems; anything else may be a part of a body. */
const NAME = /^[A-Za-z_$][\w$]{0,60}$/;
const CODE = /^[A-Z][A-Z0-9_]{1,60}$/;

/** What is kept of something thrown, bounded. */
interface Failure {
  readonly error: string;
  /** Its name and code, which are shown where its text is not. */
  readonly errorName: string;
  readonly stack: string | undefined;
}

export function failureOf(thrown: unknown): Failure {
  if (!(thrown instanceof Error))
    return {
      error: beginningOf(String(thrown), MAX_ERROR_LENGTH),
      errorName: `A thrown ${typeof thrown}`,
      stack: undefined,
    };
  const { name, message, stack } = thrown;
  const { code } = thrown as { readonly code?: unknown };
  const named = NAME.test(name) ? name : 'Error';
  return {
    error: beginningOf(String(message), MAX_ERROR_LENGTH),
    errorName: beginningOf(typeof code === 'string' && CODE.test(code) ? `${named} ${code}` : named, MAX_ERROR_LENGTH),
    stack: typeof stack === 'string' ? beginningOf(stack, MAX_STACK_LENGTH) : undefined,
  };
}

/** @param settlement what follows a failure; undefined: nothing is settled */
export function nextOf(
  settlement: FailureRecord['settlement'] | undefined,
  endedAtMs: number,
): Pick<ConsoleAttempt, 'next' | 'retryAtMs' | 'isDeadLetter'> {
  if (settlement === undefined) return { next: 'not settled' };
  if (settlement.kind !== 'retry') return { next: `dead letter, ${settlement.reason}`, isDeadLetter: true };
  return { next: `retry in ${settlement.delayMs} ms`, retryAtMs: endedAtMs + settlement.delayMs };
}

/** A copy of the beginning: a slice would keep the whole string in memory. */
export function beginningOf(text: string, maxCharacters: number): string {
  return Buffer.from(text.slice(0, maxCharacters)).toString();
}

type ShownAttempt = Omit<ConsoleAttempt, 'errorName'>;
type ShownEvent = Omit<ConsoleEvent, 'errorName'>;

/** @param isBodyShown whether the viewer sees the body of the message */
export function shownAttempt({ errorName, ...attempt }: ConsoleAttempt, isBodyShown: boolean): ShownAttempt {
  if (isBodyShown || attempt.error === undefined) return attempt;
  return { ...attempt, error: withoutText(errorName), stack: undefined };
}

/** Events without a message are those of connections, which have no body. @param isBodyShown whether the viewer sees the body of its message */
export function shownEvent({ errorName, ...event }: ConsoleEvent, isBodyShown: boolean): ShownEvent {
  if (event.error === undefined) return event;
  const error = isBodyShown || event.messageId === undefined ? event.error : withoutText(errorName);
  return { ...event, error, text: `${error}, ${event.text}` };
}

/** A failure that was kept. Anybody may send to its topic, so what is in it is bounded here, too. */
export function shownRecord({ error: { name, code, text, stack } }: FailureRecord, isBodyShown: boolean): Failure {
  const errorName = beginningOf(code === undefined ? name : `${name} ${code}`, MAX_ERROR_LENGTH);
  if (!isBodyShown) return { error: withoutText(errorName), errorName, stack: undefined };
  const error = beginningOf(text ?? `${errorName} (its text is not kept)`, MAX_ERROR_LENGTH);
  return { error, errorName, stack: stack === undefined ? undefined : beginningOf(stack, MAX_STACK_LENGTH) };
}

function withoutText(errorName = 'Error'): string {
  return `${errorName} (its text is hidden, as the body is)`;
}
