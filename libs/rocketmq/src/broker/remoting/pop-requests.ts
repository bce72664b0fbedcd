// Pops (200050), looks at what a pop would hand out (200052, 200054), and how many pops wait (200055).

import { LIMITS } from '../../protocol/model/limits.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { MINUTE_MS } from '../../support/clock.js';
import { type AdminAnswer, AdminRejection, numberIn, SUCCESS } from '../admin/admin-answer.js';
import { groupNameOf } from '../admin/group-config.js';
import type { PopRequest, PopResult } from '../engine/pop.js';
import { Rejection } from '../engine/rejection.js';
import { type MessageEntry, messagesFrom } from '../engine/views.js';
import { type GroupRecord, keys, type QueueRef, type TopicRecord } from '../store/records.js';
import { asPopped } from './pop-handles.js';
import { PoppedMessages } from './popped-messages.js';
import type { PullFilters } from './pull-filters.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import type { Waiter, WaitingRequests } from './waiting-requests.js';

/** A pop ends with the message that reaches this size (`maxTransferBytesOnMessageInMemory`), so that clients can read the answer. */
export const POP_BYTES = 256 * 1024;
/** The longest that a request waits, whatever it asks for. */
const MAX_POLL_MS = 5 * MINUTE_MS;

type Fields = RemotingFrame['fields'];

interface Pop {
  readonly request: Omit<PopRequest, 'nowMs'>;
  readonly isOrdered: boolean;
  readonly pollMs: number;
}

export class PopRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.popMessage, ({ fields }, connection, work) => this.pop(fields, { connection, work })],
    [REQUEST_CODES.peekMessage, ({ fields }) => this.peek(fields)],
    [REQUEST_CODES.notification, ({ fields }, connection, work) => this.notify(fields, { connection, work })],
    [REQUEST_CODES.pollingInfo, ({ fields }) => this.pollingInfo(fields)],
  ];

  private readonly popped: PoppedMessages;

  constructor(
    private readonly broker: RemotingContext,
    private readonly filters: PullFilters,
    private readonly waiting: WaitingRequests,
  ) {
    this.popped = new PoppedMessages(broker);
  }

  /** @see PopMessageRequestHeader of the server */
  private async pop(fields: Fields, waiter: Waiter): Promise<AdminAnswer> {
    if (isTooOld(fields, this.broker.realClock.nowMs())) return TOO_OLD;
    const found = this.filters.of(fields.expType || 'TAG', fields.exp || '*');
    const pop = this.popOf(fields, waiter, found instanceof Promise ? await found : found);
    const { topic, group } = pop.request;
    const attempt = (): PopResult | undefined => this.attempt(pop);
    const isPicky = pop.request.queueId !== undefined;
    const wait = { topic, group: group.name, timeoutMs: pop.pollMs, isPicky, attempt };
    const result = await this.waiting.find(waiter, wait);
    await this.broker.store.flush();
    const leaseMs = pop.request.leaseMs;
    if (result === 'full') return this.popped.none(RESPONSE_CODES.pollingFull, leaseMs);
    // What a filter has excluded is settled for the group: the next pop goes on behind it.
    if (result === undefined || result.deliveries.length === 0)
      return this.popped.none(RESPONSE_CODES.pollingTimeout, leaseMs);
    return this.popped.answer(result.deliveries, {
      leaseMs,
      group: group.name,
      isOrdered: pop.isOrdered,
      restNum: this.restOf(topic, group.name),
    });
  }

  private popOf(fields: Fields, { connection }: Waiter, filter: Pick<PopRequest, 'matches' | 'effort'>): Pop {
    const batchSize = batchSizeOf(fields.maxMsgNums, fields);
    const topic = this.topicOf(fields.topic);
    const queueId = this.queueOf(topic, fields);
    const group = this.groupOf(fields.consumerGroup);
    const isOrdered = fields.order === 'true';
    const request = {
      topic: topic.name,
      group: asPopped(group, isOrdered),
      batchSize,
      maxBytes: POP_BYTES,
      leaseMs: leaseOf(fields),
      attemptId: fields.attemptId || undefined,
      queueId,
      clientId: this.broker.clients.consumerAt(group.name, connection)?.clientId ?? connection.address,
      ...filter,
    };
    return { request, isOrdered, pollMs: pollOf(fields) };
  }

  private attempt({ request }: Pop): PopResult | undefined {
    const { engine, clock } = this.broker;
    const result = engine.pop({ ...request, nowMs: clock.nowMs() });
    return result.deliveries.length === 0 && result.skipped === 0 ? undefined : result;
  }

  /** What a pop without a filter would hand out for the first time. @see PeekMessageRequestHeader of the server */
  private peek(fields: Fields): AdminAnswer {
    const most = Math.min(numberIn(fields, 'maxMsgNums'), LIMITS.receiveBatchSize);
    const topic = this.topicOf(fields.topic);
    const queueId = this.queueOf(topic, fields);
    const { name: group } = this.groupOf(fields.consumerGroup);
    const entries: MessageEntry[] = [];
    let restNum = 0;
    for (const id of queueId === undefined ? Array.from({ length: topic.queues }, (_, index) => index) : [queueId]) {
      entries.push(...this.unreadIn({ topic: topic.name, group, queueId: id }, most - entries.length));
      restNum += this.restOfQueue(topic.name, group, id);
    }
    return this.popped.peeked(entries, restNum);
  }

  private unreadIn(queue: QueueRef, most: number): MessageEntry[] {
    const { store } = this.broker;
    const { topic, queueId } = queue;
    const entries: MessageEntry[] = [];
    const from = (store.get(keys.cursor(queue)) as number | undefined) ?? 0;
    for (const entry of messagesFrom(store, topic, keys.message(topic, queueId, from))) {
      if (entries.length >= most || entry.queueId !== queueId) break;
      entries.push(entry);
    }
    return entries;
  }

  /** @see NotificationRequestHeader of the server */
  private async notify(fields: Fields, waiter: Waiter): Promise<AdminAnswer> {
    const topic = this.topicOf(fields.topic);
    const queueId = this.queueOf(topic, fields);
    const group = this.groupOf(fields.consumerGroup);
    const attempt = () => (this.hasMessages(topic, group, queueId) ? {} : undefined);
    const wait = { topic: topic.name, group: group.name, timeoutMs: pollOf(fields), isPicky: true, attempt };
    const found = await this.waiting.find(waiter, wait);
    const hasMsg = String(found !== undefined && found !== 'full');
    return { ...SUCCESS, fields: { hasMsg, pollingFull: String(found === 'full') } };
  }

  private pollingInfo(fields: Fields): AdminAnswer {
    const topic = this.topicOf(fields.topic);
    this.queueOf(topic, fields);
    const { name } = this.groupOf(fields.consumerGroup);
    return { ...SUCCESS, fields: { pollingNum: String(this.broker.polls.count(topic.name, name)) } };
  }

  private hasMessages(topic: TopicRecord, { name: group }: GroupRecord, queueId: number | undefined): boolean {
    const { store } = this.broker;
    for (const _ of store.scan(keys.readyOf(group, topic.name))) return true;
    const queues = queueId === undefined ? Array.from({ length: topic.queues }, (_, index) => index) : [queueId];
    return queues.some((id) => this.restOfQueue(topic.name, group, id) > 0);
  }

  private restOf(topic: string, group: string): number {
    const queues = this.broker.engine.findTopic(topic)?.queues ?? 0;
    let rest = 0;
    for (let queueId = 0; queueId < queues; queueId++) rest += this.restOfQueue(topic, group, queueId);
    return rest;
  }

  private restOfQueue(topic: string, group: string, queueId: number): number {
    const { store } = this.broker;
    const end = (store.get(keys.end(topic, queueId)) as number | undefined) ?? 0;
    return end - ((store.get(keys.cursor({ topic, group, queueId })) as number | undefined) ?? 0);
  }

  private topicOf(name = ''): TopicRecord {
    const topic = this.broker.engine.findTopic(name);
    if (topic !== undefined) return topic;
    throw new AdminRejection(RESPONSE_CODES.topicNotExist, `topic[${name}] not exist, apply first please!`);
  }

  /** Undefined for all queues. */
  private queueOf({ name, queues }: TopicRecord, fields: Fields): number | undefined {
    const queueId = numberIn(fields, 'queueId');
    if (queueId < 0) return undefined;
    if (queueId < queues) return queueId;
    const message = `queueId[${queueId}] is illegal, topic:[${name}] topicConfig.readQueueNums:[${queues}]`;
    throw new AdminRejection(RESPONSE_CODES.invalidParameter, message);
  }

  private groupOf(name: string | undefined): GroupRecord {
    const group = consumingGroup(this.broker, name);
    this.broker.engine.assertDelivers(group.name);
    return group;
  }
}

/** The group of a pop or a pull: like on the server, it is created unless the broker is strict. @throws AdminRejection */
export function consumingGroup({ engine }: Pick<RemotingContext, 'engine'>, name: string | undefined): GroupRecord {
  try {
    return engine.group(groupNameOf(name));
  } catch (error) {
    if (!(error instanceof Rejection) || error.reason !== 'unknown-group') throw error;
    throw new AdminRejection(RESPONSE_CODES.subscriptionGroupNotExist, `subscription group [${name}] does not exist`);
  }
}

/** The answer to a pop whose time was over before it came. */
export const TOO_OLD: AdminAnswer = {
  code: RESPONSE_CODES.pollingTimeout,
  remark: 'the broker pop message is timeout too much',
};

/** A request that has waited longer than it wants to. 0 and nothing are the time of the broker. @see PopMessageRequestHeader.isTimeoutTooMuch */
export function isTooOld(fields: Fields, nowMs: number): boolean {
  const bornAtMs = Number(fields.bornTime ?? 0);
  return bornAtMs > 0 && nowMs - bornAtMs - pollOf(fields) > 500;
}

/** @throws AdminRejection */
export function batchSizeOf(text: string | undefined, fields: Fields): number {
  const count = numberIn({ ...fields, maxMsgNums: text ?? '' }, 'maxMsgNums');
  if (count <= LIMITS.receiveBatchSize) return Math.max(0, count);
  throw new AdminRejection(RESPONSE_CODES.invalidParameter, "the broker pop message's num is greater than 32");
}

/** How long what is popped is invisible to others. @throws AdminRejection */
export function leaseOf(fields: Fields): number {
  const leaseMs = numberIn(fields, 'invisibleTime');
  if (leaseMs >= 0 && leaseMs <= LIMITS.invisibleDurationMaxMs) return leaseMs;
  const message = `invisibleTime must be from 0 to ${LIMITS.invisibleDurationMaxMs} ms, not ${leaseMs}; nothing was changed`;
  throw new AdminRejection(RESPONSE_CODES.invalidParameter, message);
}

export function pollOf(fields: Fields): number {
  const pollMs = Number(fields.pollTime ?? 0);
  return pollMs > 0 ? Math.min(pollMs, MAX_POLL_MS) : 0;
}
