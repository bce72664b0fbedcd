// The handler of a `@MessagePattern` or `@RocketMQReply`: returns its result or error to the requester.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { HandlerContext, MessageHandler } from '../../consumer/model/handler.js';
import { DeadLetterError, RetryLaterError } from '../../consumer/model/outcome-errors.js';
import type { Producer } from '../../producer/producer.js';
import { orStored } from '../../producer/sending/durability.js';
import type { MessageView, OutgoingMessage } from '../../protocol/model/message.js';
import { SECOND_MS } from '../../support/clock.js';
import { waitWithin } from '../../support/deadline.js';
import { RocketMQError, readable, StateError } from '../../support/errors.js';
import { describeError, type LogFields, type Logger } from '../../support/logger.js';
import { InvalidBodyError } from '../messages/invalid-body.js';
import { type MessageWire, validated } from '../messages/message-body.js';
import { answerMessage, errorMessage, type ReplyAddress, replyAddressOf } from '../sending/reply-message.js';

/** The limit for the application's hook, which may wait for anything. A send has a deadline of its own. */
const ENCODE_TIMEOUT_MS = 10 * SECOND_MS;

/** A handler whose result is the answer. */
export type ResultHandler = (message: MessageView, context: HandlerContext) => unknown;

/** What answers are created and sent with. */
export interface AnswerParts {
  readonly wire: Pick<MessageWire, 'codec' | 'hooks'>;
  readonly logger: Logger;
  /** The listener's name. */
  readonly listener: string;
  /** What answers must fit; undefined: any answer. */
  readonly schema: StandardSchemaV1 | undefined;
  producer(): Producer | undefined;
}

/**
 * Answers requests. An error is an answer, too, and settles the request: the requester decides whether to try again. What an exception
 * filter makes of it is the answer then. The exceptions are `RetryLaterError` (no answer yet, the request is redelivered) and `DeadLetterError` (answered and dead-lettered). A message
 * that is not a request is handled as an event.
 */
export function answering(handler: ResultHandler, parts: AnswerParts): MessageHandler {
  return async (message, context) => {
    const address = replyAddressOf(message);
    if (address === 'rejected') warnOfRejected(message, parts.logger);
    if (address === undefined || address === 'rejected') return handler(message, context);
    const { answer, failure } = await outcome(handler, message, context);
    const send = (): Promise<void> => reply(address, answer, message, parts);
    // The answer does not count against the handler's timeout; the request is acknowledged after the answer was sent.
    const inOwnTime = (): Promise<void> | undefined => (context.untimed === undefined ? send() : context.untimed(send));
    const sending = isForNextAttempt(failure, context.signal) ? undefined : inOwnTime();
    await sending;
    if (failure !== undefined && (sending === undefined || DeadLetterError.is(failure.error))) throw failure.error;
  };
}

/** What a requester gets. */
export type Answer =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: unknown };

/** Why a handler failed: it decides about the message. */
interface Failure {
  readonly error: unknown;
}

/** A handler of a request failed, and an exception filter has made the answer. */
export class FilteredFailure extends Error {
  /** @param failure undefined when the filter has marked the message as handled */
  constructor(
    readonly answer: Answer,
    readonly failure: Failure | undefined,
  ) {
    super('an exception filter has made the answer');
  }
}

/** Whether the request is redelivered, so that the next attempt answers. */
function isForNextAttempt(failure: Failure | undefined, signal: AbortSignal): boolean {
  if (failure !== undefined && RetryLaterError.is(failure.error)) return true;
  if (!signal.aborted) return false;
  // Timed out, or the lease is lost.
  if (!isShutdown(signal.reason)) return true;
  // A handler that succeeds in spite of the shutdown is answered; an error may be due to the shutdown, so it is not.
  return failure !== undefined && !DeadLetterError.is(failure.error);
}

function isShutdown(reason: unknown): boolean {
  return RocketMQError.is(reason) && reason.code === 'CLOSED';
}

async function outcome(
  handler: ResultHandler,
  message: MessageView,
  context: HandlerContext,
): Promise<{ readonly answer: Answer; readonly failure: Failure | undefined }> {
  try {
    return { answer: { kind: 'value', value: await handler(message, context) }, failure: undefined };
  } catch (thrown) {
    const error = readable(thrown);
    if (error instanceof FilteredFailure) return error;
    return { answer: { kind: 'error', error }, failure: { error } };
  }
}

/** Never fails: the handler has succeeded, and a retry for the sake of the answer would run it twice. */
async function reply(address: ReplyAddress, answer: Answer, message: MessageView, parts: AnswerParts): Promise<void> {
  const { listener } = parts;
  const fields = { listener, topic: message.topic, messageId: message.messageId, replyTopic: address.topic };
  if (answer.kind === 'error') {
    parts.logger.warn('a request failed; the error is sent to the requester', {
      ...fields,
      error: describeError(answer.error),
    });
  }
  try {
    const producer = parts.producer();
    if (producer === undefined) throw new StateError('NOT_RUNNING', 'the producer is closed');
    const making = made(address, answer, parts, fields);
    const ready = await waitWithin('encoding an answer', ENCODE_TIMEOUT_MS, undefined, making);
    const unsendable = await producer
      .send(ready)
      .catch(orStored)
      .then(
        () => undefined,
        (error: unknown) => unsendableAs(error, answer),
      );
    if (unsendable !== undefined) await reply(address, { kind: 'error', error: unsendable }, message, parts);
  } catch (error) {
    parts.logger.error('the answer to a request could not be sent; the requester waits until its timeout', {
      ...fields,
      error: describeError(error),
    });
  }
}

/** The error for the requester in place of an answer that no server would accept, a too large one for instance. @throws any other error */
function unsendableAs(error: unknown, { kind }: Answer): StateError {
  if (kind === 'error' || !RocketMQError.is(error) || error.outcome !== 'not-sent' || error.retryable) throw error;
  return unsendable(error);
}

function unsendable(error: unknown): StateError {
  if (error instanceof StateError && error.code === 'INVALID_REPLY') return error;
  const text = `the answer of the handler cannot be sent (${describeError(error)}); the request took effect`;
  return new StateError('INVALID_REPLY', text, { outcome: 'unknown', cause: error });
}

/** A result that does not fit its schema or cannot be encoded becomes an error for the requester. */
async function made(
  address: ReplyAddress,
  answer: Answer,
  parts: Pick<AnswerParts, 'wire' | 'schema' | 'logger'>,
  fields: LogFields,
): Promise<OutgoingMessage> {
  const { codec, hooks } = parts.wire;
  try {
    if (answer.kind === 'value') await assertAnswer(answer.value, parts.schema, fields);
    const message =
      answer.kind === 'error'
        ? errorMessage(address, asRequesterSees(answer.error))
        : answerMessage(address, answer.value, codec);
    const body = answer.kind === 'error' ? answer.error : answer.value;
    return hooks === undefined ? message : await hooks.outgoing(message, { body });
  } catch (error) {
    if (answer.kind === 'error') throw error;
    const text = 'the answer to a request is invalid; the requester gets an error, although the request took effect';
    parts.logger.error(text, { ...fields, error: describeError(error) });
    return made(address, { kind: 'error', error: unsendable(error) }, parts, fields);
  }
}

async function assertAnswer(value: unknown, schema: StandardSchemaV1 | undefined, { topic }: LogFields): Promise<void> {
  const { problem } = await validated(schema, value);
  if (problem === undefined) return;
  const text = `the answer of the handler of "${topic}" does not fit its schema (${problem}); the request took effect`;
  throw new StateError('INVALID_REPLY', text, { outcome: 'unknown' });
}

/** That an invalid request is dead-lettered does not matter to the requester. */
function asRequesterSees(error: unknown): unknown {
  return DeadLetterError.is(error) && error.cause instanceof InvalidBodyError ? error.cause : error;
}

function warnOfRejected({ topic, messageId }: MessageView, logger: Logger): void {
  const text = 'a request names a topic for its answer that is not a reply topic; it is handled without an answer';
  logger.warn(text, { topic, messageId });
}
