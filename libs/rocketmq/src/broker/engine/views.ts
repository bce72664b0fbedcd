// Read-only views of the broker's state, for tests and tools.

import { peek } from '../store/damaged-record.js';
import {
  type DeliveryRecord,
  type Due,
  dueOf,
  type GroupRecord,
  type HalfRecord,
  isOrdered,
  keys,
  type StoredMessage,
} from '../store/records.js';
import type { Key, Store } from '../store/store.js';
import { dueAtOf, recallHandleOf } from './recall-handle.js';

/** A message with its position. */
export interface MessageEntry {
  readonly topic: string;
  readonly queueId: number;
  readonly offset: number;
  readonly message: StoredMessage;
}

/** A delivery that is not settled. */
export interface DeliveryEntry {
  readonly topic: string;
  readonly group: string;
  readonly queueId: number;
  readonly offset: number;
  readonly record: DeliveryRecord;
  readonly message: StoredMessage | undefined;
  /** Whether the group is ordered, or one of lite topics. */
  readonly fifo: boolean;
}

/** The visible messages of a topic, queue by queue. */
export function messagesOf(store: Store, topic: string): MessageEntry[] {
  return [...messagesFrom(store, topic, keys.log(topic))];
}

/** Like {@link messagesOf}, read lazily from a key on, without those that cannot be read. */
export function* messagesFrom(store: Store, topic: string, from: Key): Iterable<MessageEntry> {
  for (const [key, message] of store.scan(keys.log(topic), { from, tolerant: true })) {
    const [queueId, offset] = key.slice(-2) as [number, number];
    if (message !== undefined) yield { topic, queueId, offset, message: message as StoredMessage };
  }
}

/** Returns undefined also for a message that cannot be read. */
export function messageAt(store: Store, topic: string, queueId: number, offset: number): StoredMessage | undefined {
  return peek(store, keys.message(topic, queueId, offset)) as StoredMessage | undefined;
}

/** All deliveries that are leased, or wait for the next pop. */
export function unsettledDeliveries(store: Store): DeliveryEntry[] {
  const entries = Array.from(store.scan(keys.deliveries), ([key, value]): DeliveryEntry => {
    const [, group, topic, queueId, offset] = key as [string, string, string, number, number];
    const message = messageAt(store, topic, queueId, offset);
    const fifo = isOrdered(store.get(keys.group(group)) as GroupRecord);
    return { topic, group, queueId, offset, record: value as DeliveryRecord, message, fifo };
  });
  return entries.filter(({ record }) => record.state.kind !== 'acked');
}

/** A delayed message. */
interface DelayedEntry {
  readonly topic: string;
  readonly dueAtMs: number;
  readonly recallHandle: string;
  readonly message: StoredMessage;
}

/** The delayed messages, the earliest first. */
export function delayedMessages(store: Store): DelayedEntry[] {
  const entries = Array.from(store.scan(keys.delayed), ([key, value]): DelayedEntry => {
    const message = value as StoredMessage;
    const recallHandle = recallHandleOf(key, message.messageId);
    return { topic: key[1] as string, dueAtMs: dueAtOf(key), recallHandle, message };
  });
  return entries.sort((left, right) => left.dueAtMs - right.dueAtMs);
}

/** The half messages that are neither committed nor rolled back. */
export function halfMessages(store: Store): { topic: string; half: HalfRecord }[] {
  return Array.from(store.scan(keys.halves), ([key, half]) => {
    return { topic: key[1] as string, half: half as HalfRecord };
  });
}

/** An entry of the index by due time. */
interface DueEntry {
  readonly atMs: number;
  readonly due: Due;
}

/** The entry that is due next, or undefined. */
export function nextDue(store: Store): DueEntry | undefined {
  for (const [key] of store.scan(keys.dues, { tolerant: true })) return { atMs: key[1] as number, due: dueOf(key) };
  return undefined;
}

/** The maximum number of messages that become visible in one step. */
const MAX_AT_ONCE = 256;

/**
 * The entries that are due and can be done in one step: several delayed messages, because delivering one schedules nothing else;
 * or one entry of any other kind.
 */
export function dueBy(store: Store, nowMs: number): DueEntry[] {
  const entries: DueEntry[] = [];
  for (const [key] of store.scan(keys.dues, { tolerant: true })) {
    const [atMs, due] = [key[1] as number, dueOf(key)];
    if (atMs > nowMs || (due.kind !== 'delayed' && entries.length > 0)) break;
    entries.push({ atMs, due });
    if (due.kind !== 'delayed' || entries.length >= MAX_AT_ONCE) break;
  }
  return entries;
}
