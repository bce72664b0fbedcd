// Pages of the stored messages of a topic, from its beginning or from its end. Nothing is consumed.

import type { StoredMessageFields } from '../protocol/remoting/stored-message.js';
import type { ClusterAccess } from '../remoting/cluster-access.js';
import type { CallOptions, Deadline } from '../support/deadline.js';
import { TransportError, UsageError } from '../support/errors.js';
import { checkLimit, checkTime } from './checks.js';
import type { BrokerFailure } from './each-broker.js';
import { messageView, type StoredMessageView } from './message-view.js';
import { NewestFirst } from './newest-first.js';
import { compareText } from './order.js';
import { formatPosition, type Position, parsePositions } from './positions.js';
import { offsetAtTime, readFrom } from './queue-reader.js';
import { type OwnedQueue, queuesOf, type TopicQueues, totalOf } from './topic-offsets.js';

export interface MessagePageOptions extends CallOptions {
  /** Maximum messages per page, 1 to 100. Default: 32. Large messages shorten a page. */
  readonly limit?: number;
  /** `next` of the previous page. Default: the first page. */
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

/** A message as it is stored, and its view. */
export interface FoundMessage {
  readonly stored: StoredMessageFields;
  readonly view: StoredMessageView;
}

/** A page of a topic. */
interface TopicPage {
  /** In the order that was asked for. */
  readonly found: readonly FoundMessage[];
  /** The position of the next page; undefined at the end. */
  readonly next: string | undefined;
  /** The number of stored messages in these queues and times, whatever the filter. */
  readonly total: bigint;
  readonly failures: readonly BrokerFailure[];
}

const DEFAULT_PAGE = 32;
const LARGEST_PAGE = 100;
/** The most messages that a server returns at once. */
const MOST_AT_ONCE = 32;
/** A page ends after this many bytes, so that a hundred messages of 4 MiB are not returned at once. */
const MOST_PAGE_BYTES = 16 * 1024 * 1024;
const MOST_READ = 2_000;

/** @throws UsageError */
export function checkPageOptions(options: BrowseOptions): void {
  checkLimit(options.limit ?? DEFAULT_PAGE, LARGEST_PAGE);
  const { order = 'oldest-first', from, to } = options;
  if (order !== 'oldest-first' && order !== 'newest-first') {
    throw new UsageError('ILLEGAL_ORDER', `order is "${order}"; it must be oldest-first or newest-first`, 'order');
  }
  checkTime('from', from);
  checkTime('to', to);
  if (options.after !== undefined) parsePositions(options.after, order);
}

/** @param options checked */
export async function readTopicPage(
  cluster: ClusterAccess,
  topic: string,
  options: BrowseOptions,
  deadline: Deadline,
): Promise<TopicPage> {
  return readPageOf(cluster, topic, await queuesOf(cluster, topic, deadline), options, deadline);
}

/** The same, when the queues of the topic are known. @param options checked */
export async function readPageOf(
  cluster: ClusterAccess,
  topic: string,
  { queues: all, failures }: TopicQueues,
  options: BrowseOptions,
  deadline: Deadline,
): Promise<TopicPage> {
  const queues = await chosen(cluster, topic, all, options, deadline);
  const page = new Page(options.limit ?? DEFAULT_PAGE, options.filter);
  const { after, order = 'oldest-first' } = options;
  const start = after === undefined ? undefined : parsePositions(after, order);
  const next =
    order === 'newest-first'
      ? await new NewestFirst(cluster, topic, deadline).read({ queues, away: failures }, start, page)
      : await readOldestFirst({ cluster, topic, deadline }, queues, start?.[0], page);
  return { found: page.found, next, total: totalOf(queues), failures: [...failures, ...page.failures] };
}

/** The queues that the options choose, with the range of offsets that they choose. @throws UsageError `UNKNOWN_QUEUE` */
async function chosen(
  cluster: ClusterAccess,
  topic: string,
  all: readonly OwnedQueue[],
  { queue, from, to }: BrowseOptions,
  deadline: Deadline,
): Promise<readonly OwnedQueue[]> {
  const isChosen = ({ offsets: { broker, queueId } }: OwnedQueue): boolean =>
    queue === undefined || (queue.broker === broker && queue.queueId === queueId);
  const queues = all.filter(isChosen);
  if (queue !== undefined && queues.length === 0) {
    const message = `topic "${topic}" has no queue ${queue.queueId} on broker "${queue.broker}", or that broker does not answer`;
    throw new UsageError('UNKNOWN_QUEUE', message, 'queue');
  }
  if (from === undefined && to === undefined) return queues;
  return Promise.all(
    queues.map(async ({ owner, offsets }): Promise<OwnedQueue> => {
      const at = (time: number): Promise<bigint> => offsetAtTime(cluster, topic, { owner, offsets }, time, deadline);
      const minOffset = from === undefined ? offsets.minOffset : await at(from.getTime());
      const end = to === undefined ? offsets.maxOffset : await at(to.getTime() + 1);
      const isEmpty = end < minOffset;
      return { owner, offsets: { ...offsets, minOffset, maxOffset: isEmpty ? minOffset : end } };
    }),
  );
}

/** The messages of a page, and how many it may still read. */
export class Page {
  readonly found: FoundMessage[] = [];
  readonly failures: BrokerFailure[] = [];
  private read = 0;
  private bytes = 0;

  constructor(
    private readonly limit: number,
    private readonly filter: BrowseOptions['filter'],
  ) {}

  get isFull(): boolean {
    return this.found.length >= this.limit || this.bytes >= MOST_PAGE_BYTES || this.read >= MOST_READ;
  }

  /** How many messages to ask for at once: with a filter, more than fit may be needed. */
  get room(): number {
    return Math.min(MOST_AT_ONCE, this.filter === undefined ? this.limit - this.found.length : MOST_AT_ONCE);
  }

  /** Notes that a broker does not return messages that it has. */
  lacks({ owner, offsets: { queueId, maxOffset } }: OwnedQueue, offset: bigint): void {
    const text = `broker ${owner.name} returns nothing from offset ${offset} of queue ${queueId}, which ends at ${maxOffset}; try again`;
    this.failures.push({ ...owner, error: new TransportError('UNAVAILABLE', text, 'not-sent', true) });
  }

  /** @param broker the name of the broker that returned it */
  async add(stored: StoredMessageFields, broker: string): Promise<void> {
    this.read++;
    this.bytes += stored.body.length;
    const view = await messageView(stored, broker);
    if (this.filter === undefined || this.filter(view)) this.found.push({ stored, view });
  }
}

/** Some messages of a queue from an offset on, and the offset at which to continue. */
export async function readQueue(
  cluster: ClusterAccess,
  topic: string,
  queue: OwnedQueue,
  { offset, limit, filter }: Pick<BrowseOptions, 'filter'> & { readonly offset: bigint; readonly limit: number },
  deadline: Deadline,
): Promise<{ readonly found: readonly FoundMessage[]; readonly nextOffset: bigint }> {
  const page = new Page(limit, filter);
  const end = await readOn({ cluster, topic, deadline }, queue, { ...queue.offsets, offset }, page);
  return { found: page.found, nextOffset: end.offset };
}

interface TopicReader {
  readonly cluster: ClusterAccess;
  readonly topic: string;
  readonly deadline: Deadline;
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
    if (kind === 'stuck') page.lacks(queue, offset);
  }
  return undefined;
}

/**
 * Reads the rest of a queue.
 * @returns the offset at which to continue, and why there: `stuck` when the broker returns nothing more though the queue has not ended
 */
async function readOn(
  { cluster, topic, deadline }: TopicReader,
  queue: OwnedQueue,
  start: Position | undefined,
  page: Page,
): Promise<{ readonly kind: 'full' | 'end' | 'stuck'; readonly offset: bigint }> {
  const { broker, queueId, minOffset, maxOffset } = queue.offsets;
  const isHere = start?.broker === broker && start.queueId === queueId;
  for (let offset = isHere && start.offset > minOffset ? start.offset : minOffset; offset < maxOffset; ) {
    if (page.isFull) return { kind: 'full', offset };
    const { messages, nextOffset } = await readFrom(cluster, topic, queue, { offset, count: page.room }, deadline);
    for (const stored of messages) {
      if (stored.queueOffset >= maxOffset) return { kind: 'end', offset: maxOffset };
      if (page.isFull) return { kind: 'full', offset: stored.queueOffset };
      await page.add(stored, broker);
    }
    if (nextOffset === offset) return { kind: 'stuck', offset };
    offset = nextOffset;
  }
  return { kind: 'end', offset: maxOffset };
}

function isBefore({ offsets: { broker, queueId } }: OwnedQueue, start: Position): boolean {
  const order = compareText(broker, start.broker);
  return order < 0 || (order === 0 && queueId < start.queueId);
}
