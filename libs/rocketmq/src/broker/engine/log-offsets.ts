// The offsets of messages in a commit log, by which clients of the remoting protocol name a stored message. This broker has a log for each
// queue, so such an offset is put together from the number of the topic, the queue, and the offset there.

import { keys, type TopicPosition } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { Changes } from './changes.js';

/** A number in JavaScript is exact up to 53 bits: 13 for the topic, 10 for the queue, 30 for the offset. */
const OFFSETS = 2 ** 30;
const QUEUES = 2 ** 10;
const TOPICS = 2 ** 13;
/** The number of a half message in its topic takes the place of queue and offset. */
const NUMBERS = OFFSETS * QUEUES;

/** What has no log offset: a message of a lite topic, one behind a billion others, one of the topics after the first 8191. */
const NO_LOG_OFFSET = 0;

/** Converts positions to log offsets and back. */
export class LogOffsets {
  private readonly numbers = new Map<string, number>();

  constructor(
    private readonly store: Store,
    private readonly run: <T>(command: (changes: Changes) => T) => T,
  ) {}

  /** @returns 0 for a position that has none */
  of({ topic, queueId, offset }: TopicPosition): number {
    if (queueId >= QUEUES || offset >= OFFSETS) return NO_LOG_OFFSET;
    return this.numberOf(topic) * NUMBERS + queueId * OFFSETS + offset;
  }

  /** @returns undefined for an offset that no message has had */
  at(logOffset: number): TopicPosition | undefined {
    const topic = this.topicAt(logOffset);
    const rest = logOffset % NUMBERS;
    return topic === undefined ? undefined : { topic, queueId: Math.floor(rest / OFFSETS), offset: rest % OFFSETS };
  }

  /** @param number what distinguishes the half message from others of its topic */
  ofHalf(topic: string, number: number): number {
    return this.numberOf(topic) * NUMBERS + (number % NUMBERS);
  }

  /** The reverse of {@link ofHalf}. */
  halfAt(logOffset: number): { readonly topic: string; readonly number: number } | undefined {
    const topic = this.topicAt(logOffset);
    return topic === undefined ? undefined : { topic, number: logOffset % NUMBERS };
  }

  private topicAt(logOffset: number): string | undefined {
    const number = Math.floor(logOffset / NUMBERS);
    return this.store.get(keys.numberedTopic(number)) as string | undefined;
  }

  /** It is stored, because clients keep log offsets over a restart of the broker. */
  private numberOf(topic: string): number {
    const known = this.numbers.get(topic) ?? (this.store.get(keys.topicNumber(topic)) as number | undefined);
    const number = known ?? this.run((changes) => this.number(changes, topic));
    this.numbers.set(topic, number);
    return number;
  }

  private number(changes: Changes, topic: string): number {
    const number = changes.scan(keys.numberedTopics).length + 1;
    if (number >= TOPICS) return NO_LOG_OFFSET;
    changes.put(keys.topicNumber(topic), number);
    changes.put(keys.numberedTopic(number), topic);
    return number;
  }
}
