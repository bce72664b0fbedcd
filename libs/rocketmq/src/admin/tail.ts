// Follows a topic: the messages that are stored from now on, or from a time on. Nothing is consumed.

import { topicNameProblem } from '../protocol/model/names.js';
import type { ClusterAccess } from '../remoting/cluster-access.js';
import { SystemClock, sleep } from '../support/clock.js';
import { type CallOptions, type Deadline, realTimeIn } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { checkLimit, checkName, checkTime } from './checks.js';
import type { BrokerFailure } from './each-broker.js';
import type { StoredMessageView } from './message-view.js';
import { offsetAtTime } from './queue-reader.js';
import { type OwnedQueue, queuesOf } from './topic-offsets.js';
import { type BrowseOptions, readQueue } from './topic-page.js';

/** `timeoutMs` limits each look at the brokers, not the whole iteration. */
export interface TailOptions extends CallOptions, Pick<BrowseOptions, 'filter'> {
  /** Begin with the messages that were stored at this time or later. Default: with those that are stored from now on. */
  readonly from?: Date;
  /**
   * The number of messages, 1 to 10,000, beyond which those of a second are not all read: only the newest of each queue are, and the
   * others are counted in `skipped`. Default: every message is read, as fast as the caller takes them.
   */
  readonly maxMessages?: number;
}

/** What has arrived since the batch before. */
export interface TailedMessages {
  /** In the order in which they were stored; at most 100 unless `maxMessages` is set. */
  readonly messages: readonly StoredMessageView[];
  /** Messages that were not read, because there were more than `maxMessages` or the server has deleted them meanwhile. */
  readonly skipped: bigint;
  /** Brokers that do not answer at present; their messages come when they do. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

const LOOK_INTERVAL_MS = 1000;
const BATCH = 100;
const MOST = 10_000;

/** @throws UsageError */
export function checkTail(topic: string, { from, maxMessages }: TailOptions): void {
  checkName('topic', topic, topicNameProblem(topic));
  checkTime('from', from);
  if (maxMessages !== undefined) checkLimit(maxMessages, MOST, 'maxMessages');
}

/** @param options checked */
export async function* tailMessages(
  cluster: ClusterAccess,
  topic: string,
  options: TailOptions,
): AsyncGenerator<TailedMessages, void, undefined> {
  const tail = new Tail(cluster, topic, options);
  const clock = new SystemClock();
  for (let away: string | undefined; ; ) {
    const { hasMore, ...batch } = await cluster.run(`follow topic ${topic}`, options, (deadline) =>
      tail.look(deadline),
    );
    const nowAway = batch.failures.map(({ name }) => name).join();
    // The first batch comes even if it is empty: what is stored afterwards will be in a later one.
    if (batch.messages.length > 0 || batch.skipped > 0n || nowAway !== away) yield batch;
    away = nowAway;
    if (!hasMore) await sleep(clock, LOOK_INTERVAL_MS, options.signal);
  }
}

/** How far each queue was followed. */
class Tail {
  private readonly offsets = new Map<string, bigint>();
  private hasLooked = false;
  /** Where a queue begins that was not there, or not answered for, at the first look. */
  private readonly fromMs: number;

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly topic: string,
    private readonly options: TailOptions,
  ) {
    this.fromMs = (options.from ?? realTimeIn(0)).getTime();
  }

  async look(deadline: Deadline): Promise<TailedMessages & { readonly hasMore: boolean }> {
    const { queues, failures } = await queuesOf(this.cluster, this.topic, deadline);
    if (!this.hasLooked && queues.length === 0 && failures.length === 0) {
      throw new UsageError('UNKNOWN_TOPIC', `topic "${this.topic}" does not exist on this cluster`, 'topic');
    }
    let skipped = 0n;
    for (const queue of queues) skipped += await this.place(queue, deadline);
    this.hasLooked = true;
    const moved = queues.filter((queue) => this.waiting(queue) > 0n);
    skipped += this.skip(moved);
    const messages: StoredMessageView[] = [];
    for (const queue of this.leastFirst(moved)) {
      const limit = (this.options.maxMessages ?? BATCH) - messages.length;
      if (limit <= 0) break;
      const at = { offset: this.offsets.get(nameOf(queue)) ?? 0n, limit, filter: this.options.filter };
      const { found, nextOffset } = await readQueue(this.cluster, this.topic, queue, at, deadline);
      this.offsets.set(nameOf(queue), nextOffset);
      messages.push(...found.map(({ view }) => view));
    }
    messages.sort((left, right) => left.storeTimestampMs - right.storeTimestampMs);
    return { messages, skipped, failures, hasMore: moved.some((queue) => this.waiting(queue) > 0n) };
  }

  /** Sets where a new queue begins, and moves on a queue whose first messages were deleted. @returns how many those were */
  private async place(queue: OwnedQueue, deadline: Deadline): Promise<bigint> {
    const { minOffset, maxOffset } = queue.offsets;
    const offset = this.offsets.get(nameOf(queue));
    if (offset === undefined) {
      const isNow = !this.hasLooked && this.options.from === undefined;
      const start = isNow ? maxOffset : await offsetAtTime(this.cluster, this.topic, queue, this.fromMs, deadline);
      this.offsets.set(nameOf(queue), start);
      return 0n;
    }
    // A topic that was deleted and created again starts at 0.
    if (offset >= minOffset && offset <= maxOffset) return 0n;
    this.offsets.set(nameOf(queue), minOffset);
    return offset < minOffset ? minOffset - offset : 0n;
  }

  private waiting(queue: OwnedQueue): bigint {
    return queue.offsets.maxOffset - (this.offsets.get(nameOf(queue)) ?? 0n);
  }

  /** Where more wait than are wanted, leaves the newest of each queue. @returns how many were left out */
  private skip(moved: readonly OwnedQueue[]): bigint {
    const { maxMessages } = this.options;
    const waiting = moved.reduce((sum, queue) => sum + this.waiting(queue), 0n);
    if (maxMessages === undefined || waiting <= BigInt(maxMessages)) return 0n;
    let skipped = 0n;
    const share = BigInt(Math.max(1, Math.floor(maxMessages / moved.length)));
    for (const queue of moved) {
      const excess = this.waiting(queue) - share;
      if (excess <= 0n) continue;
      this.offsets.set(nameOf(queue), queue.offsets.maxOffset - share);
      skipped += excess;
    }
    return skipped;
  }

  /** So that a queue with many messages does not hold up the others. */
  private leastFirst(moved: readonly OwnedQueue[]): readonly OwnedQueue[] {
    return [...moved].sort((left, right) => Number(this.waiting(left) - this.waiting(right)));
  }
}

function nameOf({ offsets: { broker, queueId } }: OwnedQueue): string {
  return `${broker}/${queueId}`;
}
