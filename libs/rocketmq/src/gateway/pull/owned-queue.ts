// The messages of one queue that this process owns: pulled ahead, handed out, settled. Its offset is that of the lowest message that is not
// settled, so nothing is lost, and what was settled above it is repeated by the next owner. This file sends nothing.

import { RETRY_PREFIX } from '../../protocol/model/names.js';
import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';

/** What a message in hand is waiting for. Times are monotonic. */
type EntryState =
  /** Its turn. */
  | { readonly kind: 'ready' }
  /** The time of its next delivery. */
  | { readonly kind: 'postponed'; readonly untilMs: number }
  /** Its settlement; when the lease ends it is handed out again. */
  | { readonly kind: 'held'; readonly untilMs: number };

interface Entry {
  readonly stored: StoredMessageFields;
  /** The topic whose listeners handle it: for a retry, another one than that of the queue. */
  readonly topic: string;
  state: EntryState;
  /** The number of its last one by this owner. */
  delivery: number;
  /** How many deliveries count as attempts. */
  attempts: number;
}

/** A message that was handed out. */
export interface HandedOut {
  readonly stored: StoredMessageFields;
  readonly topic: string;
  /** From 1. */
  readonly attempt: number;
  readonly offset: number;
  /** Another one for each delivery of the queue. */
  readonly delivery: number;
}

/** How much a queue may hold. */
export interface QueueLimits {
  /** Messages whose turn it is, and that nobody has asked for. */
  readonly ready: number;
  /** Of their bodies. */
  readonly readyBytes: number;
  /** Bytes of the messages that wait for their next delivery. */
  readonly postponedBytes: number;
  /** From the lowest unsettled offset to the next one to pull: what a crash may repeat. @see consumeConcurrentlyMaxSpan of the Java client */
  readonly span: number;
}

/** One ownership of one queue. */
export class OwnedQueue {
  /** By offset, rising. A new map whenever it is empty: V8 keeps what outgrown tables of an old one held until it collects the old generation. */
  private entries = new Map<number, Entry>();
  private ready = 0;
  private readyBytes = 0;
  private postponedBytes = 0;
  private held = 0;
  private highestSettled = -1;
  /** A number for each: another message may come to be at the offset of one that is still held. */
  private lastDelivery = 0;

  /**
   * @param nextOffset where to begin
   * @param isOrdered whether messages are handed out one by one, each when the former is settled: so nothing is settled behind an unsettled one
   * @param isBroadcast whether there is no next owner, who would repeat what was settled behind an unsettled one
   */
  constructor(
    readonly isOrdered: boolean,
    private nextOffset: number,
    private readonly isBroadcast = false,
  ) {}

  /** The next offset to pull. */
  get pullOffset(): number {
    return this.nextOffset;
  }

  /** Where the next owner begins. */
  get commitOffset(): number {
    for (const offset of this.entries.keys()) return offset;
    return this.nextOffset;
  }

  /** How far the lowest unsettled message is behind the next one to pull; of a broadcast, how many are unsettled. */
  get span(): number {
    return this.isBroadcast ? this.entries.size : this.nextOffset - this.commitOffset;
  }

  get isIdle(): boolean {
    return this.held === 0;
  }

  hasRoom(limits: QueueLimits): boolean {
    return this.ready < limits.ready && this.readyBytes < limits.readyBytes && !this.isHeldUp(limits);
  }

  /** Whether it has no room before a message is settled that others have passed. */
  isHeldUp({ postponedBytes, span }: QueueLimits): boolean {
    return this.span >= span || this.postponedBytes >= postponedBytes;
  }

  /** Adds what was pulled. @param nextOffset where to go on, as the broker says */
  add(messages: readonly StoredMessageFields[], nextOffset: number): void {
    for (const stored of messages) {
      if (stored.queueOffset < this.nextOffset) continue;
      const state: EntryState = { kind: 'ready' };
      const entry = { stored, topic: topicOf(stored), state, delivery: 0, attempts: 0 };
      this.entries.set(stored.queueOffset, entry);
      this.count(entry, 1);
    }
    this.nextOffset = Math.max(this.nextOffset, nextOffset);
  }

  /**
   * Hands out messages whose turn it is.
   * @param topic of which topic
   * @param untilMs when their leases end
   */
  take(topic: string, count: number, untilMs: number): HandedOut[] {
    const taken: HandedOut[] = [];
    if (this.ready === 0 || (this.isOrdered && this.held > 0)) return taken;
    for (const [offset, entry] of this.entries) {
      if (taken.length === (this.isOrdered ? 1 : count)) break;
      if (entry.state.kind === 'ready' && entry.topic === topic) {
        this.turn(entry, { kind: 'held', untilMs });
        entry.delivery = ++this.lastDelivery;
        entry.attempts++;
        const { stored, delivery } = entry;
        taken.push({ stored, topic, attempt: stored.reconsumeTimes + entry.attempts, offset, delivery });
      } else if (this.isOrdered) break;
    }
    return taken;
  }

  /** The topics of the messages whose turn it is. */
  get readyTopics(): ReadonlySet<string> {
    const entries = this.ready === 0 ? [] : [...this.entries.values()];
    return new Set(entries.flatMap(({ state, topic }) => (state.kind === 'ready' ? [topic] : [])));
  }

  /** Whether this delivery is the current one of its message, and holds it. */
  holds(offset: number, delivery: number): boolean {
    const entry = this.entries.get(offset);
    return entry?.state.kind === 'held' && entry.delivery === delivery;
  }

  /** What is received and not settled. */
  get unsettled(): { readonly messages: number; readonly bytes: number } {
    const entries = [...this.entries.values()];
    return { messages: entries.length, bytes: entries.reduce((sum, { stored }) => sum + stored.body.length, 0) };
  }

  /** Whether the message was pulled and is settled. */
  isSettled(offset: number): boolean {
    return offset < this.nextOffset && !this.entries.has(offset);
  }

  storedAt(offset: number): StoredMessageFields | undefined {
    return this.entries.get(offset)?.stored;
  }

  /** The message needs nothing more from this queue. @param wasHandled whether a handler has seen it */
  settle(offset: number, wasHandled = true): void {
    const entry = this.entries.get(offset);
    if (entry === undefined) return;
    this.count(entry, -1);
    this.entries.delete(offset);
    if (this.entries.size === 0) this.entries = new Map();
    if (wasHandled) this.highestSettled = Math.max(this.highestSettled, offset);
  }

  /** @returns the number of the delivery that replaces the current one */
  renew(offset: number, untilMs: number): number | undefined {
    const entry = this.entries.get(offset);
    if (entry === undefined) return undefined;
    this.turn(entry, { kind: 'held', untilMs });
    entry.delivery = ++this.lastDelivery;
    return entry.delivery;
  }

  /** @param isCounted whether the delivery was an attempt */
  postpone(offset: number, untilMs: number, isCounted: boolean): void {
    const entry = this.entries.get(offset);
    if (entry === undefined) return;
    if (!isCounted) entry.attempts--;
    this.turn(entry, { kind: 'postponed', untilMs });
  }

  /** What is due becomes ready. @returns when something else is due; Infinity for nothing */
  pass(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const entry of this.entries.values()) {
      if (entry.state.kind === 'ready') continue;
      if (entry.state.untilMs <= nowMs) this.turn(entry, { kind: 'ready' });
      else nextMs = Math.min(nextMs, entry.state.untilMs);
    }
    return nextMs;
  }

  /** The deliveries that hold messages. */
  get holding(): readonly { readonly offset: number; readonly delivery: number }[] {
    return [...this.entries].flatMap(([offset, { state, delivery }]) => {
      return state.kind === 'held' ? [{ offset, delivery }] : [];
    });
  }

  /** The unsettled messages below the highest settled one: the next owner would begin there, and repeat what was settled. None in order. */
  get gaps(): readonly StoredMessageFields[] {
    if (this.isOrdered) return [];
    return [...this.entries].flatMap(([offset, { stored }]) => (offset < this.highestSettled ? [stored] : []));
  }

  /** Goes back to an offset, from which on the broker has other messages now, and keeps what is before it. */
  goBack(offset: number): void {
    for (const [at, entry] of this.entries) {
      if (at < offset) continue;
      this.count(entry, -1);
      this.entries.delete(at);
    }
    this.highestSettled = Math.min(this.highestSettled, offset - 1);
    this.nextOffset = offset;
  }

  /** Forgets everything, and goes on at another offset. */
  moveTo(offset: number): void {
    this.entries.clear();
    this.ready = 0;
    this.readyBytes = 0;
    this.postponedBytes = 0;
    this.held = 0;
    this.highestSettled = -1;
    this.nextOffset = offset;
  }

  private turn(entry: Entry, state: EntryState): void {
    this.count(entry, -1);
    entry.state = state;
    this.count(entry, 1);
  }

  private count({ state, stored }: Entry, by: 1 | -1): void {
    if (state.kind === 'held') this.held += by;
    if (state.kind === 'postponed') this.postponedBytes += by * stored.body.length;
    if (state.kind !== 'ready') return;
    this.ready += by;
    this.readyBytes += by * stored.body.length;
  }
}

/** A retry names the topic that it was sent to. */
function topicOf({ topic, properties }: StoredMessageFields): string {
  return topic.startsWith(RETRY_PREFIX) ? (properties.get('RETRY_TOPIC') ?? topic) : topic;
}
