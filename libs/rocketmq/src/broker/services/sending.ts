// SendMessage, RecallMessage, EndTransaction.

import { durationMs } from '../../protocol/grpc/duration.js';
import {
  Code,
  TransactionResolution,
  TransactionSource,
  type Message as WireMessage,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { SendResultEntry } from '../../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import type { RpcName, RpcRequest, RpcResponse } from '../../protocol/grpc/rpc.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { deadLetterTopicOf } from '../../protocol/model/names.js';
import { wrongTypeWords } from '../engine/registry.js';
import { Rejection } from '../engine/rejection.js';
import type { SendRequest, SendResult } from '../engine/send.js';
import type { Resolution } from '../engine/transactions.js';
import type { StoredMessage } from '../store/records.js';
import { storedHandleOf } from '../time/derived-handles.js';
import type { BrokerContext } from './broker-context.js';
import { AnswerError, OK } from './status.js';
import type { TransactionChecks } from './transaction-checks.js';
import { assertMessage, topicName } from './validation.js';
import { toStoredMessage } from './wire-messages.js';

/** A promise only if the store is asynchronous. */
type Answer<N extends RpcName> = RpcResponse<N> | Promise<RpcResponse<N>>;

export class Sending {
  constructor(
    private readonly broker: BrokerContext,
    private readonly checks: TransactionChecks,
  ) {}

  /** Returns one entry, whatever the number of messages. One invalid message rejects the whole request. */
  sendMessage({ messages }: RpcRequest<'sendMessage'>): Answer<'sendMessage'> {
    const { maxDelayMs, clientTime } = this.broker;
    const nowMs = this.broker.clock.nowMs();
    const topic = commonTopic(messages);
    // The real server stores the time of the first message for all messages of a request.
    const bornAtMs = messages[0]?.systemProperties?.bornTimestamp?.getTime() ?? clientTime.toClient(nowMs);
    const stored = messages.map((message) => {
      const system = assertMessage(message, clientTime.toClient(nowMs), maxDelayMs);
      return toStoredMessage(message, system, { bornAtMs, nowMs, clientTime });
    });
    assertBatch(stored);
    const recovery = messages[0]?.systemProperties?.orphanedTransactionRecoveryDuration;
    const recoveryMs = recovery === undefined ? undefined : durationMs(recovery);
    const results = this.send({ topic, messages: stored, recoveryMs, nowMs });
    const answer = { status: OK, entries: [entryOf(results)] };
    return this.broker.store.flush()?.then(() => answer) ?? answer;
  }

  async recallMessage({ topic, recallHandle }: RpcRequest<'recallMessage'>): Promise<RpcResponse<'recallMessage'>> {
    const { engine, store, clock, clientTime } = this.broker;
    const handle = storedHandleOf(store, clientTime, recallHandle);
    const messageId = engine.recall(topicName(topic), handle, clock.nowMs());
    await store.flush();
    return { status: OK, messageId };
  }

  /** Any producer may end a transaction. The Go client omits the source when it ends its own. */
  async endTransaction(request: RpcRequest<'endTransaction'>): Promise<RpcResponse<'endTransaction'>> {
    const topic = topicName(request.topic);
    const { transactionId } = request;
    if (transactionId.trim() === '') {
      throw new AnswerError(Code.INVALID_TRANSACTION_ID, 'transaction id cannot be empty');
    }
    this.checks.answered(topic, transactionId);
    const resolution = resolutionOf(request.resolution);
    const isAnswer = request.source === TransactionSource.SOURCE_SERVER_CHECK;
    const nowMs = this.broker.clock.nowMs();
    this.broker.engine.endTransaction({ topic, transactionId, resolution, isAnswer, nowMs });
    await this.broker.store.flush();
    return { status: OK };
  }

  private send(request: SendRequest): SendResult[] {
    try {
      return this.broker.engine.send(request);
    } catch (error) {
      if (!(error instanceof Rejection) || error.reason !== 'unknown-topic') throw error;
      if (request.topic.startsWith(deadLetterTopicOf(''))) throw error;
      // The real server detects an unknown topic by its missing type. Clients get TOPIC_NOT_FOUND from the route before that.
      const actual = request.messages[0]?.type ?? 'normal';
      const message = `${wrongTypeWords('unspecified', actual)}: topic "${request.topic}" does not exist`;
      throw new AnswerError(Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, message);
    }
  }
}

/**
 * The entry for several messages is that of the first, with its message id, as from a proxy in cluster mode. (A proxy in local mode
 * returns an id that is used nowhere else.)
 */
function entryOf(results: readonly SendResult[]): SendResultEntry {
  // `commonTopic` has rejected a request without messages.
  const { messageId, offset, recallHandle = '' } = results[0] as SendResult;
  const ids = results.length === 1 ? messageId : results.map((result) => result.messageId).join(',');
  // The real server sets the transaction id for every message type.
  return { status: OK, messageId: ids, transactionId: messageId, offset: BigInt(offset), recallHandle };
}

function commonTopic(messages: readonly WireMessage[]): string {
  const [first] = messages;
  if (first === undefined) throw new AnswerError(Code.MESSAGE_CORRUPTED, 'no message to send');
  if (messages.some(({ topic }) => topic?.name !== first.topic?.name)) {
    throw new AnswerError(Code.MESSAGE_CORRUPTED, 'topic in message is not same');
  }
  return topicName(first.topic);
}

function assertBatch(messages: readonly StoredMessage[]): void {
  if (messages.length === 1) return;
  const [first] = messages;
  if (messages.some(({ type }) => type !== first?.type)) {
    const message = 'the messages of a request must be of one type';
    throw new AnswerError(Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, message);
  }
  if (first?.type === 'transaction') {
    throw new AnswerError(Code.BAD_REQUEST, 'transaction messages cannot be sent together');
  }
  const size = messages.reduce((sum, { body }) => sum + body.length, 0);
  if (size > LIMITS.bodyBytes) {
    const message = `the bodies have ${size} bytes together; the limit is ${LIMITS.bodyBytes}`;
    throw new AnswerError(Code.MESSAGE_BODY_TOO_LARGE, message);
  }
}

function resolutionOf(wire: TransactionResolution): Resolution {
  if (wire === TransactionResolution.COMMIT) return 'commit';
  return wire === TransactionResolution.ROLLBACK ? 'rollback' : 'unspecified';
}
