// The delayed messages that wait, in the order in which they arrived, for tools. The store has them by topic and by time.

import { dueOf, keys } from '../store/records.js';
import type { Key, Store } from '../store/store.js';

/** Read from the store when it is first needed, and then kept up to date: there may be very many. */
export class DelayedOrder {
  private known: Key[] | undefined;

  constructor(private readonly store: Store) {}

  /** Their keys. */
  get all(): readonly Key[] {
    this.known ??= this.read();
    return this.known;
  }

  /** The index of the first message that did not arrive before this one. */
  indexOf(key: Key): number {
    const { all } = this;
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (serialOf(all[middle]) < serialOf(key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  arrived(key: Key): void {
    this.known?.push(key);
  }

  left(key: Key): void {
    if (this.known === undefined) return;
    const index = this.indexOf(key);
    if (serialOf(this.known[index]) === serialOf(key)) this.known.splice(index, 1);
  }

  deletedTopic(topic: string): void {
    this.known = this.known?.filter((key) => key[1] !== topic);
  }

  /** From the index by due time, because it contains no bodies. */
  private read(): Key[] {
    const found: Key[] = [];
    for (const [key] of this.store.scan(keys.dues, { tolerant: true })) {
      const due = dueOf(key);
      if (due.kind === 'delayed') found.push(due.key);
    }
    return found.sort((left, right) => serialOf(left) - serialOf(right));
  }
}

/** The last part of the key of a delayed message. */
function serialOf(key: Key | undefined): number {
  return Number(key?.at(-1));
}
