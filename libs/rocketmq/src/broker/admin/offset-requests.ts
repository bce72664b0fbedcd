// Requests about the offsets of groups and queues: show and move.

import { DELAYED_TOPIC } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { isOf4 } from '../../protocol/remoting/releases.js';
import {
  countReady,
  groupsOfTopic,
  offsetAt,
  positionOf,
  positionsOf,
  type QueueRange,
  topicsOfGroup,
} from '../engine/offsets.js';
import { BROKER_NAME } from '../engine/server-names.js';
import { retryTopicOf } from '../engine/trail.js';
import { messageAt } from '../engine/views.js';
import { subscriptionOf } from '../services/sessions.js';
import { type GroupRecord, keys, type TopicRecord } from '../store/records.js';
import {
  type AdminAnswer,
  AdminRejection,
  answerWith,
  answerWithMap,
  mapText,
  numberIn,
  SUCCESS,
} from './admin-answer.js';
import type { AdminContext, RequestTable } from './admin-context.js';
import { groupNameOf } from './group-config.js';
import { delayedOffsetAt } from './kept-topics.js';
import type { OffsetResets } from './offset-resets.js';
import type { TopicRequests } from './topic-requests.js';

const EVERY_QUEUE = -1;
const NO_OFFSET = -1;
const NO_TIME = -1;

type Pair = readonly [key: object, value: unknown];
type QueuePair = readonly [key: object, value: { readonly brokerOffset: number; readonly consumerOffset: number }];

export class OffsetRequests {
  readonly table: RequestTable = [
    [REQUEST_CODES.queryConsumerOffset, (request) => this.position(request)],
    [
      REQUEST_CODES.searchOffsetByTimestamp,
      (request) => this.offsetOf(request, (topic, range, fields) => this.offsetAtTime(topic, range, fields)),
    ],
    [REQUEST_CODES.getMaxOffset, (request) => this.offsetOf(request, (_, { maxOffset }) => maxOffset)],
    [REQUEST_CODES.getMinOffset, (request) => this.offsetOf(request, (_, { minOffset }) => minOffset)],
    [REQUEST_CODES.getEarliestMsgStoreTime, (request) => this.earliestTime(request)],
    [REQUEST_CODES.getConsumeStats, (request) => this.groupStats(request)],
    [REQUEST_CODES.getBrokerConsumeStats, ({ fields }) => this.allStats(fields.isOrder === 'true')],
    [REQUEST_CODES.invokeBrokerToResetOffset, (request) => this.move(request)],
    [REQUEST_CODES.queryTopicsByConsumer, (request) => this.topicsOf(request)],
  ];

  constructor(
    private readonly broker: AdminContext,
    private readonly topics: TopicRequests,
    private readonly resets: OffsetResets,
  ) {}

  /** The offset of a queue by time (29), its end (30), its beginning (31): 0 for a topic or queue that does not exist, as on the server. */
  private offsetOf(
    { fields }: RemotingFrame,
    choose: (topic: string, range: QueueRange, fields: RemotingFrame['fields']) => number,
  ): AdminAnswer {
    const range = this.rangeIn(fields);
    const offset = range === undefined ? 0 : choose(fields.topic ?? '', range, fields);
    return { ...SUCCESS, fields: { offset: String(offset) } };
  }

  /** @returns undefined for a topic or queue that does not exist */
  private rangeIn(fields: RemotingFrame['fields']): QueueRange | undefined {
    const queueId = numberIn(fields, 'queueId');
    const topic = this.topics.find(fields.topic);
    return topic && this.topics.queues(topic).find((range) => range.queueId === queueId);
  }

  /** The first message that was stored then or later, or the last one that was stored then or before. @see BoundaryType of the server */
  private offsetAtTime(topic: string, range: QueueRange, fields: RemotingFrame['fields']): number {
    const atMs = numberIn(fields, 'timestamp');
    if (fields.boundaryType?.toLowerCase() !== 'upper') return this.firstFrom(topic, range, atMs);
    return Math.max(range.minOffset, this.firstFrom(topic, range, atMs + 1) - 1);
  }

  /** When the first message of a queue was stored; -1 for a queue that is empty, and for one that does not exist. */
  private earliestTime({ fields }: RemotingFrame): AdminAnswer {
    const { store, clientTime } = this.broker;
    const range = this.rangeIn(fields);
    const first = range && messageAt(store, fields.topic ?? '', range.queueId, range.minOffset);
    const timestamp = first === undefined ? NO_TIME : clientTime.toClient(first.storeTimestampMs);
    return { ...SUCCESS, fields: { timestamp: String(timestamp) } };
  }

  /**
   * The position of a group in a queue. Without one it starts at the first message while the queue has all of its messages; otherwise the
   * consumer decides where. So it does for an empty queue, but on 4.x.
   */
  private position({ fields }: RemotingFrame): AdminAnswer {
    const range = this.rangeIn(fields);
    const queue = { group: groupNameOf(fields.consumerGroup), topic: fields.topic ?? '' };
    const offset = range && this.positionIn(queue, range, fields.setZeroIfNotFound !== 'false');
    if (offset !== undefined) return { ...SUCCESS, fields: { offset: String(offset) } };
    throw new AdminRejection(RESPONSE_CODES.queryNotFound, 'Not found, maybe this consumer group boot first');
  }

  /** @returns undefined for a group that has none, below 0 included; one that was deleted may have kept it */
  private positionIn(
    { group, topic }: { readonly group: string; readonly topic: string },
    { queueId, minOffset, maxOffset }: QueueRange,
    mayBegin: boolean,
  ): number | undefined {
    const { store, engine } = this.broker;
    const queue = { group, topic, queueId };
    const cursor = store.get(keys.cursor(queue)) as number | undefined;
    const record = engine.findGroup(group);
    const position = cursor === undefined || record === undefined ? cursor : positionOf(store, record, queue);
    if (position !== undefined && position >= 0) return position;
    const begins = minOffset === 0 && (maxOffset > 0 || isOf4(this.broker.release()));
    return begins && mayBegin ? 0 : undefined;
  }

  /** @throws AdminRejection for a queue that the topic does not have */
  private queuesIn(topic: TopicRecord, queueId: number): QueueRange[] {
    const ranges = this.topics.queues(topic);
    const found = queueId < 0 ? ranges : ranges.filter((range) => range.queueId === queueId);
    if (found.length > 0) return found;
    const message = `topic ${topic.name} has no queue ${queueId}; it has ${topic.queues} queues`;
    throw new AdminRejection(RESPONSE_CODES.systemError, message);
  }

  /** @see ConsumeStats of the server */
  private groupStats({ fields }: RemotingFrame): AdminAnswer {
    const group = this.broker.engine.findGroup(groupNameOf(fields.consumerGroup));
    if (group === undefined) return answerWithMap('offsetTable', [], { consumeTps: 0 });
    const names = fields.topic ? [fields.topic] : topicsOfGroup(this.broker.store, group.name);
    const topics = names.flatMap((name) => this.broker.engine.findTopic(name) ?? []);
    const pairs = topics.flatMap((topic) => [...this.queues(group, topic), ...this.retries(group, topic)]);
    const consumeTps = topics.reduce((sum, topic) => sum + this.consumeTps(group, topic), 0);
    return answerWithMap('offsetTable', pairs, { consumeTps });
  }

  /** Of the last minute. @see BrokerStatsManager.tpsGroupGetNums of the server */
  private consumeTps({ name }: GroupRecord, topic: TopicRecord): number {
    const { engine, clock } = this.broker;
    const [handedOut = 0] = engine.traffic.handedOutTo(`${topic.name}@${name}`, clock.nowMs()) ?? [];
    return handedOut / 60;
  }

  /** Of all groups that have read, each with a list by topic. @see ConsumeStatsList of the server */
  private allStats(isOrdered: boolean): AdminAnswer {
    const { engine, store } = this.broker;
    let totalDiff = 0;
    const groups = engine.groups().map((group) => {
      const topics = topicsOfGroup(store, group.name).flatMap((name) => engine.findTopic(name) ?? []);
      // No topic is an ordered one here.
      const stats = (isOrdered ? [] : topics).map((topic) => {
        const pairs = this.queues(group, topic);
        for (const [, { brokerOffset, consumerOffset }] of pairs) totalDiff += brokerOffset - consumerOffset;
        // The server does not look it up here.
        const table = pairs.map(([queue, offsets]) => [queue, { ...offsets, pullOffset: 0 }] as const);
        return `{"consumeTps":${this.consumeTps(group, topic)},"offsetTable":${mapText(table)}}`;
      });
      return `{${JSON.stringify(group.name)}:[${stats.join(',')}]}`;
    });
    const totals = `"totalDiff":${totalDiff},"totalInflightDiff":0`;
    const address = JSON.stringify(this.broker.address());
    const body = `{"brokerAddr":${address},"consumeStatsList":[${groups.join(',')}],${totals}}`;
    return { ...SUCCESS, body: Buffer.from(body) };
  }

  private queues(group: GroupRecord, topic: TopicRecord): QueuePair[] {
    return positionsOf(this.broker.store, group, topic).map(({ queueId, maxOffset, offset, storedAtMs }) => {
      const lastTimestamp = storedAtMs === undefined ? 0 : this.broker.clientTime.toClient(storedAtMs);
      return [
        { brokerName: BROKER_NAME, queueId, topic: topic.name },
        { brokerOffset: maxOffset, consumerOffset: offset, lastTimestamp, pullOffset: offset },
      ];
    });
  }

  /** The real server stores retries in a topic of their own; this broker counts them, and reports them with the same names. */
  private retries({ name: group, fifo }: GroupRecord, { name: topic }: TopicRecord): Pair[] {
    const { engine, store } = this.broker;
    const waiting = fifo ? 0 : countReady(store, group, topic);
    if (waiting === 0 && !engine.trail?.hasRetries({ group, topic })) return [];
    // The trail gives offsets below it to retries that do not wait.
    const consumerOffset = engine.trail?.written ?? 0;
    const brokerOffset = consumerOffset + waiting;
    const offsets = { brokerOffset, consumerOffset, lastTimestamp: 0, pullOffset: consumerOffset };
    return [[{ brokerName: BROKER_NAME, queueId: 0, topic: retryTopicOf(group, topic) }, offsets]];
  }

  /** Moves a group to a time, the end (-1), or an offset of one queue. @see ResetOffsetRequestHeader of the server */
  private async move({ fields }: RemotingFrame): Promise<AdminAnswer> {
    const topic = this.topics.topic(fields.topic);
    const group = this.broker.engine.findGroup(groupNameOf(fields.group));
    if (group === undefined) {
      const message = `Group ${fields.group} does not exist`;
      throw new AdminRejection(RESPONSE_CODES.subscriptionGroupNotExist, message);
    }
    const queueId = fields.queueId === undefined ? EVERY_QUEUE : numberIn(fields, 'queueId');
    const moved = this.queuesIn(topic, queueId);
    const targets = moved.map((range) => ({ range, offset: this.target(topic.name, range, fields) }));
    const pairs = targets.map(({ range, offset }): Pair => {
      const { queueId } = range;
      this.resets.set({ group: group.name, topic: topic.name, queueId }, offset);
      this.broker.engine.administration.moveGroup(group, { topic: topic.name, queueId, offset });
      return [{ brokerName: BROKER_NAME, queueId: range.queueId, topic: topic.name }, offset];
    });
    await this.broker.store.flush();
    return answerWithMap('offsetTable', pairs);
  }

  private target(topic: string, range: QueueRange, fields: RemotingFrame['fields']): number {
    const { minOffset, maxOffset } = range;
    const isOneQueue = fields.queueId !== undefined && numberIn(fields, 'queueId') >= 0;
    const offset = fields.offset === undefined ? NO_OFFSET : numberIn(fields, 'offset');
    if (isOneQueue && offset !== NO_OFFSET) {
      if (offset >= minOffset && offset <= maxOffset) return offset;
      const message = `Target offset ${offset} not in consume queue range [${minOffset}-${maxOffset}]`;
      throw new AdminRejection(RESPONSE_CODES.systemError, message);
    }
    const timestamp = numberIn(fields, 'timestamp');
    return timestamp < 0 ? maxOffset : this.firstFrom(topic, range, timestamp);
  }

  private firstFrom(topic: string, range: QueueRange, timestamp: number): number {
    const { store, engine, clientTime } = this.broker;
    const atMs = clientTime.toBroker(timestamp);
    return topic === DELAYED_TOPIC ? delayedOffsetAt(store, engine, atMs) : offsetAt(store, topic, range, atMs);
  }

  /** The groups that have consumed a topic, and those with a consumer of the gRPC protocol that subscribes to it. */
  groupsOf(topic: string): string[] {
    const { engine, store, sessions } = this.broker;
    const groups = engine.groups();
    const consumed = groupsOfTopic(store, groups, topic);
    const isSubscribed = (name: string): boolean =>
      sessions
        .consumersOf(name)
        .some((one) => subscriptionOf(one)?.subscriptions.some((of) => of.topic?.name === topic));
    const names = groups.map(({ name }) => name);
    return names.filter((name) => consumed.includes(name) || isSubscribed(name));
  }

  private topicsOf({ fields }: RemotingFrame): AdminAnswer {
    const topicList = topicsOfGroup(this.broker.store, groupNameOf(fields.group));
    return answerWith({ brokerAddr: this.broker.address(), topicList });
  }
}
