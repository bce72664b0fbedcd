// Pulls (11): reads a queue from an offset on, and waits for messages there.

import { DELAYED_TOPIC } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { encodeStoredMessage } from '../../protocol/remoting/stored-message.js';
import { MINUTE_MS } from '../../support/clock.js';
import { type AdminAnswer, AdminRejection, numberIn, SUCCESS } from '../admin/admin-answer.js';
import { TOOLS_GROUP } from '../admin/group-requests.js';
import { delayedFrom } from '../admin/kept-topics.js';
import type { OffsetResets } from '../admin/offset-resets.js';
import { storedFieldsOf } from '../admin/stored-fields.js';
import type { TopicRequests } from '../admin/topic-requests.js';
import { MAX_SCANNED, type PopRequest } from '../engine/pop.js';
import { type MessageEntry, messagesFrom } from '../engine/views.js';
import { keys, type StoredMessage, type TopicRecord } from '../store/records.js';
import type { ClientConnection } from './client-connection.js';
import { consumingGroup } from './pop-requests.js';
import type { PullFilters } from './pull-filters.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import type { RequestWork } from './request-work.js';
import type { WaitingRequests } from './waiting-requests.js';

const MAX_PULLED = 32;
/** A pull ends after the message that reaches this size (`maxTransferBytesOnMessageInMemory`). */
const PULL_BYTES = 256 * 1024;
/** The longest that a pull waits, whatever it asks for: a client that asks for more has a deadline of its own. */
const MAX_SUSPEND_MS = 5 * MINUTE_MS;
/** `sysFlag`. @see PullSysFlag of the server */
const [COMMIT, SUSPEND, SUBSCRIBE] = [1, 2, 4];

/** `messageModel` of a heartbeat. */
const BROADCASTING = 'BROADCASTING';

/** Of a queue that has never had a message. */
const EMPTY_QUEUE = 'NO_MESSAGE_IN_QUEUE';

type Filter = Pick<PopRequest, 'matches' | 'effort'>;

/** What a pull asks for. */
interface Pull {
  readonly group: string;
  readonly topic: TopicRecord;
  readonly queueId: number;
  readonly offset: number;
  readonly most: number;
  readonly filter: Filter;
}

export class PullRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.pullMessage, (request, connection, work) => this.pull(request, connection, work)],
    // The pull of DefaultLitePullConsumer, which differs in nothing else.
    [REQUEST_CODES.litePullMessage, (request, connection, work) => this.pull(request, connection, work)],
  ];

  constructor(
    private readonly broker: RemotingContext,
    private readonly topics: TopicRequests,
    private readonly filters: PullFilters,
    private readonly resets: OffsetResets,
    private readonly waiting: WaitingRequests,
  ) {}

  /** @see PullMessageRequestHeader of the server */
  private async pull(request: RemotingFrame, connection: ClientConnection, work: RequestWork): Promise<AdminAnswer> {
    const { fields } = request;
    const sysFlag = numberIn(fields, 'sysFlag');
    const pull = await this.pullOf(fields, sysFlag);
    if ((sysFlag & COMMIT) !== 0) this.commit(pull, numberIn(fields, 'commitOffset'));
    const answer = this.attempt(pull);
    const suspendMs = Math.min(Number(fields.suspendTimeoutMillis ?? 0), MAX_SUSPEND_MS);
    if (answer !== undefined || (sysFlag & SUSPEND) === 0 || !(suspendMs > 0)) return answer ?? this.nothing(pull);
    const { group, topic } = pull;
    // Each pull reads a queue of its own.
    const wait = { topic: topic.name, group, timeoutMs: suspendMs, isPicky: true, attempt: () => this.attempt(pull) };
    const found = await this.waiting.wait({ connection, work }, wait);
    return found === undefined || found === 'full' ? this.nothing(pull) : found;
  }

  private async pullOf(fields: RemotingFrame['fields'], sysFlag: number): Promise<Pull> {
    const group = fields.consumerGroup ?? '';
    // A consumer that pulls may send its first heartbeat after 30 s.
    if (group !== TOOLS_GROUP.name) consumingGroup(this.broker, group);
    const topic = this.topics.find(fields.topic) ?? unknownTopic(fields.topic);
    const queueId = numberIn(fields, 'queueId');
    if (queueId < 0 || queueId >= topic.queues) {
      const message = `queueId[${queueId}] is illegal, topic:[${topic.name}] has ${topic.queues} queues`;
      throw new AdminRejection(RESPONSE_CODES.invalidParameter, message);
    }
    const filter =
      (sysFlag & SUBSCRIBE) !== 0 || group === TOOLS_GROUP.name
        ? this.filters.of(fields.expressionType ?? '', fields.subscription ?? '')
        : this.knownFilter(group, topic.name, BigInt(numberIn(fields, 'subVersion')));
    const most = Math.min(MAX_PULLED, Math.max(1, numberIn(fields, 'maxMsgNums')));
    const offset = numberIn(fields, 'queueOffset');
    return { group, topic, queueId, offset, most, filter: filter instanceof Promise ? await filter : filter };
  }

  /** The filter of the group's heartbeats. */
  private knownFilter(group: string, topic: string, subVersion: bigint): Filter | Promise<Filter> {
    const { clients, engine } = this.broker;
    if (engine.findGroup(group)?.broadcast === false && clients.consumerDataOf(group)?.messageModel === BROADCASTING) {
      const message = `the consumer group[${group}] can not consume by broadcast way`;
      throw new AdminRejection(RESPONSE_CODES.noPermission, message);
    }
    const subscription = clients.subscriptionOf(group, topic);
    if (subscription === undefined) {
      throw new AdminRejection(RESPONSE_CODES.subscriptionNotExist, `the consumer's subscription not exist, ${group}`);
    }
    if (subscription.subVersion < subVersion) {
      throw new AdminRejection(RESPONSE_CODES.subscriptionNotLatest, "the consumer's subscription not latest");
    }
    return this.filters.of(subscription.expressionType, subscription.subString);
  }

  private commit({ group, topic, queueId }: Pull, offset: number): void {
    const queue = { group, topic: topic.name, queueId };
    if (group === TOOLS_GROUP.name || this.resets.has(queue)) return;
    this.broker.engine.administration.commitOffset(queue, offset);
  }

  /** @returns undefined when the end of the queue is reached */
  private attempt(pull: Pull): AdminAnswer | undefined {
    const { group, topic, queueId, offset } = pull;
    this.broker.engine.assertDelivers(group);
    const reset = this.resets.take({ group, topic: topic.name, queueId });
    if (reset !== undefined) return this.answer(pull, RESPONSE_CODES.pullOffsetMoved, reset, 'OFFSET_RESET');
    const end = this.endOf(pull);
    if (offset === end) return undefined;
    if (offset > end || end === 0) {
      const remark = end === 0 ? EMPTY_QUEUE : 'OFFSET_OVERFLOW_BADLY';
      return this.answer(pull, RESPONSE_CODES.pullOffsetMoved, end, remark);
    }
    const begin = this.beginOf(pull);
    if (offset < begin) return this.answer(pull, RESPONSE_CODES.pullOffsetMoved, begin, 'OFFSET_TOO_SMALL');
    const { entries, nextOffset } = this.read(pull, end);
    if (entries.length === 0)
      return this.answer(pull, RESPONSE_CODES.pullRetryImmediately, nextOffset, 'NO_MATCHED_MESSAGE');
    const { engine, clock } = this.broker;
    engine.traffic.handedOut(topic.name, group, entries, clock.nowMs());
    const body = Buffer.concat(entries.map((entry) => encodeStoredMessage(storedFieldsOf(entry, this.place))));
    return { ...this.answer(pull, SUCCESS.code, nextOffset, 'FOUND'), body };
  }

  private read({ topic, queueId, offset, most, filter }: Pull, end: number) {
    const entries: MessageEntry[] = [];
    let [bytes, effort, nextOffset] = [0, 0, end];
    const { store, engine } = this.broker;
    const stored =
      topic.name === DELAYED_TOPIC
        ? delayedFrom(store, engine, offset)
        : messagesFrom(store, topic.name, keys.message(topic.name, queueId, offset));
    for (const entry of stored) {
      if (entry.queueId !== queueId) break;
      nextOffset = entry.offset;
      if (entries.length >= most || bytes >= PULL_BYTES || effort >= MAX_SCANNED) return { entries, nextOffset };
      effort += costOf(filter, entry.message);
      if (filter.matches(entry.message)) {
        entries.push(entry);
        bytes += entry.message.body.length;
      }
      nextOffset = entry.offset + 1;
    }
    // What cannot be read is left out.
    return { entries, nextOffset: Math.max(nextOffset, end) };
  }

  private nothing(pull: Pull): AdminAnswer {
    const remark = this.endOf(pull) === 0 ? EMPTY_QUEUE : 'OFFSET_OVERFLOW_ONE';
    return this.answer(pull, RESPONSE_CODES.pullNotFound, pull.offset, remark);
  }

  private answer(pull: Pull, code: AdminAnswer['code'], nextBeginOffset: number, remark: string): AdminAnswer {
    const fields = {
      // Clients fail without it: the id of the broker to read from next.
      suggestWhichBrokerId: '0',
      nextBeginOffset: String(nextBeginOffset),
      minOffset: String(this.beginOf(pull)),
      maxOffset: String(this.endOf(pull)),
      topicSysFlag: '0',
      groupSysFlag: '0',
    };
    return { code, remark, fields };
  }

  private endOf({ topic, queueId }: Pull): number {
    if (topic.name === DELAYED_TOPIC) return this.rangeOf(topic, queueId)?.maxOffset ?? 0;
    return (this.broker.store.get(keys.end(topic.name, queueId)) as number | undefined) ?? 0;
  }

  private beginOf({ topic, queueId }: Pull): number {
    return (this.broker.store.get(keys.begin(topic.name, queueId)) as number | undefined) ?? 0;
  }

  private rangeOf(topic: TopicRecord, queueId: number) {
    return this.topics.queues(topic).find((one) => one.queueId === queueId);
  }

  private get place() {
    const { engine, clientTime } = this.broker;
    return { address: this.broker.address(), clientTime, engine };
  }
}

function unknownTopic(name = ''): never {
  throw new AdminRejection(RESPONSE_CODES.topicNotExist, `topic[${name}] not exist, apply first please!`);
}

function costOf({ effort }: Filter, message: StoredMessage): number {
  return effort?.(message) ?? 1;
}
