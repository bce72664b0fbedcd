// Dead letters of a consumer group: read page by page, without consuming them. Sending them again is dead-letter-replay.ts.

import { consumerGroupNameProblem, deadLetterTopicOf } from '../protocol/names.js';
import type { StoredMessageFields } from '../protocol/stored-message.js';
import type { CallOptions, Deadline } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { jsonOf, offsetIn, RESPONSE_CODES, undefinedWhen } from './answers.js';
import { checkLimit, checkName } from './checks.js';
import type { MasterBroker } from './cluster.js';
import type { ClusterAccess } from './cluster-access.js';
import { type BrokerFailure, fromEach } from './each-broker.js';
import { ObjectKeyedMap } from './java-json.js';
import { messagesIn } from './message-lookup.js';
import { messageView, PROPERTIES, type StoredMessageView } from './message-view.js';
import { compareText } from './order.js';
import { RemotingError } from './remoting-error.js';
import { originOfRetryTopic, RETRY_PREFIX } from './system-names.js';

export interface DeadLetterPageOptions extends CallOptions {
  /** The most dead letters of the page, 1 to 100. Default: 32. Large ones make a page shorter. */
  readonly limit?: number;
  /** `next` of the page before. Default: from the oldest of each broker. */
  readonly after?: string;
}

/** A message that a group did not manage. */
export interface DeadLetter extends StoredMessageView {
  readonly consumerGroup: string;
  /** The topic that it was sent to; undefined when the server did not keep it. */
  readonly originTopic: string | undefined;
}

export interface DeadLetterPage {
  /** By broker, queue and offset. They stay where they are until the server's retention takes them. */
  readonly deadLetters: readonly DeadLetter[];
  /** What to ask with for the next page; undefined at the end. */
  readonly next: string | undefined;
  /** All that the brokers keep of this group. */
  readonly total: bigint;
  /** Brokers that did not answer: their dead letters are missing. Empty when all is well. */
  readonly failures: readonly BrokerFailure[];
}

/** A dead letter as it lies, beside what is told of it. */
export interface StoredDeadLetter {
  readonly stored: StoredMessageFields;
  readonly deadLetter: DeadLetter;
}

/** A place from which to read on. */
interface Position {
  readonly broker: string;
  readonly queueId: number;
  readonly offset: bigint;
}

interface DeadLetterQueue {
  readonly broker: MasterBroker;
  readonly queueId: number;
  readonly minOffset: bigint;
  readonly maxOffset: bigint;
}

export const DEFAULT_PAGE = 32;
export const LARGEST_PAGE = 100;
/** A page stops after this much, so that a hundred of 4 MiB do not come at once. */
const MOST_PAGE_BYTES = 16 * 1024 * 1024;
/** The server's own group for tools, which every broker has. */
const TOOLS_GROUP = 'TOOLS_CONSUMER';
/** The request carries its subscription; it neither waits nor commits an offset. @see PullSysFlag of the server */
const SUBSCRIPTION_FLAG = '4';
const POSITION = /^(.+)\/(\d{1,9})\/(\d{1,19})$/;

export async function listDeadLetters(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: DeadLetterPageOptions = {},
): Promise<DeadLetterPage> {
  checkPage(consumerGroup, options);
  return cluster.run(`list dead letters of ${consumerGroup}`, options, async (deadline) => {
    const { letters, ...page } = await readPage(cluster, consumerGroup, options, deadline);
    return { ...page, deadLetters: letters.map(({ deadLetter }) => deadLetter) };
  });
}

/** @throws UsageError */
export function checkPage(consumerGroup: string, { limit = DEFAULT_PAGE, after }: DeadLetterPageOptions): void {
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  checkLimit(limit, LARGEST_PAGE);
  if (after !== undefined) parsePosition(after);
}

/** One page, each dead letter also as it lies. */
export async function readPage(
  cluster: ClusterAccess,
  consumerGroup: string,
  { limit = DEFAULT_PAGE, after }: DeadLetterPageOptions,
  deadline: Deadline,
): Promise<Omit<DeadLetterPage, 'deadLetters'> & { readonly letters: readonly StoredDeadLetter[] }> {
  const { queues, failures } = await queuesOf(cluster, consumerGroup, deadline);
  const start = after === undefined ? undefined : parsePosition(after);
  const reader = new PageReader(cluster, deadLetterTopicOf(consumerGroup), limit, deadline);
  for (const queue of queues) if (start === undefined || !isBefore(queue, start)) await reader.read(queue, start);
  const letters = await Promise.all(
    reader.found.map(async ({ stored, broker }) => {
      const view = await messageView(stored, broker);
      return { stored, deadLetter: { ...view, consumerGroup, originTopic: originTopicOf(consumerGroup, stored) } };
    }),
  );
  const total = queues.reduce((sum, { minOffset, maxOffset }) => sum + maxOffset - minOffset, 0n);
  return { letters, next: reader.next && formatPosition(reader.next), total, failures };
}

/** Where a dead letter lies, in the form of `next`: to begin with it, not behind it. */
export function positionOf({ broker, queueId, queueOffset }: StoredMessageView): string {
  return formatPosition({ broker, queueId, offset: queueOffset });
}

/** Reads queue after queue until the page is full. */
class PageReader {
  readonly found: { readonly stored: StoredMessageFields; readonly broker: string }[] = [];
  /** Set as soon as the page is full and something is left. */
  next: Position | undefined;
  private bytes = 0;

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly topic: string,
    private readonly limit: number,
    private readonly deadline: Deadline,
  ) {}

  async read({ broker, queueId, minOffset, maxOffset }: DeadLetterQueue, start: Position | undefined): Promise<void> {
    const begin = start?.broker === broker.name && start.queueId === queueId ? start.offset : minOffset;
    for (let offset = begin < minOffset ? minOffset : begin; offset < maxOffset; ) {
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
      // A server that does not move on must not hold the caller for ever.
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
    const answer = await this.cluster.ask(broker, { code: 11, fields }, this.deadline);
    const { success, pullNotFound, pullRetryImmediately, pullOffsetMoved } = RESPONSE_CODES;
    const known: readonly number[] = [success, pullNotFound, pullRetryImmediately, pullOffsetMoved];
    if (!known.includes(answer.code)) throw new RemotingError(this.deadline.what, broker.address, answer);
    const nextOffset = BigInt(answer.fields.nextBeginOffset ?? offset);
    return { messages: answer.code === success ? messagesIn(answer) : [], nextOffset };
  }
}

async function queuesOf(cluster: ClusterAccess, consumerGroup: string, deadline: Deadline) {
  const fields = { topic: deadLetterTopicOf(consumerGroup) };
  const { answers, failures } = await fromEach(await cluster.masters(deadline), (broker) =>
    undefinedWhen(RESPONSE_CODES.topicNotExist, cluster.call(broker, { code: 202, fields }, deadline)),
  );
  const queues = answers.flatMap(({ broker, value }): DeadLetterQueue[] => {
    const table = value === undefined ? undefined : jsonOf(value).offsetTable;
    if (!(table instanceof ObjectKeyedMap)) return [];
    return table.pairs.map(([key, offsets]) => {
      const { minOffset, maxOffset } = offsets as Record<string, unknown>;
      const queueId = Number((key as Record<string, unknown>).queueId);
      return { broker, queueId, minOffset: offsetIn(minOffset), maxOffset: offsetIn(maxOffset) };
    });
  });
  queues.sort((left, right) => compareText(left.broker.name, right.broker.name) || left.queueId - right.queueId);
  return { queues, failures };
}

/** Kept by the server when it moved the message here, for a redelivery as the name of the retry topic. */
function originTopicOf(consumerGroup: string, { properties }: StoredMessageFields): string | undefined {
  const from = properties.get(PROPERTIES.retryTopic);
  if (from === undefined || !from.startsWith(RETRY_PREFIX)) return from;
  return originOfRetryTopic(properties.get(PROPERTIES.originGroup) ?? consumerGroup, from);
}

function isBefore({ broker, queueId }: DeadLetterQueue, start: Position): boolean {
  const order = compareText(broker.name, start.broker);
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
  throw new UsageError('ILLEGAL_POSITION', `after is "${text}"; give what a page told as "next"`, 'after');
}
