// The handler of a `@MessagePattern`: what it returns or throws goes back to whoever asked.

import type { HandlerContext, MessageHandler } from '../../consumer/model/handler.js';
import { DeadLetterError, RetryLaterError } from '../../consumer/model/outcome-errors.js';
import type { Producer } from '../../producer/producer.js';
import type { MessageView, OutgoingMessage } from '../../protocol/model/message.js';
import { SECOND_MS } from '../../support/clock.js';
import { waitWithin } from '../../support/deadline.js';
import { RocketMQError, StateError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { MessageWire } from '../messages/resource-names.js';
import { answerMessage, errorMessage, type ReplyAddress, replyAddressOf } from '../sending/reply-message.js';

/** For the application's hook, which may wait for anything. A send has a deadline of its own. */
const ENCODE_TIMEOUT_MS = 10 * SECOND_MS;

/** A handler whose result means something. */
export type ResultHandler = (message: MessageView, context: HandlerContext) => Promise<unknown>;

/** What answers are made and sent with. */
export interface AnswerParts {
  readonly wire: Pick<MessageWire, 'codec' | 'hooks'>;
  readonly logger: Logger;
  producer(): Producer | undefined;
}

/**
 * Answers requests. An error is an answer, too, and settles the request: whoever asked decides whether to ask again. Exceptions
 * are `RetryLaterError` (no answer yet, the request comes again) and `DeadLetterError` (answered, and a dead letter). A message
 * that is no request is handled as an event.
 */
export function answering(handler: ResultHandler, parts: AnswerParts): MessageHandler {
  return async (message, context) => {
    const address = replyAddressOf(message);
    if (address === 'refused') warnOfRefused(message, parts.logger);
    if (address === undefined || address === 'refused') return handler(message, context);
    const answer = await outcome(handler, message, context);
    const send = (): Promise<void> => reply(address, answer, message, parts);
    // The answer takes its own time, not the handler's; the request is acknowledged after it.
    const inOwnTime = (): Promise<void> | undefined => (context.untimed === undefined ? send() : context.untimed(send));
    const sending = isForNextAttempt(answer, context.signal) ? undefined : inOwnTime();
    await sending;
    if (answer.kind === 'error' && (sending === undefined || DeadLetterError.is(answer.error))) throw answer.error;
  };
}

type Answer = { readonly kind: 'value'; readonly value: unknown } | { readonly kind: 'error'; readonly error: unknown };

/** Whether the request is redelivered, so that the next attempt answers. */
function isForNextAttempt(answer: Answer, signal: AbortSignal): boolean {
  if (answer.kind === 'error' && RetryLaterError.is(answer.error)) return true;
  if (!signal.aborted) return false;
  // Timed out, or no longer ours.
  if (!isShutdown(signal.reason)) return true;
  // What ends in spite of the shutdown is settled, so it is answered; an error may be due to the shutdown.
  return answer.kind === 'error' && !DeadLetterError.is(answer.error);
}

function isShutdown(reason: unknown): boolean {
  return RocketMQError.is(reason) && reason.code === 'CLOSED';
}

async function outcome(handler: ResultHandler, message: MessageView, context: HandlerContext): Promise<Answer> {
  try {
    return { kind: 'value', value: await handler(message, context) };
  } catch (error) {
    return { kind: 'error', error };
  }
}

/** Never fails: the handler's work is done, and doing it again for the sake of an answer would do it twice. */
async function reply(address: ReplyAddress, answer: Answer, message: MessageView, parts: AnswerParts): Promise<void> {
  const fields = { topic: message.topic, messageId: message.messageId, replyTopic: address.topic };
  if (answer.kind === 'error') {
    parts.logger.warn('a request failed; its sender is told', { ...fields, error: describeError(answer.error) });
  }
  try {
    const producer = parts.producer();
    if (producer === undefined) throw new StateError('NOT_RUNNING', 'the producer is closed');
    const making = made(address, answer, parts.wire);
    await producer.send(await waitWithin('the encoding of an answer', ENCODE_TIMEOUT_MS, undefined, making));
  } catch (error) {
    parts.logger.error('the answer to a request was lost; its sender waits until its time is over', {
      ...fields,
      error: describeError(error),
    });
  }
}

/** A result that cannot be encoded is an error for whoever asked. */
async function made(
  address: ReplyAddress,
  answer: Answer,
  { codec, hooks }: AnswerParts['wire'],
): Promise<OutgoingMessage> {
  try {
    const message =
      answer.kind === 'error' ? errorMessage(address, answer.error) : answerMessage(address, answer.value, codec);
    const body = answer.kind === 'error' ? answer.error : answer.value;
    return hooks === undefined ? message : await hooks.outgoing(message, { body });
  } catch (error) {
    if (answer.kind === 'error') throw error;
    return made(address, { kind: 'error', error }, { codec, hooks });
  }
}

function warnOfRefused({ topic, messageId }: MessageView, logger: Logger): void {
  const text = 'a request asks for its answer in a topic that is not for answers; it is handled without one';
  logger.warn(text, { topic, messageId });
}
