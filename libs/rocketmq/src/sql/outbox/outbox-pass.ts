// One pass of a relay: sends the messages of a claim, those of a message group one after another, and records their outcomes.

import { orStored } from '../../producer/sending/durability.js';
import { abortReason, raceAbort } from '../../support/abort.js';
import { backoffMs } from '../../support/backoff.js';
import { withDeadline } from '../../support/deadline.js';
import { RocketMQError, type UsageError } from '../../support/errors.js';
import { describeError, visible } from '../../support/logger.js';
import { callWatcher } from '../../support/watchers.js';
import type { ClaimedRow } from '../dialect.js';
import { fromColumns } from '../outbox-message.js';
import type { ExcusedAttempts } from './excused-attempts.js';
import type { OutboxClaims } from './outbox-claims.js';
import type { RelayedMessage, RelaySettings } from './outbox-relay-options.js';

/** The counters of a relay. */
export interface RelayCounts {
  sent: number;
  failed: number;
  parked: number;
}

/** Messages that a relay has in memory. */
interface Load {
  readonly rows: number;
  /** Of their bodies, encoded. */
  readonly bytes: number;
}

/** What a pass has claimed. */
export interface Claimed {
  /** How many messages. */
  readonly taken: number;
  /** Whether some are of message groups, whose next ones wait for the end of the pass. */
  readonly hasGroups: boolean;
  /**
   * The end of all their sends. It rejects with errors of the database: messages that were not settled then become available again when the
   * claim ends.
   */
  readonly ended: Promise<void>;
}

export class OutboxPass {
  private readonly claim: string;
  /** In monotonic time: a step of the wall clock must not extend the lease. */
  private readonly beginByMs: number;
  /** Sent but not yet marked. Sends that end together, such as those of one request, are marked together. */
  private unmarked: number[] = [];
  private marking: Promise<void> = Promise.resolve();
  private unsettled = new Map<number, number>();

  /** @param stopping no send starts after it has fired */
  constructor(
    private readonly settings: RelaySettings,
    private readonly claims: OutboxClaims,
    private readonly counts: RelayCounts,
    private readonly excused: ExcusedAttempts,
    private readonly stopping: AbortSignal,
  ) {
    this.claim = settings.random.uuid();
    this.beginByMs = settings.clock.monotonicMs() + settings.leaseMs - settings.sendTimeoutMs;
  }

  /** What it has claimed and neither sent nor given back. */
  get load(): Load {
    let bytes = 0;
    for (const size of this.unsettled.values()) bytes += size;
    return { rows: this.unsettled.size, bytes };
  }

  /**
   * Claims due messages and starts to send them.
   * @throws errors of the database
   */
  async begin(): Promise<Claimed> {
    const { batchSize: limit, clock, leaseMs } = this.settings;
    const nowMs = clock.nowMs();
    const taken = await this.claims.take({ claim: this.claim, nowMs, endsAtMs: nowMs + leaseMs, limit });
    this.unsettled = new Map(taken.map(({ position, body }) => [position, body?.length ?? 0]));
    const hasGroups = taken.some(({ messageGroup }) => messageGroup !== null);
    return { taken: taken.length, hasGroups, ended: this.sendAll(taken) };
  }

  private async sendAll(taken: readonly ClaimedRow[]): Promise<void> {
    const lanes = await Promise.allSettled(lanesOf(taken).map((lane) => this.sendLane(lane)));
    for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason;
  }

  private async sendLane(lane: readonly ClaimedRow[]): Promise<void> {
    try {
      await this.sendInOrder(lane);
    } finally {
      for (const { position } of lane) this.unsettled.delete(position);
    }
  }

  private async sendInOrder(lane: readonly ClaimedRow[]): Promise<void> {
    for (const [index, message] of lane.entries()) {
      if (!this.mayBegin()) return this.claims.release(this.claim, positionsOf(lane.slice(index)));
      const about = relayed(message);
      const subject = { topic: about.topic, messageId: about.id };
      try {
        await this.settings.checkpoint?.('claimed', subject);
        // To send it again would store it twice; the producer has reported it.
        await this.send(message).catch(orStored);
      } catch (error) {
        await this.fail(message, error);
        return this.claims.release(this.claim, positionsOf(lane.slice(index + 1)));
      }
      await this.settings.checkpoint?.('sent-before-mark', subject);
      this.counts.sent++;
      this.excused.forget(message.id);
      this.report(() => this.settings.events.onSent?.(about));
      await this.mark(message.position);
      this.unsettled.delete(message.position);
      await this.settings.checkpoint?.('marked', subject);
    }
  }

  /** A send that starts late could still be running when another relay claims the message. */
  private mayBegin(): boolean {
    return !this.stopping.aborted && this.settings.clock.monotonicMs() <= this.beginByMs;
  }

  /** The row is read here, so that one that cannot be read fails alone. */
  private async send({ id, ...columns }: ClaimedRow): Promise<unknown> {
    const { send, sendTimeoutMs: timeoutMs } = this.settings;
    const message = fromColumns(id, columns);
    return withDeadline(`sending ${id} from the outbox`, timeoutMs, undefined, ({ signal }) => {
      if (signal.aborted) throw abortReason(signal);
      return raceAbort(send(message, { timeoutMs, signal }), signal);
    });
  }

  private mark(position: number): Promise<void> {
    this.unmarked.push(position);
    if (this.unmarked.length > 1) return this.marking;
    const earlier = this.marking;
    this.marking = (async () => {
      await earlier.catch(() => {});
      const positions = this.unmarked;
      this.unmarked = [];
      await this.claims.sent(positions);
    })();
    return this.marking;
  }

  private async fail(row: ClaimedRow, error: unknown): Promise<void> {
    const { backoff, clock, logger, events, maxAttempts } = this.settings;
    const isHopeless = isUsageError(error) && !isCausedByHook(error) && !this.isTooEarly(row, error);
    const isExcused = !isHopeless && (this.isTooEarly(row, error) || this.keepsTrying(error));
    const about = { ...relayed(row), attempts: row.attempts + (isExcused ? 0 : 1) };
    const { id, topic, attempts } = about;
    const isParked = isHopeless || (!isExcused && attempts >= maxAttempts);
    const tries = isExcused ? attempts + this.excused.add(id) : attempts;
    const retryAtMs = isParked ? undefined : clock.nowMs() + backoffMs(backoff, tries);
    const text = isCausedByHook(error) ? `${storable(error)}; ${CAUSED_BY_HOOK}` : storable(error);
    const failed = { position: row.position, error: text, attempts, retryAtMs };
    const fields = { id, topic, attempts, error: text };
    if (!(await this.claims.failed(this.claim, failed))) {
      logger.warn(
        'a message of the outbox could not be sent, but another relay has claimed or sent it meanwhile',
        fields,
      );
      return;
    }
    if (isParked) this.excused.forget(id);
    this.counts[isParked ? 'parked' : 'failed']++;
    if (isParked)
      logger.error('a message of the outbox failed permanently and is parked; it stays in the table', fields);
    else logger.warn('a message of the outbox could not be sent; it will be retried', fields);
    this.report(() => (isParked ? events.onParked?.(about, error) : events.onFailed?.(about, error)));
  }

  /** When it was added, its delivery time was allowed. It is again as soon as the clock of the producer has caught up. */
  private isTooEarly({ id, ...columns }: ClaimedRow, error: unknown): boolean {
    if (!isUsageError(error) || error.code !== 'ILLEGAL_DELIVERY_TIME') return false;
    const { deliverAt } = fromColumns(id, columns);
    return deliverAt !== undefined && deliverAt.getTime() > this.settings.clock.nowMs();
  }

  /** An error of the callback must not fail the pass, or the attempt would never count. */
  private keepsTrying(error: unknown): boolean {
    try {
      return this.settings.keepTrying(error);
    } catch (thrown) {
      this.settings.logger.error('keepTrying of an outbox relay failed; the attempt counts', {
        error: describeError(thrown),
      });
      return false;
    }
  }

  private report(notify: () => unknown): void {
    callWatcher(this.settings.logger, 'the outbox', notify);
  }
}

/** Checked by name, because the producer can be of another copy of this package (ESM and CommonJS side by side). */
function isUsageError(error: unknown): error is UsageError {
  return RocketMQError.is(error) && error.name === 'UsageError';
}

/** The properties were validated when the message was added, so an error now was caused by an interceptor or hook. */
function isCausedByHook(error: unknown): boolean {
  return isUsageError(error) && (error.field === 'properties' || error.field === 'interceptors');
}

const CAUSED_BY_HOOK =
  'the message was valid when it was added, so an interceptor or a hook of the producer caused this: change that, or set fewer ' +
  'properties on the message';

/** The most characters of an error that are stored. Some contain a whole page of HTML. */
const MAX_ERROR_LENGTH = 2_000;

/** An error as a text that every database stores: PostgreSQL rejects NUL and what is not UTF-8, and MySQL what is too long. */
function storable(error: unknown): string {
  const text = String(describeError(error));
  const escaped = visible(text.slice(0, MAX_ERROR_LENGTH));
  const cut = escaped.length < text.length || escaped.length > MAX_ERROR_LENGTH;
  return Buffer.from(cut ? `${escaped.slice(0, MAX_ERROR_LENGTH)}…` : escaped).toString();
}

/** A lane for each message group, and for each message without one. */
function lanesOf(taken: readonly ClaimedRow[]): ClaimedRow[][] {
  const lanes = new Map<string, ClaimedRow[]>();
  for (const one of taken) {
    const { id, messageGroup } = one;
    const key = messageGroup === null ? `id ${id}` : `group ${messageGroup}`;
    const lane = lanes.get(key);
    if (lane === undefined) lanes.set(key, [one]);
    else lane.push(one);
  }
  return [...lanes.values()];
}

function relayed({ id, attempts, topic, messageGroup }: ClaimedRow): RelayedMessage {
  return { id, topic, messageGroup: messageGroup ?? undefined, attempts };
}

function positionsOf(messages: readonly ClaimedRow[]): number[] {
  return messages.map(({ position }) => position);
}
