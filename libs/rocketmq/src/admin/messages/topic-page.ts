// Pages of the stored messages of a topic, from its beginning or from its end. Nothing is consumed.

import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import { anyFunction, anyObject, checkedElsewhere, type OwnChecks } from '../../support/options.js';
import { checkLimit, checkTime } from '../checks.js';
import { AskedBrokers, type BrokerFailure } from '../each-broker.js';
import { compareQueues } from '../sort-order.js';
import { type OwnedQueue, queuesOf, type TopicQueues, totalOf, unreadFailures } from '../topics/topic-offsets.js';
import type { StoredMessageView } from './message-view.js';
import { NewestFirst } from './newest-first.js';
import { type FoundMessage, Page, type TopicReader } from './page.js';
import { formatPosition, type Position, parsePositions, positionError } from './positions.js';
import { notReturned, offsetAtTime, readFrom } from './queue-reader.js';

export interface MessagePageOptions extends CallOptions {
  /** Maximum messages per page, 1 to 100. Default: 32. A page is shorter when its messages are large, or when brokers are so slow that its time would end. */
  readonly limit?: number;
  /** `next` of the previous page. Default: the first page. `ILLEGAL_POSITION` where the topic has no such queue, or the queue ends before. */
  readonly after?: string;
}

/** Which messages of a topic to read, and in which order. The same for every page: only `after` differs. */
export interface BrowseOptions extends MessagePageOptions {
  /**
   * `oldest-first` reads one queue after the other, each from its first message; what arrives meanwhile is on the last pages. `newest-first`
   * reads all queues by the time at which their messages were stored; what arrives after the first page is on none. Default: `oldest-first`.
   */
  readonly order?: 'oldest-first' | 'newest-first';
  /** Stored at this time or later. Default: any time. */
  readonly from?: Date;
  /** Stored at this time or earlier. Default: any time. */
  readonly to?: Date;
  /** Only this queue of this broker. Default: all queues. */
  readonly queue?: { readonly broker: string; readonly queueId: number };
  /**
   * Which of these messages to return. It is called once for each message that is read. A page reads at most 2,000 of them, so it may be
   * short, or empty, and `next` still set. Default: all.
   */
  readonly filter?: (message: StoredMessageView) => boolean;
}

/** Those of a position are checked by {@link checkPageOptions}. */
export const PAGE_CHECKS: OwnChecks<MessagePageOptions> = { limit: checkedElsewhere, after: checkedElsewhere };

export const BROWSE_CHECKS: OwnChecks<BrowseOptions> = {
  ...PAGE_CHECKS,
  order: checkedElsewhere,
  from: checkedElsewhere,
  to: checkedElsewhere,
  queue: anyObject,
  filter: anyFunction,
};

/** A page of a topic. */
interface TopicPage {
  /** In the order that was asked for. */
  readonly found: readonly FoundMessage[];
  /** The position of the next page; undefined at the end. */
  readonly next: string | undefined;
  /** The number of stored messages in these queues and times, whatever the filter. */
  readonly total: number;
  readonly failures: readonly BrokerFailure[];
}

const DEFAULT_PAGE = 32;
const MAX_PAGE_SIZE = 100;
/** How many queues an error names. */
const MAX_NAMED = 8;
/** @throws UsageError */
export function checkPageOptions(options: BrowseOptions): void {
  checkLimit(options.limit ?? DEFAULT_PAGE, MAX_PAGE_SIZE);
  const { order = 'oldest-first', from, to } = options;
  if (order !== 'oldest-first' && order !== 'newest-first') {
    throw new UsageError('ILLEGAL_ORDER', `order is "${order}"; it must be oldest-first or newest-first`, 'order');
  }
  checkTime('from', from);
  checkTime('to', to);
  if (options.after !== undefined) parsePositions(options.after, order);
}

/** @param options checked @throws as {@link assertStart} */
export async function readTopicPage(
  cluster: ClusterAccess,
  topic: string,
  options: BrowseOptions,
  deadline: Deadline,
): Promise<TopicPage> {
  const known = await queuesOf(cluster, topic, deadline);
  assertStart(topic, known, options);
  return readPageOf(cluster, topic, known, options, deadline);
}

/**
 * A page that begins in a queue that does not exist, or behind its end, would pass over messages and look like the end. One by time, from the
 * end, begins where each of its queues is.
 * @param options checked
 * @param start of `after`, if it is not a position of a page
 * @throws UsageError `ILLEGAL_POSITION`; not for a queue of a broker that does not answer
 */
export function assertStart(
  topic: string,
  { queues, unread, failures }: TopicQueues,
  { after, order }: Pick<BrowseOptions, 'after' | 'order'>,
  start?: Position,
): void {
  if (after === undefined || order === 'newest-first') return;
  const at = start ?? parsePositions(after, 'oldest-first')[0];
  if (at === undefined || failures.some(({ name }) => name === at.broker)) return;
  const known = [...queues, ...unread].map(({ offsets }) => offsets);
  const queue = known.find((one) => compareQueues(one, at) === 0);
  const names = known.slice(0, MAX_NAMED).map(({ broker, queueId }) => `${broker}/${queueId}`);
  const rest = known.length > MAX_NAMED ? ` and ${known.length - MAX_NAMED} more` : '';
  const there = names.length === 0 ? 'it has none on any broker' : `it has ${names.join(', ')}${rest}`;
  if (queue === undefined)
    throw positionError(
      after,
      `, but topic "${topic}" has no queue ${at.queueId} on a broker "${at.broker}"; ${there}`,
    );
  if (at.offset > queue.maxOffset)
    throw positionError(after, `, but this queue of topic "${topic}" ends at ${queue.maxOffset}`);
}

/** The same, when the queues of the topic are known. @param options checked; `tags` leaves out other messages where they are stored */
export async function readPageOf(
  cluster: ClusterAccess,
  topic: string,
  { queues: all, unread, answered, failures: away }: TopicQueues,
  { tags, ...options }: BrowseOptions & { readonly tags?: string },
  deadline: Deadline,
): Promise<TopicPage> {
  const asked = new AskedBrokers(deadline, answered.length > 1);
  const reader: TopicReader = { cluster, topic, asked, tags };
  const queues = await chosen(reader, all, unread, options);
  const page = new Page(options.limit ?? DEFAULT_PAGE, options.filter, deadline);
  const { after, order = 'oldest-first' } = options;
  const start = after === undefined ? undefined : parsePositions(after, order);
  const next =
    order === 'newest-first'
      ? await new NewestFirst(reader, away).read(queues, start, page)
      : await readOldestFirst(reader, queues, start?.[0], page);
  const [first] = asked.failures;
  if (first !== undefined && page.isUntouched && answered.every((broker) => asked.hasFailed(broker))) throw first.error;
  return {
    found: page.found,
    next,
    total: totalOf(queues),
    failures: [...away, ...asked.failures, ...unreadFailures(topic, unread)],
  };
}

/** The queues that the options choose, with the range of offsets that they choose. @throws UsageError `UNKNOWN_QUEUE`, `QUEUE_UNREADABLE` */
async function chosen(
  { cluster, topic, asked }: TopicReader,
  all: readonly OwnedQueue[],
  unread: readonly OwnedQueue[],
  { queue, from, to }: BrowseOptions,
): Promise<readonly OwnedQueue[]> {
  const isChosen = ({ offsets: { broker, queueId } }: OwnedQueue): boolean =>
    queue === undefined || (queue.broker === broker && queue.queueId === queueId);
  const queues = all.filter(isChosen);
  const [unreadable] = unreadFailures(topic, queue === undefined ? [] : unread.filter(isChosen));
  if (unreadable !== undefined) throw unreadable.error;
  if (queue !== undefined && queues.length === 0) {
    const message = `topic "${topic}" has no queue ${queue.queueId} on broker "${queue.broker}", or that broker does not answer`;
    throw new UsageError('UNKNOWN_QUEUE', message, 'queue');
  }
  if (from === undefined && to === undefined) return queues;
  const ranges = await Promise.all(
    queues.map(({ owner, offsets }) =>
      asked.ask(owner, async (deadline): Promise<OwnedQueue> => {
        const at = (time: number): Promise<number> => offsetAtTime(cluster, topic, { owner, offsets }, time, deadline);
        const minOffset = from === undefined ? offsets.minOffset : await at(from.getTime());
        const end = to === undefined ? offsets.maxOffset : await at(to.getTime() + 1);
        const isEmpty = end < minOffset;
        return { owner, offsets: { ...offsets, minOffset, maxOffset: isEmpty ? minOffset : end } };
      }),
    ),
  );
  return ranges.filter((range) => range !== undefined && !asked.hasFailed(range.owner)) as OwnedQueue[];
}

/** Some messages of a queue from an offset on, the offset at which to continue, and how many between were deleted. */
export async function readQueue(
  reader: TopicReader,
  queue: OwnedQueue,
  { offset, limit, filter }: Pick<BrowseOptions, 'filter'> & { readonly offset: number; readonly limit: number },
  deadline: Deadline,
): Promise<{ readonly found: readonly FoundMessage[]; readonly nextOffset: number; readonly deleted: number }> {
  const page = new Page(limit, filter, deadline);
  const { offset: nextOffset, deleted } = await readOn(reader, queue, { ...queue.offsets, offset }, page);
  return { found: page.found, nextOffset, deleted };
}

/** @returns the position of the next page; undefined at the end */
async function readOldestFirst(
  reader: TopicReader,
  queues: readonly OwnedQueue[],
  start: Position | undefined,
  page: Page,
): Promise<string | undefined> {
  for (const queue of queues) {
    if (start !== undefined && isBefore(queue, start)) continue;
    const { kind, offset } = await readOn(reader, queue, start, page);
    if (kind === 'full') return formatPosition({ ...queue.offsets, offset });
    if (kind === 'stuck') reader.asked.add(notReturned(queue, offset));
  }
  return undefined;
}

/**
 * Reads the rest of a queue.
 * @returns the offset at which to continue, and why there: `stuck` when the broker returns nothing more though the queue has not ended, or
 *   fails
 */
async function readOn(
  { cluster, topic, asked, tags }: TopicReader,
  queue: OwnedQueue,
  start: Position | undefined,
  page: Page,
): Promise<{ readonly kind: 'full' | 'end' | 'stuck'; readonly offset: number; readonly deleted: number }> {
  let deleted = 0;
  const { broker, queueId, minOffset, maxOffset } = queue.offsets;
  const isHere = start?.broker === broker && start.queueId === queueId;
  for (let offset = isHere && start.offset > minOffset ? start.offset : minOffset; offset < maxOffset; ) {
    if (page.isFull) return { kind: 'full', offset, deleted };
    const at = { offset, count: page.room, tags };
    const read = await asked.ask(queue.owner, (deadline) => readFrom(cluster, topic, queue, at, deadline));
    if (read === undefined) return { kind: 'stuck', offset, deleted };
    for (const stored of read.messages) {
      if (stored.queueOffset >= maxOffset) return { kind: 'end', offset: maxOffset, deleted };
      if (page.isFull) return { kind: 'full', offset: stored.queueOffset, deleted };
      await page.add(stored, broker);
    }
    if (read.nextOffset === offset) return { kind: 'stuck', offset, deleted };
    const next = Math.min(maxOffset, read.nextOffset);
    if (read.isMoved) deleted += next - offset;
    offset = next;
  }
  return { kind: 'end', offset: maxOffset, deleted };
}

function isBefore({ offsets }: OwnedQueue, start: Position): boolean {
  return compareQueues(offsets, start) < 0;
}
