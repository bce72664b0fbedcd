// The ports through which consumers are traced and measured. They know nothing of who does it; without one nothing is called.

import type { ObservedClient } from '../../client/observed-client.js';
import type { MessageView } from '../../protocol/model/message.js';
import type { ConsumeInterceptor } from './consume-interceptor.js';
import type { DeadLetterReason, FailureSettlement } from './failure-policy.js';
import type { BatchHandler } from './handler.js';

/** What a consumer holds of a topic. */
export interface HeldOfTopic {
  readonly topic: string;
  readonly messages: number;
  /** Of their bodies, packed or not, whichever is more. */
  readonly bytes: number;
}

/** A consumer, as those who measure it see it. */
export interface ObservedConsumer extends ObservedClient {
  readonly consumerGroup: string;
  /** What is received and not yet settled, by topic; topics of which nothing is held included. Nothing for a simple consumer. */
  held(): HeldOfTopic[];
}

/** What one poll brought. */
export interface ObservedPoll {
  readonly messages: readonly MessageView[];
  /** When the server sent them off, by its clock; undefined when it does not tell. */
  readonly deliveredAtMs: number | undefined;
  /** When the answer began to arrive, on the business clock. */
  readonly receivedAtMs: number;
}

/** What watches one push consumer. None of it may throw anything but what it was given to run. */
export interface PushConsumerTelemetry {
  /** The consumer has started; it may have received something by now. */
  start(): void;
  /** Stands around each handler of single messages, the outermost of all. */
  readonly interceptor: ConsumeInterceptor;
  /** A batch handler with what stands around it. */
  batchHandler(handler: BatchHandler): BatchHandler;
  received(poll: ObservedPoll): void;
  /**
   * The message that a handler got has failed, or the handler is not waited for any more. Called for messages of batches, too.
   * @param settlement what follows; undefined where nothing is settled
   */
  failed(message: MessageView, error: unknown, settlement: FailureSettlement | undefined): void;
  /** The message is about to be moved to the dead letters. */
  deadLetter(message: MessageView, reason: DeadLetterReason): void;
  /** The consumer has ended; also one that never began. */
  close(): void;
}

/** What a simple consumer asks of the server for a message. */
export type SettleOperation = 'ack' | 'change_invisible_duration' | 'forward_to_dead_letter_queue';

/** What watches one simple consumer. None of it may throw anything but what it was given to run. */
export interface SimpleConsumerTelemetry {
  /** Runs a receive. @param work calls `onPoll` with what came */
  receive<T extends MessageView>(
    topic: string,
    work: (onPoll: (poll: ObservedPoll) => void) => Promise<T[]>,
  ): Promise<T[]>;
  /** Runs what settles messages, at least one of them. */
  settle<T>(operation: SettleOperation, messages: readonly MessageView[], work: () => Promise<T>): Promise<T>;
}

/** Makes what watches consumers. */
export interface ConsumerTelemetrySource {
  /** Asked once for each consumer. Undefined: it is not watched. */
  pushConsumer(consumer: ObservedConsumer): PushConsumerTelemetry | undefined;
  /** Asked once for each consumer. Undefined: it is not watched. */
  simpleConsumer(consumer: ObservedConsumer): SimpleConsumerTelemetry | undefined;
}
