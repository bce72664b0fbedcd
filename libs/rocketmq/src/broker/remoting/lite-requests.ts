// Requests about lite topics: what a client subscribes to (200071), and pops of that (200070).

import { Code, LiteSubscriptionAction } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LITE_QUEUE_OFFSET_PROPERTY, LITE_QUEUE_PROPERTY } from '../../protocol/model/names.js';
import { queueOfMessageGroup } from '../../protocol/model/queue-hash.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { type AdminAnswer, AdminRejection, SUCCESS } from '../admin/admin-answer.js';
import type { Delivery } from '../engine/deliveries.js';
import type { PopRequest, PopResult } from '../engine/pop.js';
import type { LiteSubscriptions } from '../services/lite-subscriptions.js';
import { AnswerError } from '../services/status.js';
import type { ClientConnection } from './client-connection.js';
import { markOf } from './pop-handles.js';
import { batchSizeOf, consumingGroup, isTooOld, leaseOf, POP_BYTES, pollOf, TOO_OLD } from './pop-requests.js';
import { PoppedMessages } from './popped-messages.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import { objectIn, objectsIn, textIn } from './request-body.js';
import type { Waiter, WaitingRequests } from './waiting-requests.js';

/** @see LiteSubscriptionAction of the server */
const ACTIONS: ReadonlyMap<string, LiteSubscriptionAction> = new Map([
  ['PARTIAL_ADD', LiteSubscriptionAction.PARTIAL_ADD],
  ['PARTIAL_REMOVE', LiteSubscriptionAction.PARTIAL_REMOVE],
  ['COMPLETE_ADD', LiteSubscriptionAction.COMPLETE_ADD],
  ['COMPLETE_REMOVE', LiteSubscriptionAction.COMPLETE_REMOVE],
]);

type Fields = RemotingFrame['fields'];

export class LiteRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.liteSubscriptionCtl, (request, connection) => this.subscribe(request, connection)],
    [REQUEST_CODES.popLiteMessage, ({ fields }, connection, work) => this.pop(fields, { connection, work })],
  ];

  private readonly popped: PoppedMessages;

  constructor(
    private readonly broker: RemotingContext,
    private readonly lite: LiteSubscriptions,
    private readonly waiting: WaitingRequests,
  ) {
    this.popped = new PoppedMessages(broker);
  }

  /** @see LiteSubscriptionCtlRequestBody of the server */
  private subscribe(request: RemotingFrame, connection: ClientConnection): AdminAnswer {
    const entries = objectsIn(objectIn(request).subscriptionSet);
    if (entries.length === 0) throw illegal('the request has no subscription; nothing was changed');
    for (const entry of entries) {
      const action = ACTIONS.get(textIn(entry.action));
      if (action === undefined) throw illegal('the action of a subscription is unknown; those before it were changed');
      const [clientId, consumerGroup, topic] = [textIn(entry.clientId), textIn(entry.group), textIn(entry.topic)];
      if (clientId === '') throw illegal('a subscription has no clientId; those before it were changed');
      const names = Array.isArray(entry.liteTopicSet) ? entry.liteTopicSet.map(textIn) : [];
      const takenOver = (liteTopic: string): void => {
        connection.notify({
          code: REQUEST_CODES.notifyUnsubscribeLite,
          fields: { liteTopic, consumerGroup, clientId },
        });
      };
      this.apply(
        { action, topic: named(topic), group: named(consumerGroup), liteTopicSet: names },
        { clientId, takenOver },
      );
    }
    return SUCCESS;
  }

  private apply(
    change: Parameters<LiteSubscriptions['change']>[0],
    subscriber: Omit<Parameters<LiteSubscriptions['change']>[1], 'user'>,
  ): void {
    try {
      this.lite.change(change, subscriber);
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      const isFull = error.answer === Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED;
      const code = isFull ? RESPONSE_CODES.liteSubscriptionQuotaExceeded : RESPONSE_CODES.illegalOperation;
      throw new AdminRejection(code, error.message);
    }
  }

  /** @see PopLiteMessageRequestHeader of the server */
  private async pop(fields: Fields, waiter: Waiter): Promise<AdminAnswer> {
    if (isTooOld(fields, this.broker.realClock.nowMs())) return TOO_OLD;
    const request = this.requestOf(fields);
    const attempt = (): PopResult | undefined => this.attempt(request);
    const { topic, group, leaseMs } = request;
    const wait = { topic, group: group.name, timeoutMs: pollOf(fields), isPicky: true, attempt };
    const result = await this.waiting.find(waiter, wait);
    await this.broker.store.flush();
    if (result === 'full') return this.popped.none(RESPONSE_CODES.pollingFull, leaseMs);
    if (result === undefined) return this.popped.none(RESPONSE_CODES.pollingTimeout, leaseMs);
    return this.answer(result.deliveries, request);
  }

  private requestOf(fields: Fields): Omit<PopRequest, 'nowMs' | 'liteTopics'> & { readonly clientId: string } {
    const batchSize = batchSizeOf(fields.maxMsgNum, fields);
    const topic = this.broker.engine.findTopic(fields.topic ?? '');
    if (topic === undefined)
      throw new AdminRejection(RESPONSE_CODES.topicNotExist, `topic [${fields.topic}] not exist, apply first please!`);
    if (topic.type !== 'lite') throw invalid(`the topic [${topic.name}] message type not match`);
    const group = consumingGroup(this.broker, fields.consumerGroup);
    if (group.lite?.topic !== topic.name) throw invalid(`subscription bind topic not match, ${group.name}`);
    return {
      topic: topic.name,
      // A client keeps dead letters of lite topics itself.
      group: { ...group, maxDeliveryAttempts: Number.POSITIVE_INFINITY },
      batchSize,
      maxBytes: POP_BYTES,
      leaseMs: leaseOf(fields),
      attemptId: fields.attemptId || undefined,
      clientId: fields.clientId ?? '',
      matches: () => true,
    };
  }

  private attempt(request: Omit<PopRequest, 'nowMs' | 'liteTopics'> & { readonly clientId: string }) {
    const { engine, clock } = this.broker;
    const liteTopics = this.lite.of(request.clientId, request.group.name);
    const result = engine.pop({ ...request, liteTopics, nowMs: clock.nowMs() });
    return result.deliveries.length === 0 ? undefined : result;
  }

  private answer(
    deliveries: readonly Delivery[],
    { topic, leaseMs }: Pick<PopRequest, 'topic' | 'leaseMs'>,
  ): AdminAnswer {
    const mark = markOf(deliveries[0]?.receiptHandle ?? '', true);
    const queues = this.broker.engine.findTopic(topic)?.queues ?? 1;
    // The queue in which the server stores the message besides, with the position in that of the lite topic.
    const body = this.popped.bodyOf(deliveries, undefined, (stored, { message, offset }) => {
      const liteTopic = message.liteTopic ?? '';
      const place = [
        [LITE_QUEUE_PROPERTY, `%LMQ%$${topic}$${liteTopic}`],
        [LITE_QUEUE_OFFSET_PROPERTY, String(offset)],
      ] as const;
      const queueId = queueOfMessageGroup(liteTopic, queues);
      return { ...stored, queueId, properties: new Map([...stored.properties, ...place]) };
    });
    const orderCountInfo = deliveries.map(({ attempt }) => String(attempt - 1)).join(';');
    return { ...SUCCESS, remark: 'FOUND', fields: { ...this.popped.times(leaseMs, mark), orderCountInfo }, body };
  }
}

function named(name: string) {
  return { resourceNamespace: '', name };
}

function illegal(message: string): AdminRejection {
  return new AdminRejection(RESPONSE_CODES.illegalOperation, message);
}

function invalid(message: string): AdminRejection {
  return new AdminRejection(RESPONSE_CODES.invalidParameter, message);
}
