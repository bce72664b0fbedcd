// A pulled queue as operators see it.

import type { HeldUpQueue } from '../../protocol/grpc/session-message.js';
import { messageIdOf } from '../../protocol/remoting/stored-message.js';
import type { PulledQueue } from './allocation.js';
import type { OwnedQueue } from './owned-queue.js';

export interface PulledQueueReport {
  readonly name: PulledQueue;
  /** @see ProcessQueueInfo of the server */
  readonly info: Readonly<Record<string, number | boolean>>;
}

/** @param pulledAtMs wall-clock time */
export function reportOf(
  name: PulledQueue,
  queue: OwnedQueue,
  isLocked: boolean,
  pulledAtMs: number,
): PulledQueueReport {
  const { commitOffset, pullOffset, unsettled } = queue;
  const info = {
    commitOffset,
    cachedMsgMinOffset: commitOffset,
    cachedMsgMaxOffset: Math.max(commitOffset, pullOffset - 1),
    cachedMsgCount: unsettled.messages,
    cachedMsgSizeInMiB: Math.floor(unsettled.bytes / 1024 ** 2),
    locked: isLocked,
    // As the server spells it.
    droped: false,
    lastPullTimestamp: pulledAtMs,
  };
  return { name, info };
}

/** The message that keeps a queue from being pulled, and what is behind it; undefined while it is pulled. @param maxSpan how much may be behind */
export function heldUpIn(name: PulledQueue, queue: OwnedQueue, maxSpan: number): HeldUpQueue | undefined {
  if (queue.span < maxSpan) return undefined;
  const lowest = queue.storedAt(queue.commitOffset);
  return { ...name, messageId: lowest && messageIdOf(lowest), behind: queue.span };
}
