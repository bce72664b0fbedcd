// How large the store may become: `maxStoreBytes` of the engine.

import { weightOf } from '../store/pair-weight.js';
import type { StoredMessage } from '../store/records.js';
import type { Store } from '../store/store.js';
import { Rejection } from './rejection.js';

/** Sends stop at the limit. What is stored can then still be received, for which leases and offsets may take a quarter more. */
const CROWDED = 1.25;

/** The room that is left in a store. */
export class StoreRoom {
  /** @param maxBytes may be infinite */
  constructor(
    private readonly store: Store,
    private readonly maxBytes: number,
  ) {}

  /** @param messages what would be stored @throws Rejection `store-full` */
  assert(messages: readonly StoredMessage[] = []): void {
    if (this.maxBytes === Number.POSITIVE_INFINITY) return;
    let bytes = this.store.usedBytes();
    for (const message of messages) bytes += weightOf([], message);
    if (bytes >= this.maxBytes) throw this.full('nothing was stored');
  }

  /** Whether the state of groups has used up what it may take beyond the limit, too. */
  get isCrowded(): boolean {
    return this.maxBytes < Number.POSITIVE_INFINITY && this.store.usedBytes() >= CROWDED * this.maxBytes;
  }

  full(outcome: string): Rejection {
    const what = `${outcome}: the memory limit of ${this.maxBytes} bytes is reached (maxMemoryBytes)`;
    return new Rejection('store-full', `${what}; store messages on disk (data), or delete old ones (retentionMs)`);
  }
}
