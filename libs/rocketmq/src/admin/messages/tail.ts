// Follows a topic: the messages that are stored from now on, or from a time on. Nothing is consumed.

import { topicNameProblem } from '../../protocol/model/names.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { SystemClock, sleep } from '../../support/clock.js';
import { type CallOptions, type Deadline, realTimeIn } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import { anyFunction, assertCall, checkedElsewhere, type OwnChecks } from '../../support/options.js';
import { checkLimit, checkName, checkTime } from '../checks.js';
import { AskedBrokers, type BrokerFailure } from '../each-broker.js';
import { assertKnown, type OwnedQueue, queuesOf, unreadFailures } from '../topics/topic-offsets.js';
import type { StoredMessageView } from './message-view.js';
import { formatTail, parseTail } from './positions.js';
import { offsetAtTime } from './queue-reader.js';
import { type BrowseOptions, readQueue } from './topic-page.js';

/** `timeoutMs` limits each look at the brokers, not the whole iteration. */
export interface TailOptions extends CallOptions, Pick<BrowseOptions, 'filter'> {
  /** Begin with the messages that were stored at this time or later. Default: with those that are stored from now on. */
  readonly from?: Date;
  /** `next` of a batch: go on after it, without gaps and repetitions. Default: as `from` says. */
  readonly after?: string;
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
  readonly skipped: number;
  /** Where another iteration goes on after this batch, as its `after`. */
  readonly next: string;
  /** Brokers that do not answer at present; their messages come when they do. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

const LOOK_INTERVAL_MS = 1000;
const BATCH = 100;
const MAX_KEPT = 10_000;
/** How often in a row nobody may answer: about half a minute, more when they are silent. */
const MAX_FAILURES = 30;

const CHECKS: OwnChecks<TailOptions> = {
  filter: anyFunction,
  from: checkedElsewhere,
  after: checkedElsewhere,
  maxMessages: checkedElsewhere,
};

/** @throws UsageError */
export function checkTail(topic: string, options: TailOptions): void {
  assertCall(options, CHECKS);
  const { from, after, maxMessages } = options;
  checkName('topic', topic, topicNameProblem(topic));
  checkTime('from', from);
  if (after !== undefined) parseTail(after);
  if (maxMessages !== undefined) checkLimit(maxMessages, MAX_KEPT, 'maxMessages');
}

/** @param options checked */
export async function* tailMessages(
  cluster: ClusterAccess,
  topic: string,
  options: TailOptions,
): AsyncGenerator<TailedMessages, void, undefined> {
  const tail = new Tail(cluster, topic, options);
  const clock = new SystemClock();
  let away: string | undefined;
  let failed = 0;
  for (;;) {
    let hasMore = false;
    try {
      const look = await cluster.run(`follow topic ${topic}`, options, (deadline) => tail.look(deadline), CHECKS);
      options.signal?.throwIfAborted();
      failed = 0;
      hasMore = look.hasMore;
      const { messages, skipped, next, failures } = look;
      const nowAway = failures.map(({ name }) => name).join();
      // The first batch comes even if it is empty: what is stored afterwards will be in a later one.
      if (messages.length > 0 || skipped > 0 || nowAway !== away) yield { messages, skipped, next, failures };
      away = nowAway;
    } catch (error) {
      // Servers that restart come back.
      const mayComeBack = error instanceof TransportError && error.retryable && tail.hasLooked;
      failed++;
      if (!mayComeBack || failed >= MAX_FAILURES || options.signal?.aborted === true) throw error;
    }
    if (!hasMore) await sleep(clock, LOOK_INTERVAL_MS, options.signal);
  }
}

/** How far a queue was followed. */
interface Followed {
  readonly broker: string;
  readonly queueId: number;
  /** The next message to read. */
  offset: number;
  /** When the last message before it was stored. */
  lastMs: number;
}

class Tail {
  private readonly followed = new Map<string, Followed>();
  /** Brokers whose queues have all been placed: what appears on them later is new. */
  private readonly known = new Set<string>();
  /** Where queues begin of brokers that did not answer the first look, also that of an iteration before this one. */
  private readonly fromMs: number;
  hasLooked = false;

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly topic: string,
    private readonly options: TailOptions,
  ) {
    const before = options.after === undefined ? undefined : parseTail(options.after);
    this.fromMs = options.from?.getTime() ?? before?.fromMs ?? realTimeIn(0).getTime();
    for (const { broker, queueId, offset } of before?.positions ?? []) {
      this.followed.set(`${broker}/${queueId}`, { broker, queueId, offset, lastMs: 0 });
      this.known.add(broker);
    }
  }

  async look(deadline: Deadline): Promise<TailedMessages & { readonly hasMore: boolean }> {
    const topic = await queuesOf(this.cluster, this.topic, deadline);
    const { queues, unread, answered, failures } = topic;
    if (!this.hasLooked) assertKnown(this.topic, topic);
    this.forgetDeleted(queues, answered);
    const asked = new AskedBrokers(deadline, answered.length > 1);
    let skipped = 0;
    for (const queue of queues) skipped += (await asked.ask(queue.owner, (own) => this.place(queue, own))) ?? 0;
    for (const broker of answered) if (!asked.hasFailed(broker)) this.known.add(broker.name);
    this.hasLooked = true;
    const moved = queues.filter((queue) => this.waiting(queue) > 0);
    skipped += this.skip(moved);
    const messages: StoredMessageView[] = [];
    const reader = { cluster: this.cluster, topic: this.topic, asked };
    let hasMore = false;
    for (const queue of this.fewestFirst(moved)) {
      const limit = (this.options.maxMessages ?? BATCH) - messages.length;
      if (limit <= 0) {
        hasMore = true;
        break;
      }
      const own = this.of(queue);
      const at = { offset: own.offset, limit, filter: (one: StoredMessageView) => this.isWanted(one, own) };
      const { found, nextOffset, deleted } = await readQueue(reader, queue, at, deadline);
      // A queue that returns nothing is asked again by the next look, not at once.
      hasMore ||= nextOffset > own.offset && nextOffset < queue.offsets.maxOffset;
      own.offset = nextOffset;
      skipped += deleted;
      messages.push(...found.map(({ view }) => view));
    }
    messages.sort((left, right) => left.storeTimestampMs - right.storeTimestampMs);
    // A queue that is placed on a broker with others that are not was not read yet: it can begin at the time, as they do.
    const positions = [...this.followed.values()].filter(({ broker }) => this.known.has(broker));
    const next = formatTail({ fromMs: this.fromMs, positions });
    const away = [...failures, ...asked.failures, ...unreadFailures(this.topic, unread)];
    return { messages, skipped, next, failures: away, hasMore };
  }

  private isWanted(message: StoredMessageView, own: Followed): boolean {
    own.lastMs = Math.max(own.lastMs, message.storeTimestampMs);
    const { filter, from } = this.options;
    if (from !== undefined && message.storeTimestampMs < from.getTime()) return false;
    return filter === undefined || filter(message);
  }

  /** Queues that a broker does not have any more: if they come back, they are new. */
  private forgetDeleted(queues: readonly OwnedQueue[], answered: readonly MasterBroker[]): void {
    const present = new Set(queues.map(nameOf));
    for (const [name, { broker }] of this.followed)
      if (answered.some((one) => one.name === broker) && !present.has(name)) this.followed.delete(name);
  }

  /** Sets where a new queue begins, and moves on a queue whose first messages were deleted. @returns how many those were */
  private async place(queue: OwnedQueue, deadline: Deadline): Promise<number> {
    const { broker, queueId, minOffset, maxOffset, lastTimestampMs = 0 } = queue.offsets;
    const at = (timestampMs: number): Promise<number> =>
      offsetAtTime(this.cluster, this.topic, queue, timestampMs, deadline);
    const own = this.followed.get(nameOf(queue));
    if (own === undefined) {
      const { from, after } = this.options;
      const isNow = !this.hasLooked && from === undefined && after === undefined;
      const otherwise = this.known.has(broker) ? minOffset : undefined;
      const offset = isNow ? maxOffset : (otherwise ?? (await at(this.fromMs)));
      this.followed.set(nameOf(queue), { broker, queueId, offset, lastMs: isNow ? lastTimestampMs : 0 });
      return 0;
    }
    // The topic was created again, or the broker has come back without its last messages: what is newer than the last one seen is new.
    if (own.offset > maxOffset) own.offset = await at(own.lastMs + 1);
    if (own.offset >= minOffset) return 0;
    const deleted = minOffset - own.offset;
    own.offset = minOffset;
    return deleted;
  }

  private of(queue: OwnedQueue): Followed {
    const { broker, queueId, maxOffset } = queue.offsets;
    return this.followed.get(nameOf(queue)) ?? { broker, queueId, offset: maxOffset, lastMs: 0 };
  }

  private waiting(queue: OwnedQueue): number {
    return queue.offsets.maxOffset - this.of(queue).offset;
  }

  /** Where more wait than are wanted, leaves the newest of each queue. @returns how many were left out */
  private skip(moved: readonly OwnedQueue[]): number {
    const { maxMessages } = this.options;
    const waiting = moved.reduce((sum, queue) => sum + this.waiting(queue), 0);
    if (maxMessages === undefined || waiting <= maxMessages) return 0;
    let skipped = 0;
    const share = Math.max(1, Math.floor(maxMessages / moved.length));
    for (const queue of moved) {
      const excess = this.waiting(queue) - share;
      if (excess <= 0) continue;
      this.of(queue).offset = queue.offsets.maxOffset - share;
      skipped += excess;
    }
    return skipped;
  }

  /** So that a queue with many messages does not hold up the others. */
  private fewestFirst(moved: readonly OwnedQueue[]): readonly OwnedQueue[] {
    return [...moved].sort((left, right) => this.waiting(left) - this.waiting(right));
  }
}

function nameOf({ offsets: { broker, queueId } }: OwnedQueue): string {
  return `${broker}/${queueId}`;
}
