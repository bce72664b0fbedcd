// How safe a stored message is: brokers also confirm messages that are not as safe yet as they are configured to make them.

import { Code, type Status } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../../protocol/grpc/status.js';
import { MINUTE_MS } from '../../support/clock.js';
import { monotonicMs } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { callWatcher } from '../../support/watchers.js';

/**
 * How safely the server has stored a message, beside what its broker is configured to do (`flushDiskType`, `brokerRole`).
 * - `as-configured`: as safely as that
 * - `not-flushed`: the broker did not write it to its disk in time (`syncFlushTimeout`); it is lost if that machine stops before it does
 * - `not-replicated`: no replica confirmed it in time (`syncFlushTimeout`, `slaveTimeout`); it is lost if the broker's disk is lost before one has it
 * - `no-replica`: no replica is available; it is lost if the broker's disk is lost
 *
 * Source: `SendStatus` and `PutMessageStatus` of the server, `SendMessageActivity` of the proxy.
 */
export type Durability = 'as-configured' | 'not-flushed' | 'not-replicated' | 'no-replica';

const BY_CODE: ReadonlyMap<Code, Durability> = new Map([
  [Code.MASTER_PERSISTENCE_TIMEOUT, 'not-flushed'],
  [Code.SLAVE_PERSISTENCE_TIMEOUT, 'not-replicated'],
  [Code.HA_NOT_AVAILABLE, 'no-replica'],
]);

/** Undefined when the status does not say that the message is stored. */
export function durabilityOf(status: Status | undefined): Durability | undefined {
  return status?.code === Code.OK ? 'as-configured' : status && BY_CODE.get(status.code);
}

/** A message that is stored less safely than its broker is configured to store. */
export interface LessDurableMessage {
  readonly topic: string;
  readonly messageId: string;
  readonly durability: Exclude<Durability, 'as-configured'>;
}

/** Where such messages are reported. */
interface DurabilityWatchers {
  readonly logger: Logger;
  readonly events: { readonly onLessDurable?: ((message: LessDurableMessage) => unknown) | undefined } | undefined;
  readonly telemetry: { lessDurable(message: LessDurableMessage): void } | undefined;
}

const ADVICE =
  'do not send it again; bring the disk or the replicas of the broker in order. It fails because of the option requireDurable';

/** The local transaction has not run, so nothing is delivered unless its checker says so. */
const HALF_ADVICE =
  'the half message is stored, less safely than configured, and the local transaction did not run; begin the transaction again when the disk or the replicas of the broker are in order. The server will ask the checker about this half message. It fails because of the option requireDurable';
const HALF_MEANING = { outcome: 'rejected', retryable: false } as const;

/** Reports such messages: each to the event and the metric, and at most one a minute to the log. */
export class DurabilityWatch {
  private quietUntilMs = Number.NEGATIVE_INFINITY;
  private unlogged = 0;

  /** @param isRequired whether such a send fails */
  constructor(
    private readonly isRequired: boolean,
    private readonly watchers: DurabilityWatchers,
  ) {}

  /** @throws StatusError whose outcome is `stored`, or `rejected` for a half message, if more is required */
  report(message: LessDurableMessage, status: Status, what: string, isHalf: boolean): void {
    const { logger, events, telemetry } = this.watchers;
    telemetry?.lessDurable(message);
    callWatcher(logger, 'less durable messages', () => events?.onLessDurable?.(message));
    this.unlogged++;
    const nowMs = monotonicMs();
    if (nowMs >= this.quietUntilMs) {
      const fields = { ...message, count: this.unlogged, answer: status.message };
      logger.warn('a message is stored, but less safely than its broker is configured to store', fields);
      this.quietUntilMs = nowMs + MINUTE_MS;
      this.unlogged = 0;
    }
    if (!this.isRequired) return;
    throw isHalf ? new StatusError(what, status, HALF_ADVICE, HALF_MEANING) : new StatusError(what, status, ADVICE);
  }
}

/** Whether a send failed only because the message is less safe than the caller requires. */
export function isStored(error: unknown): boolean {
  return RocketMQError.is(error) && error.outcome === 'stored';
}

/** For sends that must not be repeated, whatever the producer requires: `producer.send(message).catch(orStored)`. @throws any other error */
export function orStored(error: unknown): void {
  if (!isStored(error)) throw error;
}
