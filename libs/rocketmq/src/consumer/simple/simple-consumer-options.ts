// The options of a simple consumer and of its calls, their checks and defaults.

import { LIMITS } from '../../protocol/model/limits.js';
import { SECOND_MS } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import {
  abortSignal,
  checkedElsewhere,
  numberFrom,
  type OptionChecks,
  positiveInteger,
  positiveNumber,
  trueOrFalse,
  withMethods,
} from '../../support/options.js';
import type { ConsumerTelemetrySource } from '../model/consumer-telemetry.js';
import { GROUP_CHECKS, type GroupSubscription } from '../model/subscription.js';

export interface SimpleConsumerOptions extends GroupSubscription {
  /** How long a receive waits for messages by default, in milliseconds; the server limits it to 5 to 20 s. Default 20 s. */
  readonly longPollingTimeoutMs?: number;
  /** A compressed body that decompresses to more bytes has a `bodyProblem`. Default 32 MiB. */
  readonly maxUnpackedBytes?: number;
  /**
   * Bytes of the bodies that one receive returns, decompressed; one message may exceed it. Messages that do not fit are not returned:
   * they are redelivered, at the latest when `invisibleDurationMs` is over. Default 64 MiB.
   */
  readonly maxBufferedBytes?: number;
  /** Traces and measures it: `openTelemetry()` of `nestjs-rocketmq/opentelemetry`. Default: none. */
  readonly telemetry?: ConsumerTelemetrySource;
}

export const SIMPLE_CONSUMER_CHECKS: OptionChecks<SimpleConsumerOptions> = {
  ...GROUP_CHECKS,
  longPollingTimeoutMs: numberFrom(1, LIMITS.longPollingMaxMs),
  maxUnpackedBytes: positiveInteger,
  maxBufferedBytes: positiveNumber,
  telemetry: withMethods('the result of openTelemetry() of nestjs-rocketmq/opentelemetry', 'simpleConsumer'),
};

/** The options of one receive. */
export interface ReceiveOptions {
  /** 1 to 32. Default 16. */
  readonly maxMessages?: number;
  /** How long the messages are invisible to other consumers, in milliseconds: settle them within that time. 10 s to 12 h. Default 30 s. */
  readonly invisibleDurationMs?: number;
  /** Default: `longPollingTimeoutMs` of the consumer. */
  readonly longPollingTimeoutMs?: number;
  /** One of the subscribed topics. Default: each in turn. */
  readonly topic?: string;
  /**
   * Ends the wait. Messages that were on their way are returned all the same, if all have arrived within 300 ms; otherwise those that have arrived are released. The
   * rest, and with `transport: 'grpc-js'` all that was on its way, is redelivered when its invisible duration is over; by name server after a second. Default: none.
   */
  readonly signal?: AbortSignal;
}

/** Values are checked with the limits of the server. */
export const RECEIVE_CHECKS: OptionChecks<ReceiveOptions> = {
  maxMessages: checkedElsewhere,
  invisibleDurationMs: checkedElsewhere,
  longPollingTimeoutMs: checkedElsewhere,
  topic: checkedElsewhere,
  signal: abortSignal,
};
export const SETTLE_CHECKS = { options: { signal: abortSignal } };
export const CHANGE_CHECKS = { options: { ...SETTLE_CHECKS.options, countsAsAttempt: trueOrFalse } };

const DEFAULT_MAX_MESSAGES = 16;
const DEFAULT_INVISIBLE_MS = 30 * SECOND_MS;

/** What one receive asks for. */
export interface ReceiveLimits {
  readonly maxMessages: number;
  readonly invisibleMs: number;
  readonly longPollingTimeoutMs: number;
}

/** @param defaultPollingMs of the consumer @throws UsageError for a value that the server would reject */
export function receiveLimitsOf(options: ReceiveOptions, defaultPollingMs: number): ReceiveLimits {
  const { invisibleDurationMinMs, invisibleDurationMaxMs, receiveBatchSize, longPollingMaxMs } = LIMITS;
  const maxMessages = within('maxMessages', options.maxMessages ?? DEFAULT_MAX_MESSAGES, 1, receiveBatchSize);
  const invisibleMs = options.invisibleDurationMs ?? DEFAULT_INVISIBLE_MS;
  within('invisibleDurationMs', invisibleMs, invisibleDurationMinMs, invisibleDurationMaxMs);
  const longPollingTimeoutMs = options.longPollingTimeoutMs ?? defaultPollingMs;
  within('longPollingTimeoutMs', longPollingTimeoutMs, 1, longPollingMaxMs);
  return { maxMessages, invisibleMs, longPollingTimeoutMs };
}

/** @throws UsageError unless the value is in the range, limits included */
export function within(field: string, value: number, least: number, most: number): number {
  const problem = numberFrom(least, most)(value);
  if (problem === undefined) return value;
  throw new UsageError('ILLEGAL_OPTION', `${field} ${problem}; nothing was sent`, field);
}
