// A pulled queue as operators see it.

import type { HeldUpQueue } from '../../protocol/grpc/session-message.js';
import { messageIdOf } from '../../protocol/remoting/stored-message.js';
import type { PulledQueue } from './allocation.js';
import type { OwnedQueue, QueueLimits } from './owned-queue.js';

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

export const HELD_UP =
  'a message that is not settled holds up its queue: what follows has been handled, but would be repeated by another consumer, so no more is received from this queue until it is settled';
export const HELD_UP_BROADCAST =
  'as many messages of a queue as may be in hand wait to be settled, most of them for a retry, so no more is received from this queue until some are settled';

/** The message that keeps a queue from being pulled, and what is behind it; undefined while it is pulled. */
export function heldUpIn(name: PulledQueue, queue: OwnedQueue, limits: QueueLimits): HeldUpQueue | undefined {
  if (!queue.isHeldUp(limits)) return undefined;
  const lowest = queue.storedAt(queue.commitOffset);
  return { ...name, messageId: lowest && messageIdOf(lowest), behind: queue.span };
}
