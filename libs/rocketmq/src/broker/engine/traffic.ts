// Counts messages since the start, for metrics only.

import type { MessageType } from '../../protocol/model/message.js';
import { SECOND_MS } from '../../support/clock.js';
import type { StoredMessage } from '../store/records.js';
import type { DeadLetterMark } from './changes.js';
import type { Delivery } from './deliveries.js';
import type { Resolution } from './transactions.js';

/** A number of messages and the total size of their bodies. */
export interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

interface Tally<L> {
  readonly labels: L;
  messages: number;
  bytes: number;
}

/** The count for a set of labels. */
export type Counted<L> = L & Amount;

interface SentLabels {
  readonly topic: string;
  readonly messageType: MessageType;
}

interface GroupLabels {
  readonly topic: string;
  readonly group: string;
}

interface EndLabels {
  readonly topic: string;
  readonly resolution: 'commit' | 'rollback';
}

/** Counts messages. */
export class Traffic {
  private readonly incoming = new Tallies<SentLabels>();
  private readonly outgoing = new Tallies<GroupLabels>();
  private readonly dead = new Tallies<GroupLabels>();
  private readonly ends = new Tallies<EndLabels>();
  private readonly recent = new RecentCount(1, MAX_RECENT_SECONDS);
  /** The delayed messages that began to wait, and those whose time came. */
  readonly timer = { begun: new RecentCount(1, MAX_RECENT_SECONDS), ended: new RecentCount(1, MAX_RECENT_SECONDS) };
  /** By `topic@group`. */
  private readonly recentOf = new Map<string, readonly RecentCount[]>();

  /** Counts the accepted messages of one request, which have the same type. */
  sent(topic: string, messages: readonly StoredMessage[]): void {
    const [first] = messages;
    if (first === undefined) return;
    const messageType = first.type;
    const tally = this.incoming.at(topic, messageType) ?? this.incoming.add(topic, messageType, { topic, messageType });
    for (const { body } of messages) count(tally, body.length);
  }

  /** The number of messages that were handed out since a time, up to ten minutes ago. */
  handedOutWithin(seconds: number, nowMs: number): number {
    return this.recent.within(seconds, nowMs);
  }

  /**
   * The number of messages that were handed out to a group within the last minute, hour and day, about: the oldest part of each is left out.
   * @param key `topic@group` @returns undefined when there was none since the start
   */
  handedOutTo(key: string, nowMs: number): number[] | undefined {
    return this.recentOf.get(key)?.map((one) => one.within(Number.POSITIVE_INFINITY, nowMs));
  }

  /** Counts the deliveries of one pop, redeliveries included. */
  handedOut(topic: string, group: string, deliveries: readonly Pick<Delivery, 'message'>[], nowMs: number): void {
    if (deliveries.length === 0) return;
    this.recent.add(deliveries.length, nowMs);
    const key = `${topic}@${group}`;
    const recent = this.recentOf.get(key) ?? PERIODS.map(([seconds, buckets]) => new RecentCount(seconds, buckets));
    this.recentOf.set(key, recent);
    for (const one of recent) one.add(deliveries.length, nowMs);
    const tally = this.outgoing.at(topic, group) ?? this.outgoing.add(topic, group, { topic, group });
    for (const { message } of deliveries) count(tally, message.body.length);
  }

  deadLettered(deadLetters: readonly DeadLetterMark[]): void {
    for (const { topic, group } of deadLetters) {
      count(this.dead.at(topic, group) ?? this.dead.add(topic, group, { topic, group }), 0);
    }
  }

  /** Counts a transaction that ended. */
  ended(topic: string, resolution: Resolution): void {
    if (resolution === 'unspecified') return;
    count(this.ends.at(topic, resolution) ?? this.ends.add(topic, resolution, { topic, resolution }), 0);
  }

  /** All counts. */
  get counted() {
    const { incoming, outgoing, dead, ends } = this;
    return { sent: incoming.all(), handedOut: outgoing.all(), deadLetters: dead.all(), ends: ends.all() };
  }
}

/** The longest period of which tools show the rate. */
const MAX_RECENT_SECONDS = 600;

/** The length and the number of the parts of a minute, an hour and a day. @see StatsItem of the server, which samples so often */
const PERIODS = [
  [10, 6],
  [600, 6],
  [3_600, 24],
] as const;

/** What was counted in each of the last parts of a period. */
class RecentCount {
  private readonly counts: Float64Array;
  private newest = 0;

  constructor(
    private readonly secondsEach: number,
    parts: number,
  ) {
    this.counts = new Float64Array(parts);
  }

  add(count: number, nowMs: number): void {
    const { counts } = this;
    const at = this.moveTo(nowMs) % counts.length;
    counts[at] = (counts[at] ?? 0) + count;
  }

  within(seconds: number, nowMs: number): number {
    const { counts, secondsEach } = this;
    const newest = this.moveTo(nowMs);
    let sum = 0;
    for (let ago = 0; ago < Math.min(seconds / secondsEach, counts.length); ago++) {
      sum += counts[(newest - ago + counts.length) % counts.length] ?? 0;
    }
    return sum;
  }

  /** Empties the parts that have passed. @returns the newest */
  private moveTo(nowMs: number): number {
    const { counts } = this;
    const newest = Math.max(this.newest, Math.floor(nowMs / (this.secondsEach * SECOND_MS)));
    const passed = Math.min(newest - this.newest, counts.length);
    for (let ago = 0; ago < passed; ago++) counts[(newest - ago) % counts.length] = 0;
    this.newest = newest;
    return newest;
  }
}

/** Counts by two labels. */
class Tallies<L> {
  private readonly tallies = new Map<string, Map<string, Tally<L>>>();

  at(first: string, second: string): Tally<L> | undefined {
    return this.tallies.get(first)?.get(second);
  }

  add(first: string, second: string, labels: L): Tally<L> {
    const tally: Tally<L> = { labels, messages: 0, bytes: 0 };
    const row = this.tallies.get(first) ?? new Map<string, Tally<L>>();
    this.tallies.set(first, row.set(second, tally));
    return tally;
  }

  all(): Counted<L>[] {
    return [...this.tallies.values()].flatMap((row) =>
      [...row.values()].map(({ labels, messages, bytes }) => ({ ...labels, messages, bytes })),
    );
  }
}

function count(tally: Tally<unknown>, bytes: number): void {
  tally.messages++;
  tally.bytes += bytes;
}
