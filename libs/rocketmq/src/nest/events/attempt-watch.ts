// Watches the attempts of handlers, around whatever telemetry the application has.

import type { ConsumerTelemetrySource, PushConsumerTelemetry } from '../../consumer/model/consumer-telemetry.js';
import type { FailureSettlement } from '../../consumer/model/failure-policy.js';
import type { BatchHandler, MessageHandler } from '../../consumer/model/handler.js';
import type { MessageView } from '../../protocol/model/message.js';
import { SystemClock } from '../../support/clock.js';
import { RocketMQError } from '../../support/errors.js';
import { continued } from '../../support/thenable.js';

/** What became of an attempt. */
type AttemptResult =
  | { readonly kind: 'handled' }
  | {
      readonly kind: 'failed';
      readonly error: unknown;
      /** What follows; undefined where nothing is settled, as after a lost lease. */
      readonly settlement: FailureSettlement | undefined;
    };

/** An attempt of a handler that has ended, or is no longer waited for. */
export interface WatchedAttempt {
  readonly consumerGroup: string;
  readonly topic: string;
  readonly messageId: string;
  /** The number of the delivery; the first is 1. */
  readonly deliveryAttempt: number;
  /** When the handler was called, in milliseconds of real time since the epoch; for a batch, when that of the batch was. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly result: AttemptResult;
}

type Report = (attempt: WatchedAttempt) => void;

/** @param inner the telemetry of the application, which goes on as without this */
export function watchingAttempts(inner: ConsumerTelemetrySource | undefined, report: Report): ConsumerTelemetrySource {
  return {
    pushConsumer: (consumer) => around(inner?.pushConsumer(consumer), new AttemptWatch(consumer.consumerGroup, report)),
    simpleConsumer: (consumer) => inner?.simpleConsumer(consumer),
  };
}

function around(inner: PushConsumerTelemetry | undefined, watch: AttemptWatch): PushConsumerTelemetry {
  return {
    handler: (handler) => watch.one(inner?.handler(handler) ?? handler),
    batchHandler: (handler) => watch.batch(inner?.batchHandler(handler) ?? handler),
    failed: (message, error, settlement) => {
      watch.end(message, { kind: 'failed', error, settlement });
      inner?.failed(message, error, settlement);
    },
    start: () => inner?.start(),
    received: (poll) => inner?.received(poll),
    deadLetter: (message, reason) => inner?.deadLetter(message, reason),
    leaseLost: (topic) => inner?.leaseLost(topic),
    close: () => inner?.close(),
  };
}

function isTimeout({ aborted, reason }: AbortSignal): boolean {
  return aborted && RocketMQError.is(reason) && reason.code === 'HANDLER_TIMEOUT';
}

class AttemptWatch {
  /** By the properties, which all views of a message share. */
  private readonly running = new WeakMap<MessageView['properties'], { atMs: number; monotonicMs: number }>();
  private readonly clock = new SystemClock();

  constructor(
    private readonly consumerGroup: string,
    private readonly report: Report,
  ) {}

  one(handler: MessageHandler): MessageHandler {
    return (message, context) => {
      this.begin(message);
      // What failed is reported with what follows, by `failed`.
      return continued(handler(message, context), () => this.end(message, { kind: 'handled' }));
    };
  }

  batch(handler: BatchHandler): BatchHandler {
    return async (messages, context) => {
      const failed = new Set<MessageView>();
      for (const message of messages) this.begin(message);
      await handler(messages, {
        signal: context.signal,
        signalOf: (message) => context.signalOf(message),
        fail: (message, error) => {
          context.fail(message, error);
          failed.add(message);
        },
      });
      // What exceeded its timeout is settled as failed, whatever it does afterwards; at a shutdown, what succeeds is acknowledged.
      if (isTimeout(context.signal)) return;
      for (const message of messages) if (!failed.has(message)) this.end(message, { kind: 'handled' });
    };
  }

  /** Does nothing for an attempt that has ended: a handler that exceeded its timeout may come back later. */
  end({ topic, messageId, deliveryAttempt, properties }: MessageView, result: AttemptResult): void {
    const began = this.running.get(properties);
    if (began === undefined) return;
    this.running.delete(properties);
    const durationMs = this.clock.monotonicMs() - began.monotonicMs;
    const { consumerGroup } = this;
    this.report({ consumerGroup, topic, messageId, deliveryAttempt, startedAtMs: began.atMs, durationMs, result });
  }

  private begin({ properties }: MessageView): void {
    this.running.set(properties, { atMs: this.clock.nowMs(), monotonicMs: this.clock.monotonicMs() });
  }
}
