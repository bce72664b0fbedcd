// The changes of one command. The command's own reads see them; the store applies them as one batch.

import type { Change, Key, ScanOptions, Store } from '../store/store.js';
import { type Due, dueReference, keys, type TopicPosition } from './records.js';
import type { TrailNote } from './trail.js';

/** A topic has new messages that consumers may be waiting for, in one group or in all. */
export interface Available {
  readonly topic: string;
  readonly group: string | undefined;
}

/** The topic and the group of a message that became a dead letter. */
export interface DeadLetterMark {
  readonly topic: string;
  readonly group: string;
}

/** A message that a group acknowledged. */
export interface AckMark extends TopicPosition {
  readonly group: string;
}

/** Collects what a command changes. `get` and `scan` read the state; only `get` sees the command's own changes. */
export class Changes {
  private readonly entries = new Map<string, Change>();
  /** What these changes make available to consumers. */
  readonly available: Available[] = [];
  /** The earliest due time that these changes add; Infinity if they add none. */
  firstDueAtMs = Number.POSITIVE_INFINITY;
  /** The dead letters that these changes create; undefined if none. */
  deadLetters: DeadLetterMark[] | undefined;
  /** What these changes acknowledge; undefined if nothing. */
  acks: AckMark[] | undefined;
  /** What these changes add to the trail of messages; undefined if nothing. */
  trail: TrailNote[] | undefined;

  constructor(private readonly store: Store) {}

  get<T>(key: Key): T | undefined {
    const own = this.entries.size === 0 ? undefined : this.entries.get(nameOf(key));
    if (own === undefined) return this.store.get(key) as T | undefined;
    return own.kind === 'put' ? (own.value as T) : undefined;
  }

  /** The state before this command, collected so that later changes do not affect the iteration. */
  scan<T>(prefix: Key, options?: ScanOptions, limit = Number.POSITIVE_INFINITY): [Key, T][] {
    const found: [Key, T][] = [];
    for (const [key, value] of this.store.scan(prefix, options)) {
      if (found.length >= limit) break;
      found.push([key, value as T]);
    }
    return found;
  }

  put(key: Key, value: NonNullable<unknown>): void {
    this.entries.set(nameOf(key), { kind: 'put', key, value });
  }

  delete(key: Key): void {
    this.entries.set(nameOf(key), { kind: 'delete', key });
  }

  putDue(atMs: number, due: Due): void {
    // Such a time has no order among the others, and the entry would be examined forever.
    if (!Number.isFinite(atMs)) throw new Error(`nothing can be due at ${atMs}`);
    if (atMs < this.firstDueAtMs) this.firstDueAtMs = atMs;
    this.put(keys.due(atMs, dueReference(due)), due);
  }

  deleteDue(atMs: number, due: Due): void {
    this.delete(keys.due(atMs, dueReference(due)));
  }

  /** A number that no earlier call has returned. */
  nextSerial(): number {
    const serial = (this.get<number>(keys.serial) ?? 0) + 1;
    this.put(keys.serial, serial);
    return serial;
  }

  markAvailable(topic: string, group?: string): void {
    this.available.push({ topic, group });
  }

  markDeadLetter(topic: string, group: string): void {
    this.deadLetters ??= [];
    this.deadLetters.push({ topic, group });
  }

  markAck(mark: AckMark): void {
    this.acks ??= [];
    this.acks.push(mark);
  }

  markTrail(note: TrailNote): void {
    this.trail ??= [];
    this.trail.push(note);
  }

  /** @returns whether there was anything to write */
  commit(): boolean {
    if (this.entries.size === 0) return false;
    this.store.write([...this.entries.values()]);
    return true;
  }
}

/** A number and a string must not have equal names, and the parts must stay distinct. */
function nameOf(key: Key): string {
  let name = '';
  for (const part of key) name += typeof part === 'number' ? `#${part}|` : `${part.length}:${part}|`;
  return name;
}
