// Requests about messages: lookup by id or key, reading a queue, and sending as tools do.

import { LIMITS } from '../../protocol/model/limits.js';
import { DELAYED_TOPIC } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { encodeStoredMessage, offsetInMessageId } from '../../protocol/remoting/stored-message.js';
import { messagesById, messagesByKey } from '../engine/message-index.js';
import { keys, type StoredMessage, type TopicRecord } from '../engine/records.js';
import { Refusal } from '../engine/refusal.js';
import { type MessageEntry, messagesFrom } from '../engine/views.js';
import { storedHandleOf } from '../time/derived-handles.js';
import { type AdminAnswer, AdminRefusal, numberIn, SUCCESS } from './admin-answer.js';
import type { AdminContext, RequestTable } from './admin-context.js';
import { TOOLS_GROUP } from './group-requests.js';
import { delayedFrom, isKeptTopic, keptById } from './kept-topics.js';
import { messageToStore, storedFieldsOf } from './stored-fields.js';
import { topicNameOf } from './topic-config.js';
import type { TopicRequests } from './topic-requests.js';

/** The most messages returned for an id, whatever was requested (`defaultQueryMaxNum`), and for a key (`maxMsgsNumBatch`). */
const MAX_BY_ID = 32;
const MAX_BY_KEY = 64;
const MAX_PULLED = 32;
/** The end of time; one millisecond later is still a safe integer. */
const LAST_TIME_MS = Number.MAX_SAFE_INTEGER - 1;
/** A pull ends after the message that reaches this size (`maxTransferBytesOnMessageInMemory`). */
const PULL_BYTES = 256 * 1024;

export class MessageRequests {
  readonly table: RequestTable = [
    [REQUEST_CODES.sendMessage, (request) => this.send(request)],
    [REQUEST_CODES.pullMessage, (request) => this.pull(request)],
    [REQUEST_CODES.queryMessage, (request) => this.query(request)],
    [REQUEST_CODES.resumeCheckHalfMessage, (request) => this.resume(request)],
    [REQUEST_CODES.recallMessage, (request) => this.recall(request)],
  ];

  constructor(
    private readonly broker: AdminContext,
    private readonly topics: TopicRequests,
  ) {}

  /** @see QueryMessageRequestHeader of the server */
  private query({ fields }: RemotingFrame): AdminAnswer {
    const found = this.found(fields);
    // The progress of the index: tools do not read the answer without it.
    const { clock, clientTime } = this.broker;
    const indexedAtMs = clientTime.toClient(clock.nowMs());
    const indexed = { indexLastUpdateTimestamp: String(indexedAtMs), indexLastUpdatePhyoffset: '0' };
    const bodies = found.map((entry) => this.bytesOf(entry));
    if (found.length > 0) return { ...SUCCESS, fields: indexed, body: Buffer.concat(bodies) };
    throw new AdminRefusal(RESPONSE_CODES.queryNotFound, 'can not find message, maybe time range not correct');
  }

  private found(fields: RemotingFrame['fields']): MessageEntry[] {
    const { store, engine, clientTime } = this.broker;
    const [topic, key] = [fields.topic ?? '', fields.key ?? ''];
    const limit = Math.min(MAX_BY_KEY, Math.max(0, numberIn(fields, 'maxNum')));
    if (fields._UNIQUE_KEY_QUERY !== 'true') {
      const fromMs = clientTime.toBroker(timeIn(fields, 'beginTimestamp'));
      const toMs = Math.min(clientTime.toBrokerLast(timeIn(fields, 'endTimestamp')), LAST_TIME_MS);
      return messagesByKey(store, { topic, key, limit, fromMs, toMs });
    }
    if (isKeptTopic(topic)) return keptById(store, engine, topic, key, MAX_BY_ID);
    return messagesById(store, topic, key, MAX_BY_ID);
  }

  /** Reads without consuming: neither waits nor commits offsets. @see PullMessageRequestHeader of the server */
  private pull({ fields }: RemotingFrame): AdminAnswer {
    this.assertGroup(fields.consumerGroup ?? '');
    if ((fields.subscription ?? '*') !== '*')
      throw refused('the embedded broker supports pulls with subscription * only');
    if ((numberIn(fields, 'sysFlag') & 1) !== 0)
      throw refused('the embedded broker does not support pulls that commit an offset');
    const topic = this.topics.topic(fields.topic);
    const queueId = numberIn(fields, 'queueId');
    const range = this.topics.queues(topic).find((one) => one.queueId === queueId);
    if (range === undefined)
      throw refused(`queueId[${queueId}] is illegal, topic ${topic.name} has ${topic.queues} queues`);
    const { minOffset, maxOffset } = range;
    const offset = numberIn(fields, 'queueOffset');
    const answer = (code: AdminAnswer['code'], nextBeginOffset: number): AdminAnswer => ({
      code,
      fields: {
        // Tools fail without it: the id of the broker to read from next.
        suggestWhichBrokerId: '0',
        nextBeginOffset: String(nextBeginOffset),
        minOffset: String(minOffset),
        maxOffset: String(maxOffset),
      },
    });
    if (offset < minOffset) return answer(RESPONSE_CODES.pullOffsetMoved, minOffset);
    if (offset > maxOffset) return answer(RESPONSE_CODES.pullOffsetMoved, maxOffset);
    if (offset === maxOffset) return answer(RESPONSE_CODES.pullNotFound, offset);
    const { entries, nextOffset } = this.read(topic, queueId, offset, numberIn(fields, 'maxMsgNums'));
    // None of the remaining messages can be read.
    if (entries.length === 0) return answer(RESPONSE_CODES.pullNotFound, maxOffset);
    return { ...answer(SUCCESS.code, nextOffset), body: Buffer.concat(entries.map((entry) => this.bytesOf(entry))) };
  }

  private read({ name: topic }: TopicRecord, queueId: number, offset: number, wanted: number) {
    const entries: MessageEntry[] = [];
    let bytes = 0;
    let nextOffset = offset;
    const most = Math.min(MAX_PULLED, Math.max(1, wanted));
    const { store, engine } = this.broker;
    const stored =
      topic === DELAYED_TOPIC
        ? delayedFrom(store, engine, offset)
        : messagesFrom(store, topic, keys.message(topic, queueId, offset));
    for (const entry of stored) {
      if (entry.queueId !== queueId || entries.length >= most || bytes >= PULL_BYTES) break;
      entries.push(entry);
      bytes += entry.message.body.length;
      nextOffset = entry.offset + 1;
    }
    return { entries, nextOffset };
  }

  /** Sends to a topic of any type; the message is visible at once. @see SendMessageRequestHeader of the server */
  private async send({ fields, body }: RemotingFrame): Promise<AdminAnswer> {
    const name = topicNameOf(fields);
    if (body.length === 0 || body.length > LIMITS.bodyBytes)
      throw refused(`the body has ${body.length} bytes, it must have 1 to ${LIMITS.bodyBytes}`);
    const queueId = numberIn(fields, 'queueId');
    const queues = this.broker.engine.findTopic(name)?.queues;
    if (queues !== undefined && queueId >= queues) {
      const message = `request queueId[${queueId}] is illegal, topic ${name} has ${queues} queues`;
      throw new AdminRefusal(RESPONSE_CODES.invalidParameter, message);
    }
    const { clock, clientTime } = this.broker;
    const message = messageToStore(fields, body, { nowMs: clock.nowMs(), clientTime });
    const at = this.put(name, queueId < 0 ? undefined : queueId, message);
    await this.broker.store.flush();
    const { messageId } = message;
    const answer = {
      msgId: messageId,
      transactionId: messageId,
      queueId: String(at.queueId),
      queueOffset: String(at.offset),
    };
    return { ...SUCCESS, fields: answer };
  }

  /** Cancels a delayed message. @see RecallMessageRequestHeader of the server */
  private async recall({ fields }: RemotingFrame): Promise<AdminAnswer> {
    const { topic = '', recallHandle = '' } = fields;
    try {
      const { engine, clock, store, clientTime } = this.broker;
      const handle = storedHandleOf(store, clientTime, recallHandle);
      const msgId = engine.recall(topic, handle, clock.nowMs());
      await this.broker.store.flush();
      return { ...SUCCESS, fields: { msgId } };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new AdminRefusal(RECALL_REFUSALS.get(error.reason) ?? RESPONSE_CODES.illegalOperation, error.message);
    }
  }

  /** Resumes the checks of a half message that was given up. @see ResumeCheckHalfMessageRequestHeader of the server */
  private async resume({ fields }: RemotingFrame): Promise<AdminAnswer> {
    const offset = offsetInMessageId(fields.msgId ?? '');
    if (offset === undefined) throw refused(`msgId "${fields.msgId ?? ''}" is not the id of a stored message`);
    try {
      this.broker.engine.resumeTransaction(offset, this.broker.clock.nowMs());
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const failed = 'Exception was thrown when putting message back to RMQ_SYS_TRANS_HALF_TOPIC.';
      throw refused(`${failed} ${error.message}`);
    }
    await this.broker.store.flush();
    return SUCCESS;
  }

  private put(name: string, queueId: number | undefined, message: StoredMessage) {
    try {
      return this.broker.engine.administration.put(name, queueId, message);
    } catch (error) {
      if (!(error instanceof Refusal) || error.reason !== 'unknown-topic') throw error;
      throw new AdminRefusal(RESPONSE_CODES.topicNotExist, `topic[${name}] not exist, apply first please!`);
    }
  }

  private assertGroup(name: string): void {
    if (name === TOOLS_GROUP.name || this.broker.engine.findGroup(name) !== undefined) return;
    throw new AdminRefusal(RESPONSE_CODES.subscriptionGroupNotExist, `subscription group [${name}] does not exist`);
  }

  private bytesOf(entry: MessageEntry): Buffer {
    return encodeStoredMessage(storedFieldsOf(entry, this.broker.address(), this.broker.clientTime));
  }
}

/** The others are illegal operations. */
const RECALL_REFUSALS: ReadonlyMap<string, AdminAnswer['code']> = new Map([
  ['recall-disabled', RESPONSE_CODES.noPermission],
  ['unknown-topic', RESPONSE_CODES.topicNotExist],
]);

/** Java's largest long exceeds a safe integer; it stands for the end of time. */
function timeIn(fields: RemotingFrame['fields'], name: string): number {
  const value = Number(fields[name]);
  if (Number.isFinite(value)) return Math.min(value, LAST_TIME_MS);
  throw refused(`${name} must be a number, not ${fields[name]}`);
}

function refused(message: string): AdminRefusal {
  return new AdminRefusal(RESPONSE_CODES.systemError, message);
}
