// The options of an outbox relay: what they mean, their defaults, their check.

import type { OutgoingMessage } from '../protocol/model/message.js';
import type { BackoffPolicy } from '../support/backoff.js';
import { type Clock, MINUTE_MS, SECOND_MS, SystemClock } from '../support/clock.js';
import { RocketMQError, UsageError } from '../support/errors.js';
import { type Logger, silentLogger, unfailing } from '../support/logger.js';
import { positive, positiveInteger } from '../support/options.js';
import { type Random, systemRandom } from '../support/random.js';
import type { Outbox } from './outbox.js';
import { backoffPolicyOf, type Waits } from './retry-span.js';
import type { SqlDatabase } from './sql-port.js';

/** Sends one message and resolves when the server has stored it: `(message, options) => producer.send(message, options)`. */
export type OutboxSend = (
  message: OutgoingMessage,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
) => Promise<unknown>;

/** A message on its way out. */
export interface RelayedMessage {
  /** Its id in the outbox, and its message id. */
  readonly id: string;
  readonly topic: string;
  readonly messageGroup: string | undefined;
  /** Failed attempts so far. */
  readonly attempts: number;
}

/** What happens to messages of an outbox, for those who watch. What a watcher throws is logged and changes nothing. */
export interface OutboxEvents {
  /** The server has it. Told once for each sending. */
  onSent(message: RelayedMessage): void;
  /** An attempt failed; it will be tried again. */
  onFailed(message: RelayedMessage, error: unknown): void;
  /** It was given up, and stays in the table until somebody looks at it: `outbox.parked`, `outbox.retryParked`. */
  onParked(message: RelayedMessage, error: unknown): void;
}

/** Where a crash of a relay is worth testing. */
export type OutboxCheckpoint = 'claimed' | 'sent-before-mark' | 'marked';

/** The options of `OutboxRelay`. */
export interface OutboxRelayOptions {
  /** The outbox that is emptied. */
  readonly outbox: Outbox;
  /** Where the outbox is. */
  readonly database: SqlDatabase;
  /** How a message is sent. */
  readonly send: OutboxSend;
  /** The most messages of one claim. Those of different message groups, and those without one, are sent side by side. Default 64. */
  readonly batchSize?: number;
  /**
   * How long a claim lasts: so long the messages of a relay that died stay away from others. Longer than `sendTimeoutMs`.
   * Default 60 000.
   */
  readonly leaseMs?: number;
  /** How long one sending may take, in real time. Default 10 000. */
  readonly sendTimeoutMs?: number;
  /** How long an idle relay waits, at most, before it looks for messages of other processes. Default 1000. */
  readonly pollIntervalMs?: number;
  /** The waits between the attempts at one message. Default: 1 s, doubled up to 1 minute. */
  readonly backoff?: Waits;
  /** Failed attempts after which a message is parked. Default 10. */
  readonly maxAttempts?: number;
  /**
   * Whether an error says nothing against the message, so that it is tried for as long as it takes. Default: errors of this
   * library that are `retryable`, as of a server that is away, and those of a producer that is not running.
   */
  readonly keepTrying?: (error: unknown) => boolean;
  /** Default: nobody is told. */
  readonly events?: Partial<OutboxEvents>;
  /** Awaited at named points. For crash tests; it can stop the process there. Default: nothing. */
  readonly checkpoint?: (point: OutboxCheckpoint, message: RelayedMessage) => Promise<void> | void;
  /**
   * Times of claims and attempts. Relays of one outbox should agree on the time to within the lease: a clock that is stepped ahead by
   * more takes what another relay is sending, so it is sent twice; one that is stepped back takes failed messages up again that much
   * later. Default: the machine's.
   */
  readonly clock?: Clock;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
  /** Names claims. Default: the machine's. */
  readonly random?: Random;
}

/** Options that were checked, with their defaults. */
export interface RelaySettings
  extends Required<Omit<OutboxRelayOptions, 'checkpoint' | 'backoff'>>,
    Pick<OutboxRelayOptions, 'checkpoint'> {
  readonly backoff: BackoffPolicy;
}

const DEFAULT_BACKOFF = { kind: 'exponential', initialMs: SECOND_MS, maxMs: MINUTE_MS, multiplier: 2 } as const;

/** @throws UsageError that names the option */
export function relaySettings(options: OutboxRelayOptions): RelaySettings {
  const leaseMs = positive('leaseMs', options.leaseMs ?? MINUTE_MS);
  const sendTimeoutMs = positive('sendTimeoutMs', options.sendTimeoutMs ?? 10 * SECOND_MS);
  if (leaseMs <= sendTimeoutMs) {
    const text = `option leaseMs is ${leaseMs}, but a sending may take ${sendTimeoutMs} (sendTimeoutMs); make the lease longer`;
    throw new UsageError('ILLEGAL_OPTION', text, 'leaseMs');
  }
  return {
    outbox: options.outbox,
    database: options.database,
    send: options.send,
    batchSize: positiveInteger('batchSize', options.batchSize ?? 64),
    leaseMs,
    sendTimeoutMs,
    pollIntervalMs: positive('pollIntervalMs', options.pollIntervalMs ?? SECOND_MS),
    backoff: backoffPolicyOf(options.backoff ?? DEFAULT_BACKOFF),
    maxAttempts: positiveInteger('maxAttempts', options.maxAttempts ?? 10),
    keepTrying: options.keepTrying ?? isOfServer,
    events: options.events ?? {},
    checkpoint: options.checkpoint,
    clock: options.clock ?? new SystemClock(),
    logger: unfailing(options.logger ?? silentLogger),
    random: options.random ?? systemRandom,
  };
}

function isOfServer(error: unknown): boolean {
  return RocketMQError.is(error) && (error.retryable || error.name === 'StateError');
}
