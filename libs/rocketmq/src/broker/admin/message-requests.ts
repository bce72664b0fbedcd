// Requests about messages: lookup by id or key, and what operators do with those that wait.

import { GIVEN_UP_TOPIC } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { encodeStoredMessage, offsetInMessageId } from '../../protocol/remoting/stored-message.js';
import { messagesById, messagesByKey } from '../engine/message-index.js';
import { Rejection } from '../engine/rejection.js';
import type { MessageEntry } from '../engine/views.js';
import { storedHandleOf } from '../time/derived-handles.js';
import { type AdminAnswer, AdminRejection, numberIn, rejected, SUCCESS } from './admin-answer.js';
import type { AdminContext, RequestTable } from './admin-context.js';
import { isKeptTopic, keptById } from './kept-topics.js';
import { storedFieldsOf } from './stored-fields.js';

/** The most messages returned for an id, whatever was requested (`defaultQueryMaxNum`), and for a key (`maxMsgsNumBatch`). */
const MAX_BY_ID = 32;
const MAX_BY_KEY = 64;
/** The end of time; one millisecond later is still a safe integer. */
const LAST_TIME_MS = Number.MAX_SAFE_INTEGER - 1;
export class MessageRequests {
  readonly table: RequestTable = [
    [REQUEST_CODES.queryMessage, (request) => this.query(request)],
    [REQUEST_CODES.resumeCheckHalfMessage, (request) => this.resume(request)],
    [REQUEST_CODES.recallMessage, (request) => this.recall(request)],
  ];

  constructor(private readonly broker: AdminContext) {}

  /** @see QueryMessageRequestHeader of the server */
  private query({ fields }: RemotingFrame): AdminAnswer {
    const found = this.found(fields);
    // The progress of the index: tools do not read the answer without it.
    const { clock, clientTime } = this.broker;
    const indexedAtMs = clientTime.toClient(clock.nowMs());
    const indexed = { indexLastUpdateTimestamp: String(indexedAtMs), indexLastUpdatePhyoffset: '0' };
    const bodies = found.map((entry) => this.bytesOf(entry));
    if (found.length > 0) return { ...SUCCESS, fields: indexed, body: Buffer.concat(bodies) };
    throw new AdminRejection(RESPONSE_CODES.queryNotFound, 'can not find message, maybe time range not correct');
  }

  private found(fields: RemotingFrame['fields']): MessageEntry[] {
    const { store, engine, clientTime } = this.broker;
    const [topic, key] = [fields.topic ?? '', fields.key ?? ''];
    const limit = Math.min(MAX_BY_KEY, Math.max(0, numberIn(fields, 'maxNum')));
    const fromMs = clientTime.toBroker(timeIn(fields, 'beginTimestamp'));
    const toMs = Math.min(clientTime.toBrokerLast(timeIn(fields, 'endTimestamp')), LAST_TIME_MS);
    if (fields._UNIQUE_KEY_QUERY !== 'true') return messagesByKey(store, { topic, key, limit, fromMs, toMs });
    if (isKeptTopic(topic) && engine.findTopic(topic) === undefined)
      return keptById(store, engine, topic, key, MAX_BY_ID);
    return messagesById(store, { topic, messageId: key, limit: MAX_BY_ID, fromMs, toMs });
  }

  /** Cancels a delayed message. @see RecallMessageRequestHeader of the server */
  private async recall({ fields }: RemotingFrame): Promise<AdminAnswer> {
    const { topic = '', recallHandle = '' } = fields;
    try {
      const { engine, clock, store, clientTime } = this.broker;
      const handle = storedHandleOf(store, clientTime, recallHandle);
      const msgId = engine.recall(topic, handle, clock.nowMs(), false);
      await this.broker.store.flush();
      return { ...SUCCESS, fields: { msgId } };
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      throw new AdminRejection(RECALL_REJECTIONS.get(error.reason) ?? RESPONSE_CODES.illegalOperation, error.message);
    }
  }

  /** Resumes the checks of a half message that was given up. @see ResumeCheckHalfMessageRequestHeader of the server */
  private async resume({ fields }: RemotingFrame): Promise<AdminAnswer> {
    const logOffset = offsetInMessageId(fields.msgId ?? '');
    if (logOffset === undefined) throw rejected(`msgId "${fields.msgId ?? ''}" is not the id of a stored message`);
    const failed = 'Exception was thrown when putting message back to RMQ_SYS_TRANS_HALF_TOPIC.';
    const at = this.broker.engine.logOffsets.at(logOffset);
    if (at?.topic !== GIVEN_UP_TOPIC) throw rejected(`${failed} there is no given up half message at ${logOffset}`);
    try {
      this.broker.engine.resumeTransaction(at.offset, this.broker.clock.nowMs());
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      throw rejected(`${failed} ${error.message}`);
    }
    await this.broker.store.flush();
    return SUCCESS;
  }

  private bytesOf(entry: MessageEntry): Buffer {
    const { engine, clientTime } = this.broker;
    return encodeStoredMessage(storedFieldsOf(entry, { address: this.broker.address(), clientTime, engine }));
  }
}

/** The others are illegal operations. */
const RECALL_REJECTIONS: ReadonlyMap<string, AdminAnswer['code']> = new Map([
  ['recall-disabled', RESPONSE_CODES.noPermission],
  ['unknown-topic', RESPONSE_CODES.topicNotExist],
]);

/** Java's largest long exceeds a safe integer; it stands for the end of time. */
function timeIn(fields: RemotingFrame['fields'], name: string): number {
  const value = Number(fields[name]);
  if (Number.isFinite(value)) return Math.min(value, LAST_TIME_MS);
  throw rejected(`${name} must be a number, not ${fields[name]}`);
}
