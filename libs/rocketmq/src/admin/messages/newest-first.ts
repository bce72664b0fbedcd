// Reads a topic backwards: the messages of all queues, the one that was stored last first. Servers read forwards only, so a queue is
// read in blocks from its end, the first of one message and the others larger.

import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import type { OwnedQueue } from '../topics/topic-offsets.js';
import type { Page, TopicReader } from './page.js';
import { formatNewest, type Position, WHOLE_BROKER } from './positions.js';
import { notReturned, readFrom } from './queue-reader.js';

const GROWTH = 4;
const MAX_BLOCK = 32;
/** Where the server passes over most messages. */
const MAX_SPARSE_BLOCK = 800;

/** A queue, and how far it was read. */
interface Cursor {
  readonly queue: OwnedQueue;
  /** The messages from here on were returned, are in `block`, or are after the first page. */
  unread: number;
  /** Read and not returned yet, in the order of the queue. */
  block: StoredMessageFields[];
  size: number;
}

export class NewestFirst {
  constructor(
    private readonly reader: TopicReader,
    /** Brokers whose queues are not known at present. */
    private readonly away: readonly { readonly name: string }[],
  ) {}

  /**
   * @param start where the queues continue, which leaves out those that are done; undefined: all from their ends
   * @returns the position of the next page; undefined at the end
   */
  async read(
    queues: readonly OwnedQueue[],
    start: readonly Position[] | undefined,
    page: Page,
  ): Promise<string | undefined> {
    const cursors = queues.flatMap((queue): Cursor[] => {
      const end = endOf(queue, start);
      return end === undefined ? [] : [{ queue, unread: end, block: [], size: 1 }];
    });
    await Promise.all(cursors.map((cursor) => this.refill(cursor)));
    while (!page.isFull) {
      const newest = newestOf(cursors);
      const message = newest?.block.pop();
      if (newest === undefined || message === undefined) break;
      await page.add(message, newest.queue.offsets.broker);
      if (newest.block.length === 0) await this.refill(newest);
    }
    // Nothing is left but what no broker returns: a caller that goes on to the end must come to it.
    if (page.isUntouched) return undefined;
    // Those of a broker that is away now are read when it answers, from where they were.
    const away = [...this.away, ...this.reader.asked.failures]
      .map(({ name }) => name)
      .filter((broker) => !cursors.some(({ queue }) => queue.offsets.broker === broker));
    const waiting = start?.filter(({ broker }) => away.includes(broker)) ?? [];
    return formatNewest([...cursors.flatMap(positionOf), ...waiting], start === undefined ? away : []);
  }

  /** Reads blocks until one has a message that can be read. */
  private async refill(cursor: Cursor): Promise<void> {
    const { minOffset } = cursor.queue.offsets;
    while (cursor.block.length === 0 && cursor.unread > minOffset) {
      const end = cursor.unread;
      const begin = Math.max(minOffset, end - cursor.size);
      const block = await this.between(cursor.queue, begin, end);
      if (block === undefined) return;
      cursor.unread = begin;
      cursor.block = block;
      const isSparse = block.length === 0 && this.reader.tags !== undefined;
      cursor.size = Math.min(isSparse ? MAX_SPARSE_BLOCK : MAX_BLOCK, cursor.size * GROWTH);
    }
  }

  /** @returns undefined when the broker fails */
  private async between(queue: OwnedQueue, start: number, end: number): Promise<StoredMessageFields[] | undefined> {
    const { cluster, topic, asked, tags } = this.reader;
    const block: StoredMessageFields[] = [];
    for (let offset = start; offset < end; ) {
      const range = { offset, count: end - offset, tags };
      const read = await asked.ask(queue.owner, (deadline) => readFrom(cluster, topic, queue, range, deadline));
      if (read === undefined) return undefined;
      block.push(...read.messages.filter(({ queueOffset }) => queueOffset < end));
      if (read.nextOffset === offset) {
        asked.add(notReturned(queue, offset));
        break;
      }
      offset = read.nextOffset;
    }
    return block;
  }
}

function endOf({ offsets }: OwnedQueue, start: readonly Position[] | undefined): number | undefined {
  if (start === undefined) return offsets.maxOffset;
  const own = start.filter(({ broker }) => broker === offsets.broker);
  if (own.some(({ queueId }) => queueId === WHOLE_BROKER.queueId)) return offsets.maxOffset;
  const at = own.find(({ queueId }) => queueId === offsets.queueId);
  return at === undefined || at.offset < offsets.maxOffset ? at?.offset : offsets.maxOffset;
}

function newestOf(cursors: readonly Cursor[]): Cursor | undefined {
  let newest: Cursor | undefined;
  for (const cursor of cursors) {
    const stored = cursor.block.at(-1);
    const best = newest?.block.at(-1);
    if (stored !== undefined && (best === undefined || stored.storeTimestampMs > best.storeTimestampMs))
      newest = cursor;
  }
  return newest;
}

/** Where a queue continues; none when all was returned. */
function positionOf({ queue, unread, block }: Cursor): Position[] {
  const last = block.at(-1);
  const offset = last === undefined ? unread : last.queueOffset + 1;
  return offset > queue.offsets.minOffset ? [{ ...queue.offsets, offset }] : [];
}
