// The ports for tracing and measuring consumers. They do not depend on OpenTelemetry; without an implementation nothing is called.

import type { ObservedClient } from '../../client/observed-client.js';
import type { MessageView } from '../../protocol/model/message.js';
import type { DeadLetterReason, FailureSettlement } from './failure-policy.js';
import type { BatchHandler, MessageHandler } from './handler.js';

/** The messages of a topic that a consumer holds. */
export interface HeldOfTopic {
  readonly topic: string;
  readonly messages: number;
  /** The bytes of their bodies, compressed or not, whichever is more. */
  readonly bytes: number;
}

/** A consumer, as telemetry sees it. */
export interface ObservedConsumer extends ObservedClient {
  readonly consumerGroup: string;
  /** The received and unsettled messages, by topic; topics without any included. Nothing for a simple consumer. */
  held(): HeldOfTopic[];
  /** How many queues bring nothing more until a message is settled, see `ConsumerHealth.heldUp`. */
  heldUpQueues(): number;
}

/** The result of one poll. */
export interface ObservedPoll {
  readonly messages: readonly MessageView[];
  /** When the server sent the messages, by its clock; undefined when it does not report that. */
  readonly deliveredAtMs: number | undefined;
  /** When the answer began to arrive, on the business clock. */
  readonly receivedAtMs: number;
}

/** Observes one push consumer. None of it may throw anything except errors of the function that it runs. */
export interface PushConsumerTelemetry {
  /** The consumer has started; it may have received messages by now. */
  start(): void;
  /** A handler of single messages, with its interceptors, with telemetry around it. */
  handler(handler: MessageHandler): MessageHandler;
  /** A batch handler with telemetry around it. */
  batchHandler(handler: BatchHandler): BatchHandler;
  received(poll: ObservedPoll): void;
  /**
   * A message that a handler received has failed, or the handler is no longer waited for. Called for messages of batches, too.
   * @param settlement the settlement that follows; undefined where nothing is settled
   */
  failed(message: MessageView, error: unknown, settlement: FailureSettlement | undefined): void;
  /** The message is about to be dead-lettered. */
  deadLetter(message: MessageView, reason: DeadLetterReason): void;
  /** The lease of a message was lost, or had ended before the message was received. */
  leaseLost(topic: string): void;
  /** The consumer has closed, or was closed without having started. */
  close(): void;
}

/** The operations by which a simple consumer settles a message. */
export type SettleOperation = 'ack' | 'change_invisible_duration' | 'forward_to_dead_letter_queue';

/** Observes one simple consumer. None of it may throw anything except errors of the function that it runs. */
export interface SimpleConsumerTelemetry {
  /** Runs a receive. @param work calls `onPoll` with the result */
  receive<T extends MessageView>(
    topic: string,
    work: (onPoll: (poll: ObservedPoll) => void) => Promise<T[]>,
  ): Promise<T[]>;
  /** The lease of a message had ended before the message was received. */
  leaseLost(topic: string): void;
  /** Runs an operation that settles at least one message. */
  settle<T>(operation: SettleOperation, messages: readonly MessageView[], work: () => Promise<T>): Promise<T>;
}

/** Creates the observers of consumers. */
export interface ConsumerTelemetrySource {
  /** Called once for each consumer. Undefined: it is not observed. */
  pushConsumer(consumer: ObservedConsumer): PushConsumerTelemetry | undefined;
  /** Called once for each consumer. Undefined: it is not observed. */
  simpleConsumer(consumer: ObservedConsumer): SimpleConsumerTelemetry | undefined;
}
