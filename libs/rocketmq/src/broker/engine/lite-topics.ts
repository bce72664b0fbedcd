// Lite topics: each has a queue of its own in its topic, which its first message creates.

import { keys } from '../store/records.js';
import type { Changes } from './changes.js';
import { Rejection } from './rejection.js';

/** The ids of these queues begin here, above those of ordinary queues. */
const FIRST_QUEUE = 1_000_000;

/** Finds and creates the queues of lite topics. */
export class LiteTopics {
  /** @param most the number of lite topics of all topics together */
  constructor(private readonly most: number) {}

  /** The queue of a lite topic, created if it does not exist. @throws Rejection `too-many-lite-topics` */
  queueFor(changes: Changes, topic: string, liteTopic: string): number {
    const existing = this.find(changes, topic, liteTopic);
    if (existing !== undefined) return existing;
    const count = changes.get<number>(keys.liteCount) ?? 0;
    if (count >= this.most) {
      const why = `there are ${count} lite topics, the most that this broker stores`;
      throw new Rejection(
        'too-many-lite-topics',
        `[LMQ_CONSUME_QUEUE_NUM_EXCEEDED]lmq consume queue num exceeded. ${why}`,
      );
    }
    const queueId = changes.get<number>(keys.liteNext(topic)) ?? FIRST_QUEUE;
    changes.put(keys.lite(topic, liteTopic), queueId);
    changes.put(keys.liteNext(topic), queueId + 1);
    changes.put(keys.liteCount, count + 1);
    return queueId;
  }

  /** Undefined for a lite topic without messages. */
  find(changes: Changes, topic: string, liteTopic: string): number | undefined {
    return changes.get<number>(keys.lite(topic, liteTopic));
  }

  /** The queues of all lite topics of a topic. */
  queuesOf(changes: Changes, topic: string): number[] {
    return changes.scan<number>(keys.lites(topic)).map(([, queueId]) => queueId);
  }

  /** Forgets the lite topics of a topic. The caller deletes their messages. */
  deleteAll(changes: Changes, topic: string): void {
    const found = changes.scan(keys.lites(topic));
    if (found.length === 0) return;
    for (const [key] of found) changes.delete(key);
    changes.delete(keys.liteNext(topic));
    changes.put(keys.liteCount, Math.max(0, (changes.get<number>(keys.liteCount) ?? 0) - found.length));
  }
}

/** Whether a queue is that of a lite topic. */
export function isLiteQueue(queueId: number): boolean {
  return queueId >= FIRST_QUEUE;
}
