// The changes of one command: reads see them, the store gets them as one batch.

import type { Change, Key, ScanOptions, Store } from '../store/store.js';
import { type Due, dueReference, keys } from './records.js';

/** Messages that a consumer may be waiting for: of a topic, for one group or for all. */
export interface Available {
  readonly topic: string;
  readonly group: string | undefined;
}

/** Where a message died: of which topic, for which group. */
export interface DeadLetter {
  readonly topic: string;
  readonly group: string;
}

/** Collects what a command changes. `get` and `scan` read the state; only `get` sees the command's own changes. */
export class Changes {
  private readonly entries = new Map<string, Change>();
  /** What became available to consumers by these changes. */
  readonly available: Available[] = [];
  /** The first moment at which something becomes due by these changes; Infinity when nothing does. */
  firstDueAtMs = Number.POSITIVE_INFINITY;
  /** What became a dead letter by them. Undefined: nothing. */
  deadLetters: DeadLetter[] | undefined;

  constructor(private readonly store: Store) {}

  get<T>(key: Key): T | undefined {
    const own = this.entries.size === 0 ? undefined : this.entries.get(nameOf(key));
    if (own === undefined) return this.store.get(key) as T | undefined;
    return own.kind === 'put' ? (own.value as T) : undefined;
  }

  /** What the store held before this command, collected so that later changes do not disturb it. */
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
    // It would have no place among the others, and be looked at for ever.
    if (!Number.isFinite(atMs)) throw new Error(`nothing can be due at ${atMs}`);
    if (atMs < this.firstDueAtMs) this.firstDueAtMs = atMs;
    this.put(keys.due(atMs, dueReference(due)), due);
  }

  deleteDue(atMs: number, due: Due): void {
    this.delete(keys.due(atMs, dueReference(due)));
  }

  /** A number that no earlier call gave. */
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

  /** @returns whether there was anything to write */
  commit(): boolean {
    if (this.entries.size === 0) return false;
    this.store.write([...this.entries.values()]);
    return true;
  }
}

/** Numbers and strings must not meet, and no part may run into the next. */
function nameOf(key: Key): string {
  let name = '';
  for (const part of key) name += typeof part === 'number' ? `#${part}|` : `${part.length}:${part}|`;
  return name;
}
