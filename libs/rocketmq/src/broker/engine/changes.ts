// The changes of one command: reads see them, the store gets them as one batch.

import type { Key, ScanOptions, Store } from '../store/store.js';
import { type Due, keys } from './records.js';

/** Messages that a consumer may be waiting for: of a topic, for one group or for all. */
export interface Available {
  readonly topic: string;
  readonly group: string | undefined;
}

interface Entry {
  readonly key: Key;
  /** undefined: deleted. */
  readonly value: unknown;
}

/** Collects what a command changes. `get` and `scan` read the state; only `get` sees the command's own changes. */
export class Changes {
  private readonly entries = new Map<string, Entry>();
  /** What became available to consumers by these changes. */
  readonly available: Available[] = [];

  constructor(private readonly store: Store) {}

  get<T>(key: Key): T | undefined {
    const own = this.entries.get(nameOf(key));
    return (own === undefined ? this.store.get(key) : own.value) as T | undefined;
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
    this.entries.set(nameOf(key), { key, value });
  }

  delete(key: Key): void {
    this.entries.set(nameOf(key), { key, value: undefined });
  }

  putDue(atMs: number, due: Due): void {
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

  /** @returns whether there was anything to write */
  commit(): boolean {
    if (this.entries.size === 0) return false;
    this.store.write(
      [...this.entries.values()].map(({ key, value }) =>
        value === undefined ? { kind: 'delete', key } : { kind: 'put', key, value },
      ),
    );
    return true;
  }
}

function dueReference(due: Due): Key {
  if (due.kind !== 'lease') return [due.kind, ...due.key];
  const { group, topic, queueId } = due.queue;
  return ['lease', group, topic, queueId, due.offset];
}

/** Numbers and strings must not meet, and no part may run into the next. */
function nameOf(key: Key): string {
  let name = '';
  for (const part of key) name += typeof part === 'number' ? `#${part}|` : `${part.length}:${part}|`;
  return name;
}
