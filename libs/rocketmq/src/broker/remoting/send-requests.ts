// Requests that store messages (10, 310, 320), and send back what a consumer could not handle (36).

import { LIMITS } from '../../protocol/model/limits.js';
import { MessageIdGenerator } from '../../protocol/model/message-id.js';
import { RETRY_PREFIX } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { integerIn } from '../../protocol/remoting/property-values.js';
import { isOf4 } from '../../protocol/remoting/releases.js';
import { decodeProperties, offsetMessageIdOf } from '../../protocol/remoting/stored-message.js';
import { SECOND_MS } from '../../support/clock.js';
import { systemRandom } from '../../support/random.js';
import { type AdminAnswer, AdminRejection, numberIn, rejected, SUCCESS } from '../admin/admin-answer.js';
import { groupNameOf } from '../admin/group-config.js';
import { topicNameOf } from '../admin/topic-config.js';
import { Rejection } from '../engine/rejection.js';
import type { SendResult } from '../engine/send.js';
import { messageAt } from '../engine/views.js';
import {
  type DeliveryRecord,
  type GroupRecord,
  keys,
  type StoredMessage,
  type TopicPosition,
} from '../store/records.js';
import type { ClientConnection } from './client-connection.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import {
  type Arrival,
  batchIn,
  delayOfLevel,
  dueTimeOf,
  GRPC_PARTS,
  messageToStore,
  type SendFields,
  sendFieldsOf,
  withReserved,
} from './sent-messages.js';

/** The topic whose settings new topics have, and how many queues it has. @see TopicValidator of the server */
const TEMPLATE_TOPIC = 'TBW102';
const MAX_NEW_QUEUES = 8;
/** Of a message, with what the server adds. @see MessageStore of the server */
const MAX_PROPERTY_BYTES = 32_767;
/** Clients report traces by them. */
export const REGION = { MSG_REGION: 'DefaultRegion', TRACE_ON: 'true' };
/** The level of a retry for which its consumer names none is that of its attempt and this. */
const FIRST_RETRY_LEVEL = 3;

export class SendRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.sendMessage, (request, connection) => this.send(request, connection)],
    [REQUEST_CODES.sendMessageV2, (request, connection) => this.send(request, connection)],
    [REQUEST_CODES.sendBatchMessage, (request, connection) => this.send(request, connection)],
    [REQUEST_CODES.consumerSendMessageBack, (request) => this.sendBack(request)],
  ];

  private readonly ids = new MessageIdGenerator(systemRandom, process.pid);

  /** @param hasLocks whether consumers of a group hold queues */
  constructor(
    private readonly broker: RemotingContext,
    private readonly hasLocks: (group: string) => boolean,
  ) {}

  private async send(request: RemotingFrame, connection: ClientConnection): Promise<AdminAnswer> {
    const send = this.checkedFields(request);
    const { topic } = send;
    const arrival = this.arrivalFrom(connection);
    if (topic.startsWith(RETRY_PREFIX)) {
      const dead = this.deadRetry(send, request);
      if (dead !== undefined) return this.storeDead(dead, send, request, arrival);
    }
    const results = send.isBatch ? this.storeBatch(send, request, arrival) : this.storeOne(send, request, arrival);
    await this.broker.store.flush();
    return { ...SUCCESS, fields: { ...this.placesOf(results), ...REGION } };
  }

  /** @throws AdminRejection for what no topic could store */
  checkedFields(request: RemotingFrame): SendFields {
    const send = sendFieldsOf(request);
    topicNameOf({ topic: send.topic });
    this.assertSize(send, request.body);
    this.assertQueue(send);
    return send;
  }

  private storeOne(send: SendFields, { body }: RemotingFrame, arrival: Arrival): readonly Stored[] {
    const due = dueTimeOf(send.properties, arrival);
    const message = messageToStore(send, { body, flag: send.flag, properties: send.properties }, arrival);
    const waits = due !== undefined && message.type === 'delay';
    const stored = waits ? withPlace(message, send) : message;
    const firstCheckSeconds = integerIn(decodeProperties(send.properties).get('CHECK_IMMUNITY_TIME_IN_SECONDS'));
    const recoveryMs = message.type === 'transaction' ? this.recoveryOf(firstCheckSeconds) : undefined;
    const results = this.store(send, [stored], due?.atMs, recoveryMs, arrival.nowMs);
    return results.map((result) => ({
      ...result,
      logOffset: this.logOffsetOf(send.topic, message, result, waits),
      recallHandle: due?.isTimer === true ? result.recallHandle : undefined,
    }));
  }

  private storeBatch(send: SendFields, { body }: RemotingFrame, arrival: Arrival): readonly Stored[] {
    if (decodeProperties(send.properties).has('DELAY')) {
      const message = 'batch message does not support a delay; nothing was stored';
      throw new AdminRejection(RESPONSE_CODES.messageIllegal, message);
    }
    // A delay inside of a batch is ignored, as on the server.
    const messages = batchIn(body).map((part) => messageToStore(send, part, arrival));
    const visible = messages.map((message): StoredMessage => {
      return message.type === 'delay' || message.type === 'transaction' ? { ...message, type: 'normal' } : message;
    });
    const results = this.store(send, visible, undefined, undefined, arrival.nowMs);
    return results.map((result, index) => ({
      ...result,
      logOffset: this.logOffsetOf(send.topic, visible[index] as StoredMessage, result, false),
      recallHandle: undefined,
    }));
  }

  private store(
    send: SendFields,
    messages: readonly StoredMessage[],
    dueAtMs: number | undefined,
    recoveryMs: number | undefined,
    nowMs: number,
  ): SendResult[] {
    const { topic, defaultTopic, defaultTopicQueueNums } = send;
    const queuesWhenNew =
      defaultTopic === TEMPLATE_TOPIC ? Math.min(Math.max(1, defaultTopicQueueNums), MAX_NEW_QUEUES) : undefined;
    // The server goes by the priority, whatever queue the client chose.
    const isChosen = send.queueId >= 0 && messages[0]?.priority === undefined;
    const placement = { queueId: isChosen ? send.queueId : undefined, queuesWhenNew, dueAtMs };
    try {
      return this.broker.engine.send({ topic, messages, recoveryMs, nowMs, placement });
    } catch (error) {
      if (!(error instanceof Rejection) || error.reason !== 'unknown-topic') throw error;
      throw new AdminRejection(RESPONSE_CODES.topicNotExist, `topic[${topic}] not exist, apply first please!`);
    }
  }

  private placesOf(results: readonly Stored[]): Record<string, string> {
    const [first] = results as [Stored];
    const ids = results.map(({ logOffset }) => this.idAt(logOffset));
    return {
      msgId: ids.join(','),
      transactionId: first.messageId,
      queueId: String(first.queueId),
      queueOffset: String(first.offset),
      ...(first.recallHandle !== undefined && { recallHandle: first.recallHandle }),
    };
  }

  /** A message that waits has none: the server stores it in a topic of its own. */
  private logOffsetOf(topic: string, { type }: StoredMessage, { queueId, offset }: SendResult, waits: boolean): number {
    if (waits) return 0;
    const { logOffsets } = this.broker.engine;
    return type === 'transaction' ? logOffsets.ofHalf(topic, offset) : logOffsets.of({ topic, queueId, offset });
  }

  private idAt(commitLogOffset: number): string {
    return offsetMessageIdOf({ storeHost: this.broker.address(), commitLogOffset });
  }

  /** Below the broker's own time it counts as that. */
  private recoveryOf(seconds: number | undefined): number | undefined {
    if (seconds === undefined || seconds <= 0) return undefined;
    return Math.max(seconds * SECOND_MS, this.broker.transactionFirstCheckMs);
  }

  private arrivalFrom({ host, address }: ClientConnection): Arrival {
    const { clock, clientTime } = this.broker;
    const nowMs = clock.nowMs();
    return { host, address, nowMs, clientTime, nextId: () => this.ids.next(nowMs) };
  }

  private assertSize({ properties }: SendFields, body: Buffer): void {
    if (body.length === 0) throw rejected(`the body has 0 bytes, it must have 1 to ${LIMITS.bodyBytes}`);
    if (body.length > LIMITS.bodyBytes) {
      const message = `the message is illegal: the body has ${body.length} bytes, the limit is ${LIMITS.bodyBytes}; nothing was stored`;
      throw new AdminRejection(RESPONSE_CODES.messageIllegal, message);
    }
    const size = Buffer.byteLength(properties);
    if (size <= MAX_PROPERTY_BYTES) return;
    const message = `the message is illegal: the properties have ${size} bytes, the limit is ${MAX_PROPERTY_BYTES}; nothing was stored`;
    throw new AdminRejection(RESPONSE_CODES.messageIllegal, message);
  }

  private assertQueue({ topic, queueId }: SendFields): void {
    const queues = this.broker.engine.findTopic(topic)?.queues;
    if (queues === undefined || queueId < queues) return;
    const message = `request queueId[${queueId}] is illegal, topic ${topic} has ${queues} queues`;
    throw new AdminRejection(RESPONSE_CODES.invalidParameter, message);
  }

  /**
   * The group whose message has had its attempts; undefined for another attempt. A consumer that holds queues is an ordered one, which sends only
   * messages that have had them. @see SendMessageProcessor.handleRetryAndDLQ of the server
   */
  private deadRetry(
    { topic, reconsumeTimes, maxReconsumeTimes }: SendFields,
    { version }: RemotingFrame,
  ): GroupRecord | undefined {
    const group = this.groupNamed(topic.slice(RETRY_PREFIX.length));
    const most = attemptsOf(group, version, maxReconsumeTimes);
    const isDead = isOf4(this.broker.release())
      ? reconsumeTimes >= most
      : reconsumeTimes > most || this.hasLocks(group.name);
    return isDead ? group : undefined;
  }

  private async storeDead(
    group: GroupRecord,
    send: SendFields,
    { body }: RemotingFrame,
    arrival: Arrival,
  ): Promise<AdminAnswer> {
    const part = { body, flag: send.flag, properties: send.properties };
    const sent = messageToStore(send, part, arrival);
    const copy = withReserved(sent, { DELAY: '-1' });
    const topic = copy.originTopic ?? send.topic;
    this.broker.engine.sendBack({ group: group.name, topic, copy, dueAtMs: undefined, nowMs: arrival.nowMs });
    await this.broker.store.flush();
    const fields = { msgId: this.idAt(0), transactionId: copy.messageId, queueId: '0', queueOffset: '0' };
    return { ...SUCCESS, fields: { ...fields, ...REGION } };
  }

  /** @see ConsumerSendMsgBackRequestHeader of the server */
  private async sendBack({ fields, version }: RemotingFrame): Promise<AdminAnswer> {
    const group = this.groupNamed(fields.group);
    const { engine, store, clock } = this.broker;
    const at = engine.logOffsets.at(numberIn(fields, 'offset'));
    const message = at && messageAt(store, at.topic, at.queueId, at.offset);
    if (at === undefined || message === undefined) throw rejected(`look message by offset failed, ${fields.offset}`);
    const most = fields.maxReconsumeTimes === undefined ? undefined : numberIn(fields, 'maxReconsumeTimes');
    const level = numberIn(fields, 'delayLevel');
    const nowMs = clock.nowMs();
    const earlierAttempts = message.earlierAttempts + this.popsBefore(group.name, at);
    const isDead = level < 0 || earlierAttempts >= attemptsOf(group, version, most);
    const topic = message.originTopic ?? at.topic;
    const delayLevel = isDead ? undefined : level === 0 ? FIRST_RETRY_LEVEL + earlierAttempts : level;
    const { flag, isSigned, sysFlag, properties: own } = message.remoting ?? GRPC_PARTS;
    const originId = own.ORIGIN_MESSAGE_ID ?? this.idAt(numberIn(fields, 'offset'));
    const DELAY = String(delayLevel ?? 0);
    const properties: Record<string, string> = { ...own, WAIT: 'false', ORIGIN_MESSAGE_ID: originId, DELAY };
    if (delayLevel !== undefined) {
      // The level takes the place of the delay by time that the message had.
      for (const name of ['TIMER_DELAY_SEC', 'TIMER_DELAY_MS']) delete properties[name];
      properties.REAL_TOPIC = RETRY_PREFIX + group.name;
      properties.REAL_QID = '0';
    }
    const copy: StoredMessage = {
      ...message,
      storeTimestampMs: nowMs,
      earlierAttempts: earlierAttempts + 1,
      originTopic: topic,
      deliveryTimestampMs: isDead ? message.deliveryTimestampMs : undefined,
      remoting: { flag, isSigned, sysFlag, properties },
    };
    const delayMs = delayLevel === undefined ? undefined : delayOfLevel(delayLevel);
    const dueAtMs = delayMs === undefined ? undefined : nowMs + delayMs;
    engine.sendBack({ group: group.name, topic, copy, dueAtMs, nowMs });
    await store.flush();
    return SUCCESS;
  }

  /** How often the group has popped a message before this time: the server stores a copy each time, which is then sent back. */
  private popsBefore(group: string, { topic, queueId, offset }: TopicPosition): number {
    const key = keys.delivery({ topic, group, queueId }, offset);
    const record = this.broker.store.get(key) as DeliveryRecord | undefined;
    return Math.max(1, record?.attempt ?? 1) - 1;
  }

  private groupNamed(name: string | undefined): GroupRecord {
    try {
      return this.broker.engine.group(groupNameOf(name));
    } catch (error) {
      if (!(error instanceof Rejection) || error.reason !== 'unknown-group') throw error;
      throw new AdminRejection(RESPONSE_CODES.subscriptionGroupNotExist, `subscription group not exist, ${name}`);
    }
  }
}

interface Stored extends SendResult {
  /** 0 for none. */
  readonly logOffset: number;
}

/** The first release whose clients name the attempts of their group (3.4.9). */
const NAMES_ATTEMPTS = 121;

/** How often a message is sent back before it is a dead letter: what the consumer says, otherwise what the group has. */
function attemptsOf({ maxDeliveryAttempts }: GroupRecord, version: number, said: number | undefined): number {
  return version >= NAMES_ATTEMPTS && said !== undefined ? said : maxDeliveryAttempts - 1;
}

/** Where the message is stored when its time has come, as the server keeps it. */
function withPlace(message: StoredMessage, { topic, queueId }: SendFields): StoredMessage {
  return withReserved(message, { REAL_TOPIC: topic, ...(queueId >= 0 && { REAL_QID: String(queueId) }) });
}
