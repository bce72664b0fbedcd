// AckMessage, ChangeInvisibleDuration, ForwardMessageToDeadLetterQueue.

import { durationMs } from '../../protocol/grpc/duration.js';
import { Code, type Resource, type Status } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type {
  AckMessageEntry,
  AckMessageResultEntry,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import type { RpcRequest, RpcResponse } from '../../protocol/grpc/rpc.js';
import type { HandleRef } from '../engine/deliveries.js';
import type { BrokerContext } from './broker-context.js';
import { AnswerError, commonStatus, OK, statusOf } from './status.js';
import { assertInvisibleTime, groupName, hasLiteTopic, topicName } from './validation.js';

interface HandleRequest {
  readonly topic?: Resource | undefined;
  readonly group?: Resource | undefined;
}

/** To whom the handles of a request were given, and when they came back. */
type Owner = Omit<HandleRef, 'receiptHandle'>;

/** The number of acks that are done in one turn of the event loop. */
const MAX_AT_ONCE = 512;

export class Settling {
  constructor(private readonly broker: BrokerContext) {}

  /** One result per entry, in their order. */
  ackMessage(request: RpcRequest<'ackMessage'>): RpcResponse<'ackMessage'> | Promise<RpcResponse<'ackMessage'>> {
    if (request.entries.length === 0) throw new AnswerError(Code.BAD_REQUEST, 'ack message entries are empty');
    if (request.entries.length > MAX_AT_ONCE) return this.ackMany(request);
    const answer = answerOf(this.ackAll(request, request.entries));
    return this.broker.store.flush()?.then(() => answer) ?? answer;
  }

  /** Each entry is a separate command, so other requests can be served in between. */
  private async ackMany(request: RpcRequest<'ackMessage'>): Promise<RpcResponse<'ackMessage'>> {
    const entries: AckMessageResultEntry[] = [];
    while (entries.length < request.entries.length) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = request.entries.slice(entries.length, entries.length + MAX_AT_ONCE);
      entries.push(...this.ackAll(request, next));
    }
    await this.broker.store.flush();
    return answerOf(entries);
  }

  private ackAll(request: HandleRequest, entries: readonly AckMessageEntry[]): AckMessageResultEntry[] {
    const ackEach = this.acksOf(request);
    return entries.map((entry) => {
      const { messageId, receiptHandle } = entry;
      return { messageId, receiptHandle, status: ackEach(entry) };
    });
  }

  /** The topic and the group are looked up once for all entries. */
  private acksOf(request: HandleRequest): (entry: AckMessageEntry) => Status {
    try {
      const owner = this.ownerOf(request);
      return (entry) => this.ack(owner, entry);
    } catch (error) {
      const rejected = statusOf(error);
      return () => rejected;
    }
  }

  async changeInvisibleDuration(
    request: RpcRequest<'changeInvisibleDuration'>,
  ): Promise<RpcResponse<'changeInvisibleDuration'>> {
    const { invisibleDuration, suspend = false } = request;
    const invisibleMs = invisibleDuration === undefined ? 0 : durationMs(invisibleDuration);
    assertInvisibleTime(invisibleMs, 0);
    const handle = this.handleOf(request, request.receiptHandle);
    const receiptHandle = this.broker.engine.changeInvisible({ ...handle, invisibleMs, suspend });
    await this.broker.store.flush();
    return { status: OK, receiptHandle };
  }

  async forwardMessageToDeadLetterQueue(
    request: RpcRequest<'forwardMessageToDeadLetterQueue'>,
  ): Promise<RpcResponse<'forwardMessageToDeadLetterQueue'>> {
    this.broker.engine.forwardToDeadLetters(this.handleOf(request, request.receiptHandle));
    await this.broker.store.flush();
    return { status: OK };
  }

  private ack(owner: Owner, { receiptHandle, liteTopic }: AckMessageEntry): Status {
    try {
      const { topic, group, nowMs } = owner;
      if ((group.lite !== undefined) !== hasLiteTopic(liteTopic)) {
        const why = 'a lite topic is given for a group of lite topics, and for no other';
        throw new AnswerError(Code.INVALID_RECEIPT_HANDLE, `receipt handle is void: ${why}`);
      }
      this.broker.engine.ack({ topic, group, receiptHandle, nowMs });
      return OK;
    } catch (error) {
      return statusOf(error);
    }
  }

  private handleOf(request: HandleRequest, receiptHandle: string): HandleRef {
    const { topic, group, nowMs } = this.ownerOf(request);
    return { topic, group, receiptHandle, nowMs };
  }

  private ownerOf(request: HandleRequest): Owner {
    const topic = topicName(request.topic);
    const name = groupName(request.group);
    const group = this.broker.engine.findGroup(name);
    if (group === undefined) {
      throw new AnswerError(Code.INVALID_RECEIPT_HANDLE, `receipt handle is void: group "${name}" has no deliveries`);
    }
    return { topic, group, nowMs: this.broker.clock.nowMs() };
  }
}

function answerOf(entries: AckMessageResultEntry[]): RpcResponse<'ackMessage'> {
  return { status: commonStatus(entries.map(({ status }) => status ?? OK)), entries };
}
