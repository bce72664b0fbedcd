// Recall handles that tools derive from a list of delayed messages.

import { formatRecallHandle, parseRecallHandle } from '../engine/recall-handle.js';
import { keys } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { ClientTime } from './client-time.js';

/**
 * The handle that this broker issued for a message. Tools derive handles from the due times that they read, which are those of the
 * clients; the broker's own handles have the due time on its clock.
 * @returns a handle of no waiting message as it is
 */
export function storedHandleOf(store: Store, clientTime: ClientTime, recallHandle: string): string {
  const { topic, dueAtMs, messageId } = namedIn(recallHandle) ?? { topic: '', dueAtMs: 0, messageId: '' };
  const waits = (atMs: number): boolean => {
    for (const _ of store.scan(keys.delayedAt(topic, messageId, atMs), { tolerant: true })) return true;
    return false;
  };
  const derivedMs = clientTime.toBroker(dueAtMs);
  const isDerived = derivedMs !== dueAtMs && !waits(dueAtMs) && waits(derivedMs);
  return isDerived ? formatRecallHandle(topic, derivedMs, messageId) : recallHandle;
}

/** Undefined for a handle that this broker did not issue, which the engine rejects. */
function namedIn(recallHandle: string): ReturnType<typeof parseRecallHandle> | undefined {
  try {
    return parseRecallHandle(recallHandle);
  } catch {
    return undefined;
  }
}
