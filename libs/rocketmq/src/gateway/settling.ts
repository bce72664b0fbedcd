// Ends deliveries on the broker that made them: acknowledges, postpones, or moves to the dead letters.

import { Code, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import { LIMITS } from '../protocol/model/limits.js';
import { RETRY_PREFIX } from '../protocol/model/names.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import { releaseName } from '../protocol/remoting/releases.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import type { Deadline } from '../support/deadline.js';
import { RocketMQError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import { batchAck, isNear } from './batch-ack.js';
import { abilitiesOf, FIRST_WITH } from './broker-release.js';
import { isPullHandle } from './pull/pull-handle.js';
import type { PulledSettling } from './pull/pulled-settling.js';
import {
  type Delivery,
  decodeHandle,
  encodeHandle,
  extraInfoOf,
  processTimeMs,
  type ReceiptHandle,
  storedTopic,
} from './receipt-handle.js';
import { OK, rejection, statusOf } from './statuses.js';

/** A delivery of a message. */
interface DeliveredMessage {
  readonly topic: string;
  readonly consumerGroup: string;
  readonly handle: string;
  readonly messageId: string;
}

interface Change extends Omit<DeliveredMessage, 'messageId'> {
  readonly invisibleMs: number;
  /** Do not count the delivery as an attempt. Brokers before 5.5.0 count it. */
  readonly suspend: boolean;
  /** Whether the message is to be retried later, as opposed to a lease that goes on. Brokers with POP treat both alike. */
  readonly isRetry: boolean;
}

type AckRequest = RpcRequest<'ackMessage'>;
type AckResult = RpcResponse<'ackMessage'>['entries'][number];

const UNREADABLE = rejection(Code.INVALID_RECEIPT_HANDLE, 'the receipt handle was not given out by this client');
/** A broker answers an acknowledgement of an ended delivery like any other, so it is rejected here. */
const EXPIRED = rejection(Code.INVALID_RECEIPT_HANDLE, 'the invisible duration is over: the message is redelivered');
/** The revive queue of ordered deliveries, which are not revived. @see KeyBuilder.POP_ORDER_REVIVE_QUEUE of the server */
const ORDERED = '999';
/** `delayLevel` of a message that is not to be retried. */
const DEAD_LETTER = '-1';

/** Which broker a delivery is settled on. */
interface Brokers {
  /** The release of the broker, 0 while it is unknown. */
  releaseOf(address: string): number;
  /** Where the broker with this name is now, if that is known: it may have moved since it handed out the message. */
  addressOf(brokerName: string): string | undefined;
}

/** The settled deliveries of one client. An `address` is that of the poll. */
export class Settling {
  constructor(
    private readonly client: RemotingClient,
    private readonly brokers: Brokers,
    /** Of brokers without POP. */
    private readonly pulled: Pick<PulledSettling, 'ack' | 'change' | 'deadLetter'>,
  ) {}

  async ack(address: string, request: AckRequest, deadline: Deadline): Promise<RpcResponse<'ackMessage'>> {
    const pulled = request.entries.filter(({ receiptHandle }) => isPullHandle(receiptHandle));
    if (pulled.length === 0) return this.ackPopped(address, request, deadline);
    const results = pulled.map(({ messageId, receiptHandle }) => {
      return { messageId, receiptHandle, status: this.pulled.ack(receiptHandle) };
    });
    if (pulled.length === request.entries.length) return { status: overall(results), entries: results };
    // The broker was upgraded meanwhile.
    const popped = request.entries.filter(({ receiptHandle }) => !isPullHandle(receiptHandle));
    const { entries } = await this.ackPopped(address, { ...request, entries: popped }, deadline);
    return { status: overall([...results, ...entries]), entries: [...results, ...entries] };
  }

  private async ackPopped(
    address: string,
    { group, topic, entries }: AckRequest,
    deadline: Deadline,
  ): Promise<RpcResponse<'ackMessage'>> {
    const consumerGroup = group?.name ?? '';
    const topicName = topic?.name ?? '';
    const handles = entries.map(({ receiptHandle }) => decodeHandle(receiptHandle));
    const nowMs = processTimeMs();
    const valid = handles.filter(
      (handle): handle is ReceiptHandle => handle !== undefined && problemOf(handle, nowMs) === undefined,
    );
    // One address has one broker, so all handles name the same one.
    const status = await this.ackAll(this.nowAt(valid[0], address), topicName, consumerGroup, valid, deadline);
    const answeredAtMs = processTimeMs();
    const results = entries.map(({ messageId, receiptHandle }, index): AckResult => {
      const handle = handles[index];
      return { messageId, receiptHandle, status: problemOf(handle, answeredAtMs) ?? status(handle) };
    });
    return { status: overall(results), entries: results };
  }

  /** Acknowledges one delivery. */
  async ackOne(address: string, message: DeliveredMessage, deadline: Deadline): Promise<Status> {
    const handle = decodeHandle(message.handle);
    const problem = problemOf(handle);
    if (problem !== undefined || handle === undefined) return problem ?? UNREADABLE;
    const { topic, consumerGroup } = message;
    return this.ackDelivery(this.nowAt(handle, address), topic, consumerGroup, handle, deadline);
  }

  /** @returns the new handle with an OK */
  async change(
    address: string,
    { topic, consumerGroup, handle: text, invisibleMs, suspend, isRetry }: Change,
    deadline: Deadline,
  ): Promise<RpcResponse<'changeInvisibleDuration'>> {
    const no = (status: Status) => ({ status, receiptHandle: '' });
    if (!(invisibleMs >= 0 && invisibleMs <= LIMITS.invisibleDurationMaxMs)) {
      const limit = `from 0 to ${LIMITS.invisibleDurationMaxMs}`;
      return no(rejection(Code.ILLEGAL_INVISIBLE_TIME, `the invisible duration of ${invisibleMs} ms is not ${limit}`));
    }
    if (isPullHandle(text)) return this.pulled.change(text, { invisibleMs, suspend, isRetry }, deadline);
    const handle = decodeHandle(text);
    const problem = problemOf(handle);
    if (problem !== undefined || handle === undefined) return no(problem ?? UNREADABLE);
    const broker = this.nowAt(handle, address);
    const release = this.brokers.releaseOf(broker);
    if (handle.reviveQueue === ORDERED && release > 0 && !abilitiesOf(release).changesOrdered) {
      const needed = `to renew or postpone an ordered message needs RocketMQ ${FIRST_WITH.orderedChange} or later`;
      const then = 'it is redelivered when its invisible duration is over';
      return no(rejection(Code.UNSUPPORTED, `${broker} runs ${releaseName(release)}; ${needed}; ${then}`));
    }
    const fields = {
      ...deliveryFields(topic, consumerGroup, handle),
      invisibleTime: String(invisibleMs),
      suspend: String(suspend),
    };
    const expiresAtMs = processTimeMs() + invisibleMs;
    const request = { code: REQUEST_CODES.changeMessageInvisibleTime, fields };
    const answer = await this.client.ask(broker, request, deadline);
    const status = statusOf(answer, broker);
    if (status.code !== Code.OK) return no(status);
    const { popTime, invisibleTime, reviveQid } = answer.fields;
    const renewed: Delivery = {
      ...handle,
      startOffset: handle.offset,
      popTimeMs: popTime ?? handle.popTimeMs,
      invisibleMs: invisibleTime ?? handle.invisibleMs,
      reviveQueue: reviveQid ?? handle.reviveQueue,
    };
    return { status: OK, receiptHandle: encodeHandle(renewed, handle.commitLogOffset, expiresAtMs) };
  }

  /** Copies the message to the dead letters of the group, then acknowledges it; a delivery that has ended is moved as well. */
  async deadLetter(address: string, message: DeliveredMessage, deadline: Deadline): Promise<Status> {
    if (isPullHandle(message.handle)) return this.pulled.deadLetter(message.handle, deadline);
    const { topic, consumerGroup, messageId } = message;
    const handle = decodeHandle(message.handle);
    if (handle === undefined) return UNREADABLE;
    const fields = {
      offset: handle.commitLogOffset,
      group: consumerGroup,
      delayLevel: DEAD_LETTER,
      originMsgId: messageId,
      originTopic: storedTopic(topic, consumerGroup, handle.from),
      unitMode: 'false',
      maxReconsumeTimes: '0',
    };
    const request = { code: REQUEST_CODES.consumerSendMessageBack, fields };
    const broker = this.nowAt(handle, address);
    const status = statusOf(await this.client.ask(broker, request, deadline), broker);
    if (status.code !== Code.OK) return status;
    const problem = await this.ackDelivery(broker, topic, consumerGroup, handle, deadline).then(
      (acked) => (acked.code === Code.OK ? undefined : acked.message),
      (error) => describeError(error),
    );
    if (problem === undefined) return OK;
    // A repetition would copy it again, so the outcome is not that of the second request.
    const text = `the message is in the dead letters, but it may be redelivered and copied again: ${problem}`;
    return rejection(Code.INTERNAL_SERVER_ERROR, text);
  }

  /** Whether the broker redelivers the message, so that nothing has to be done about this delivery. */
  hasEnded(handle: string): boolean {
    return problemOf(decodeHandle(handle)) === EXPIRED;
  }

  private nowAt(handle: ReceiptHandle | undefined, address: string): string {
    return (handle === undefined ? undefined : this.brokers.addressOf(handle.brokerName)) ?? address;
  }

  private async ackAll(
    address: string,
    topic: string,
    consumerGroup: string,
    handles: readonly ReceiptHandle[],
    deadline: Deadline,
  ): Promise<(handle: ReceiptHandle | undefined) => Status> {
    const statuses = new Map<ReceiptHandle | undefined, Status>();
    // Of a batch, the broker derives the name of the retry topic from the original one, which such messages do not have.
    const mayShare =
      handles.length > 1 &&
      topic !== RETRY_PREFIX + consumerGroup &&
      abilitiesOf(this.brokers.releaseOf(address)).acksTogether;
    const near = mayShare ? handles.filter(isNear) : [];
    const together = async (): Promise<Status> =>
      statusOf(await this.client.ask(address, batchAck(topic, consumerGroup, near), deadline), address);
    const alone = near.length === handles.length ? [] : handles.filter((handle) => !near.includes(handle));
    const failures: unknown[] = [];
    const note = async (of: readonly ReceiptHandle[], request: Promise<Status>): Promise<void> => {
      const status = await request.catch((error: unknown) => {
        failures.push(error);
        return failureStatus(error);
      });
      for (const handle of of) statuses.set(handle, status);
    };
    const requests = alone.map((handle) =>
      note([handle], this.ackDelivery(address, topic, consumerGroup, handle, deadline)),
    );
    if (near.length > 0) requests.push(note(near, together()));
    await Promise.all(requests);
    // The error of some requests must not hide that others took effect.
    if (failures.length > 0 && failures.length === requests.length) throw failures[0];
    return (handle) => statuses.get(handle) ?? UNREADABLE;
  }

  private async ackDelivery(
    address: string,
    topic: string,
    consumerGroup: string,
    handle: ReceiptHandle,
    deadline: Deadline,
  ): Promise<Status> {
    const fields = deliveryFields(topic, consumerGroup, handle);
    const answer = await this.client.ask(address, { code: REQUEST_CODES.ackMessage, fields }, deadline);
    return statusOf(answer, address);
  }
}

function problemOf(handle: ReceiptHandle | undefined, nowMs = processTimeMs()): Status | undefined {
  if (handle === undefined) return UNREADABLE;
  return handle.expiresAtMs <= nowMs ? EXPIRED : undefined;
}

/** For one of several requests that got no answer. */
function failureStatus(error: unknown): Status {
  const isUnsent = RocketMQError.is(error) && error.outcome === 'not-sent';
  return rejection(isUnsent ? Code.TOO_MANY_REQUESTS : Code.PROXY_TIMEOUT, describeError(error));
}

function overall(results: readonly AckResult[]): Status {
  const [first] = results;
  if (first?.status === undefined) return rejection(Code.BAD_REQUEST, 'no message to acknowledge');
  const isSame = results.every(({ status }) => status?.code === first.status?.code);
  return isSame ? first.status : rejection(Code.MULTIPLE_RESULTS, 'the results differ');
}

function deliveryFields(topic: string, consumerGroup: string, handle: ReceiptHandle): Record<string, string> {
  return {
    consumerGroup,
    topic: storedTopic(topic, consumerGroup, handle.from),
    queueId: handle.queueId,
    extraInfo: extraInfoOf(handle),
    offset: handle.offset,
    ...(handle.liteTopic === undefined ? {} : { liteTopic: handle.liteTopic }),
  };
}
