// Converts a planned consumer into the client's options: its listeners with their handlers and failure policies.

import type { MessageListener } from '../../consumer/listeners/message-listener.js';
import type { ErrorTest } from '../../consumer/model/failure-policy.js';
import type { MessageHandler } from '../../consumer/model/handler.js';
import type { PushConsumerOptions } from '../../consumer/push-consumer-options.js';
import type { Producer } from '../../producer/producer.js';
import { InvalidBodyError } from '../messages/invalid-body.js';
import { type AnswerParts, answering } from './answering.js';
import { deadLetterSender } from './dead-letter-topic.js';
import type { HandlerInvoker } from './handler-invoker.js';
import { backoffPolicyOf, picked } from './listener-options.js';
import type { PlannedConsumer, PlannedListener } from './listener-plan.js';
import { LISTENER_OPTIONS, type RocketMQListenerOptions } from './listener-settings.js';

/** What listeners are created with. */
interface ListenerParts {
  readonly invoker: Pick<HandlerInvoker, 'handlerOf' | 'batchHandlerOf'>;
  producer(): Producer | undefined;
  /** What requests are answered with. Default: requests get no answers. */
  readonly answers?: Pick<AnswerParts, 'wire' | 'logger'>;
}

/** The consumer's options, without hooks. */
export function consumerOptionsOf(
  { consumerGroup, mode, ofInstance, requireFifo, liteTopics, settings, listeners }: PlannedConsumer,
  parts: ListenerParts,
): PushConsumerOptions {
  const served = listeners.map((one) => messageListenerOf(one, parts));
  // With a group of its own, an instance shares the messages with nobody.
  const consumerMode = ofInstance ? 'shared' : mode;
  return { ...settings, consumerGroup, mode: consumerMode, requireFifo, liteTopics, listeners: served };
}

/** The client's options of one listener. */
export function messageListenerOf(
  listener: PlannedListener,
  { invoker, producer, answers }: ListenerParts,
): MessageListener {
  const { name, topic, filter, settings, deadLetterTopic } = listener;
  const { concurrency, backoff, batch } = settings;
  return {
    ...picked(settings, LISTENER_OPTIONS),
    name,
    topic: topic.name,
    filter,
    concurrency,
    retryOn: retryOnOf(settings),
    deadLetterOn: deadLetterOnOf(settings),
    backoff: backoff === undefined ? undefined : backoffPolicyOf(backoff),
    deadLetterTo: deadLetterTopic && deadLetterSender(deadLetterTopic, producer),
    ...(batch === undefined
      ? { handler: handlerOf(listener, invoker, answers && { ...answers, producer }) }
      : { batch: { ...batch, handler: invoker.batchHandlerOf(listener) } }),
  };
}

/** `onInvalid` decides first: an invalid body that arrives here must be retried, whatever `retryOn` and `deadLetterOn` return. */
function retryOnOf({ retryOn }: RocketMQListenerOptions): ErrorTest | undefined {
  if (retryOn === undefined) return retryOn;
  if (typeof retryOn === 'function') return (error) => error instanceof InvalidBodyError || retryOn(error);
  return [...retryOn, InvalidBodyError];
}

function deadLetterOnOf({ deadLetterOn }: RocketMQListenerOptions): ErrorTest | undefined {
  if (deadLetterOn === undefined) return deadLetterOn;
  const isMeant =
    typeof deadLetterOn === 'function'
      ? deadLetterOn
      : (error: unknown) => deadLetterOn.some((type) => error instanceof type);
  return (error) => !(error instanceof InvalidBodyError) && isMeant(error);
}

function handlerOf(
  listener: PlannedListener,
  invoker: Pick<HandlerInvoker, 'handlerOf'>,
  answers: Omit<AnswerParts, 'listener' | 'schema'> | undefined,
): MessageHandler {
  const handler = invoker.handlerOf(listener);
  if (answers === undefined || listener.pattern?.kind !== 'message') return handler;
  const { name, pattern } = listener;
  return answering(handler, { ...answers, listener: name, schema: pattern.answer });
}
