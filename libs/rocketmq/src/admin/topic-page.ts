// Reads the stored messages of a topic page by page without consuming them.

import { REQUEST_CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { StoredMessageFields } from '../protocol/remoting/stored-message.js';
import { offsetField } from '../remoting/answers.js';
import type { MasterBroker } from '../remoting/cluster.js';
import type { ClusterAccess } from '../remoting/cluster-access.js';
import { RemotingError } from '../remoting/remoting-error.js';
import type { CallOptions, Deadline } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { checkLimit } from './checks.js';
import type { BrokerFailure } from './each-broker.js';
import { messagesIn } from './message-lookup.js';
import type { StoredMessageView } from './message-view.js';
import { compareText } from './order.js';
import { type OwnedQueue, queuesOf, totalOf } from './topic-offsets.js';

export interface PageOptions extends CallOptions {
  /** Maximum messages per page, 1 to 100. Default: 32. Large messages shorten a page. */
  readonly limit?: number;
  /** `next` of the previous page. Default: the oldest messages of each broker. */
  readonly after?: string;
}

/** A page of a topic. */
export interface TopicPage {
  /** By broker, queue and offset. */
  readonly found: readonly { readonly stored: StoredMessageFields; readonly broker: string }[];
  /** The position of the next page; undefined at the end. */
  readonly next: string | undefined;
  /** The number of all stored messages. */
  readonly total: bigint;
  readonly failures: readonly BrokerFailure[];
}

/** A position at which to start reading. */
interface Position {
  readonly broker: string;
  readonly queueId: number;
  readonly offset: bigint;
}

const DEFAULT_PAGE = 32;
const LARGEST_PAGE = 100;
/** A page ends after this many bytes, so that a hundred messages of 4 MiB are not returned at once. */
const MOST_PAGE_BYTES = 16 * 1024 * 1024;
/** The server's own group for tools; every broker has it. */
const TOOLS_GROUP = 'TOOLS_CONSUMER';
/** The request contains its subscription, and neither waits nor commits an offset. @see PullSysFlag of the server */
const SUBSCRIPTION_FLAG = '4';
const POSITION = /^(.+)\/(\d{1,9})\/(\d{1,19})$/;

/** @throws UsageError */
export function checkPageOptions({ limit = DEFAULT_PAGE, after }: PageOptions): void {
  checkLimit(limit, LARGEST_PAGE);
  if (after !== undefined) parsePosition(after);
}

/** @param options checked */
export async function readTopicPage(
  cluster: ClusterAccess,
  topic: string,
  { limit = DEFAULT_PAGE, after }: PageOptions,
  deadline: Deadline,
): Promise<TopicPage> {
  const { queues, failures } = await queuesOf(cluster, topic, deadline);
  const start = after === undefined ? undefined : parsePosition(after);
  const reader = new PageReader(cluster, topic, limit, deadline);
  for (const queue of queues) if (start === undefined || !isBefore(queue, start)) await reader.read(queue, start);
  return { found: reader.found, next: reader.next && formatPosition(reader.next), total: totalOf(queues), failures };
}

/** The position of a message, in the format of `next`: reading starts with it, not after it. */
export function positionOf({ broker, queueId, queueOffset }: StoredMessageView): string {
  return formatPosition({ broker, queueId, offset: queueOffset });
}

/** Some messages of a queue from an offset on, and the offset at which to continue. */
export async function readQueue(
  cluster: ClusterAccess,
  topic: string,
  queue: OwnedQueue,
  { offset, limit }: { readonly offset: bigint; readonly limit: number },
  deadline: Deadline,
): Promise<{ readonly found: TopicPage['found']; readonly nextOffset: bigint }> {
  const { broker, queueId, maxOffset } = queue.offsets;
  const reader = new PageReader(cluster, topic, limit, deadline);
  await reader.read(queue, { broker, queueId, offset });
  return { found: reader.found, nextOffset: reader.next?.offset ?? maxOffset };
}

/** Reads one queue after the other until the page is full. */
class PageReader {
  readonly found: { readonly stored: StoredMessageFields; readonly broker: string }[] = [];
  /** Set when the page is full and messages are left. */
  next: Position | undefined;
  private bytes = 0;

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly topic: string,
    private readonly limit: number,
    private readonly deadline: Deadline,
  ) {}

  async read({ owner: broker, offsets }: OwnedQueue, start: Position | undefined): Promise<void> {
    const { queueId, minOffset, maxOffset } = offsets;
    const isHere = start?.broker === broker.name && start.queueId === queueId;
    for (let offset = isHere && start.offset > minOffset ? start.offset : minOffset; offset < maxOffset; ) {
      if (this.next !== undefined) return;
      const room = this.limit - this.found.length;
      if (room <= 0 || this.bytes >= MOST_PAGE_BYTES) {
        this.next = { broker: broker.name, queueId, offset };
        return;
      }
      const { messages, nextOffset } = await this.pull(broker, queueId, offset, room);
      for (const stored of messages) {
        this.found.push({ stored, broker: broker.name });
        this.bytes += stored.body.length;
      }
      // A server that returns the same offset again must not block the caller forever.
      if (nextOffset <= offset) return;
      offset = nextOffset;
    }
  }

  /** @see PullMessageRequestHeader of the server, request code 11 */
  private async pull(broker: MasterBroker, queueId: number, offset: bigint, room: number) {
    const fields = {
      consumerGroup: TOOLS_GROUP,
      topic: this.topic,
      queueId: String(queueId),
      queueOffset: String(offset),
      maxMsgNums: String(room),
      sysFlag: SUBSCRIPTION_FLAG,
      commitOffset: '0',
      suspendTimeoutMillis: '0',
      subscription: '*',
      subVersion: '0',
      expressionType: 'TAG',
    };
    const answer = await this.cluster.ask(broker, { code: REQUEST_CODES.pullMessage, fields }, this.deadline);
    const { success, pullNotFound, pullRetryImmediately, pullOffsetMoved } = RESPONSE_CODES;
    const known: readonly number[] = [success, pullNotFound, pullRetryImmediately, pullOffsetMoved];
    if (!known.includes(answer.code)) throw new RemotingError(this.deadline.what, broker.address, answer);
    const nextOffset = offsetField(answer, 'nextBeginOffset', offset);
    return { messages: answer.code === success ? messagesIn(answer) : [], nextOffset };
  }
}

function isBefore({ offsets: { broker, queueId } }: OwnedQueue, start: Position): boolean {
  const order = compareText(broker, start.broker);
  return order < 0 || (order === 0 && queueId < start.queueId);
}

function formatPosition({ broker, queueId, offset }: Position): string {
  return `${broker}/${queueId}/${offset}`;
}

function parsePosition(text: string): Position {
  const [, broker, queueId, offset] = POSITION.exec(text) ?? [];
  if (broker !== undefined && queueId !== undefined && offset !== undefined) {
    return { broker, queueId: Number(queueId), offset: BigInt(offset) };
  }
  throw new UsageError('ILLEGAL_POSITION', `after is "${text}"; it must be "next" of a previous page`, 'after');
}
