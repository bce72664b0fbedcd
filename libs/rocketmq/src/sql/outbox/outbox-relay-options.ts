// The options of an outbox relay, their defaults and their validation.

import type { OutgoingMessage } from '../../protocol/model/message.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import { type CheckpointHook, checkpointsOf } from '../../support/checkpoints.js';
import { type Clock, DAY_MS, MINUTE_MS, SECOND_MS, SystemClock } from '../../support/clock.js';
import { RocketMQError, UsageError } from '../../support/errors.js';
import { type Logger, silentLogger, unfailing } from '../../support/logger.js';
import { checkedPositive, checkedPositiveInteger } from '../../support/options.js';
import { type Random, systemRandom } from '../../support/random.js';
import { backoffPolicyOf, type Waits } from '../retry-span.js';
import type { Schedule } from '../schedule/schedule.js';
import type { SqlDatabase } from '../sql-port.js';
import type { Outbox } from './outbox.js';

/** Sends one message and resolves when the server has stored it: `(message, options) => producer.send(message, options)`. */
export type OutboxSend = (
  message: OutgoingMessage,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
) => Promise<unknown>;

/** A message that a relay sends. */
export interface RelayedMessage {
  /** Its id in the outbox, which is also its message id. */
  readonly id: string;
  readonly topic: string;
  readonly messageGroup: string | undefined;
  /** Failed attempts so far, without those that `keepTrying` has excused. */
  readonly attempts: number;
}

/** Event handlers for messages of an outbox. Errors that a handler throws are logged and have no other effect. */
export interface OutboxEvents {
  /** The server has stored it. Called once for each successful send. */
  onSent(message: RelayedMessage): void;
  /** An attempt failed; it will be retried. */
  onFailed(message: RelayedMessage, error: unknown): void;
  /** It failed permanently, and stays in the table until you handle it: `outbox.parked`, `outbox.retryParked`. */
  onParked(message: RelayedMessage, error: unknown): void;
}

/** The options of `OutboxRelay`. */
export interface OutboxRelayOptions {
  /** The outbox to send from. */
  readonly outbox: Outbox;
  /** Entries that the relay moves to the outbox when they are due. Default: none, and then nothing that was scheduled is sent. */
  readonly schedule?: Schedule;
  /** The database of the outbox, and of the schedule. */
  readonly database: SqlDatabase;
  /** Sends a message. */
  readonly send: OutboxSend;
  /** The maximum number of messages in one claim. Those of different message groups, and those without one, are sent concurrently. At most 10 000. Default 64. */
  readonly batchSize?: number;
  /**
   * How long a claim lasts. After a relay has crashed, its messages are unavailable to other relays for this time. Must be longer than
   * `sendTimeoutMs`, and at most a day. Default 60 000.
   */
  readonly leaseMs?: number;
  /** How long one send may take, in real time. Default 10 000. */
  readonly sendTimeoutMs?: number;
  /**
   * The longest time between two polls of an idle relay for messages of other processes, and for entries that they have set. At most a day.
   * Default 1000.
   */
  readonly pollIntervalMs?: number;
  /** The delays between the attempts to send one message. Default: 1 s, doubled up to 1 minute. */
  readonly backoff?: Waits;
  /** Failed attempts after which a message is parked; those that `keepTrying` excuses do not count. Default 10. */
  readonly maxAttempts?: number;
  /**
   * Whether an error is not caused by the message, so that it is retried without a limit. Default: errors of this library that are
   * `retryable`, such as those of an unavailable server, and those of a producer that is not running.
   */
  readonly keepTrying?: (error: unknown) => boolean;
  /** Event handlers. Default: none. */
  readonly events?: Partial<OutboxEvents>;
  /**
   * The clock for claims and attempts. The clocks of all relays of one outbox should agree to within the lease. If a clock jumps ahead by
   * more, its relay claims messages that another one is sending, so they are sent twice; if it jumps back, failed messages are retried
   * that much later. Default: the system clock.
   */
  readonly clock?: Clock;
  /** Where failures are logged. Default: the logger of `RocketMQModule`, for a provider of its application; otherwise nothing is logged. */
  readonly logger?: Logger;
  /** The source of randomness for the names of claims. Default: the system's random source. */
  readonly random?: Random;
}

/** Validated options with their defaults. */
export interface RelaySettings extends Required<Omit<OutboxRelayOptions, 'backoff' | 'schedule'>> {
  readonly schedule: Schedule | undefined;
  readonly backoff: BackoffPolicy;
  readonly checkpoint: CheckpointHook | undefined;
}

const MAX_AT_ONCE = 10_000;
/** What the tables can count. */
const MAX_ATTEMPTS = 2 ** 31 - 1;

const DEFAULT_BACKOFF = { kind: 'exponential', initialMs: SECOND_MS, maxMs: MINUTE_MS, multiplier: 2 } as const;

/** @throws UsageError that names the option */
export function relaySettings(options: OutboxRelayOptions): RelaySettings {
  const leaseMs = checkedPositive('leaseMs', options.leaseMs ?? MINUTE_MS, DAY_MS);
  const sendTimeoutMs = checkedPositive('sendTimeoutMs', options.sendTimeoutMs ?? 10 * SECOND_MS);
  if (leaseMs <= sendTimeoutMs) {
    const text = `option leaseMs is ${leaseMs}, but a send may take ${sendTimeoutMs} (sendTimeoutMs); make the lease longer`;
    throw new UsageError('ILLEGAL_OPTION', text, 'leaseMs');
  }
  return {
    outbox: options.outbox,
    schedule: options.schedule,
    database: options.database,
    send: options.send,
    batchSize: checkedPositiveInteger('batchSize', options.batchSize ?? 64, MAX_AT_ONCE),
    leaseMs,
    sendTimeoutMs,
    pollIntervalMs: checkedPositive('pollIntervalMs', options.pollIntervalMs ?? SECOND_MS, DAY_MS),
    backoff: backoffPolicyOf(options.backoff ?? DEFAULT_BACKOFF),
    maxAttempts: checkedPositiveInteger('maxAttempts', options.maxAttempts ?? 10, MAX_ATTEMPTS),
    keepTrying: options.keepTrying ?? isOfServer,
    events: options.events ?? {},
    checkpoint: checkpointsOf(options),
    clock: options.clock ?? new SystemClock(),
    logger: unfailing(options.logger ?? silentLogger),
    random: options.random ?? systemRandom,
  };
}

function isOfServer(error: unknown): boolean {
  return RocketMQError.is(error) && (error.retryable || error.name === 'StateError');
}
