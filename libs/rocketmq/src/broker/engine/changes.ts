// The changes of one command. The command's own reads see them; the store applies them as one batch.

import { type Due, dueReference, keys, type TopicPosition } from '../store/records.js';
import type { Change, Key, KeyPart, ScanOptions, Store } from '../store/store.js';
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
  private readonly kinds = new Map<KeyPart | undefined, ChangesOfKind>();
  private lastSerial: number | undefined;
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
    const own = this.kinds.get(key[0])?.of(key);
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
    this.add({ kind: 'put', key, value });
  }

  delete(key: Key): void {
    this.add({ kind: 'delete', key });
  }

  private add(change: Change): void {
    const kind = change.key[0];
    const known = this.kinds.get(kind);
    if (known === undefined) this.kinds.set(kind, new ChangesOfKind(change));
    else known.add(change);
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
    return this.takeSerials(1);
  }

  /** @returns the last of so many numbers, of which no earlier call has returned any */
  takeSerials(count: number): number {
    this.lastSerial = (this.lastSerial ?? (this.store.get(keys.serial) as number | undefined) ?? 0) + count;
    return this.lastSerial;
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
    if (this.lastSerial !== undefined) this.put(keys.serial, this.lastSerial);
    if (this.kinds.size === 0) return false;
    const all: Change[] = [];
    for (const changes of this.kinds.values()) for (const change of changes.all()) all.push(change);
    this.store.write(all);
    return true;
  }
}

/** The changes of one kind of key. They are found by key only after the first search: most commands write kinds that they do not read again. */
class ChangesOfKind {
  private readonly unnamed: Change[];
  private named: Map<string, Change> | undefined;

  constructor(first: Change) {
    this.unnamed = [first];
  }

  add(change: Change): void {
    if (this.named === undefined) this.unnamed.push(change);
    else this.named.set(nameOf(change.key), change);
  }

  /** The newest change of a key. */
  of(key: Key): Change | undefined {
    this.named ??= new Map(this.unnamed.map((change) => [nameOf(change.key), change]));
    return this.named.get(nameOf(key));
  }

  /** At least the newest change of each key, older ones before it. */
  all(): Iterable<Change> {
    return this.named?.values() ?? this.unnamed;
  }
}

/** A number and a string must not have equal names, and the parts must stay distinct. */
function nameOf(key: Key): string {
  let name = '';
  for (const part of key) name += typeof part === 'number' ? `#${part}|` : `${part.length}:${part}|`;
  return name;
}
