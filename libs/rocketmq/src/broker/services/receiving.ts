// ReceiveMessage. Waiting is in long-polls.ts; the engine selects the messages.

import { durationMs } from '../../protocol/grpc/duration.js';
import { Code, FilterType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../../protocol/grpc/rpc.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { MINUTE_MS } from '../../support/clock.js';
import type { PopRequest, PopResult } from '../engine/pop.js';
import { Rejection } from '../engine/rejection.js';
import { StoreFailure } from '../store/store-failure.js';
import { type BrokerContext, storeHostOf } from './broker-context.js';
import type { CallContext } from './call-context.js';
import { Filters } from './filters.js';
import { assertBound, type LiteSubscriptions } from './lite-subscriptions.js';
import { type ClientSession, isLiteConsumer } from './sessions.js';
import { AnswerError, OK, statusOf } from './status.js';
import { assertInvisibleTime, groupName, topicName } from './validation.js';
import { toDeliveredMessage } from './wire-messages.js';

/** The lease of a client that leaves renewal to the server (`auto_renew`). */
const AUTO_RENEW_LEASE_MS = MINUTE_MS;
/** The delay after which messages popped for a disconnected client are redelivered. */
const ABANDONED_LEASE_MS = 1_000;
/** The time that is reserved to send the response before the deadline. */
const ANSWER_TIME_MS = 500;

type Item = RpcResponse<'receiveMessage'>;

/** The call of one receive. */
interface ReceiveCall {
  /** Milliseconds until the caller's deadline; Infinity without one. */
  readonly remainingMs: number;
  /** Aborts when the caller disconnects or the broker stops. */
  readonly signal: AbortSignal;
}

/** The response to a receive. */
export interface ReceiveAnswer {
  /** In the order of the stream: the status, the messages, the delivery timestamp. */
  readonly items: readonly Item[];
  /** Must be called if the stream broke: the messages from this item on were not sent and are redelivered soon. */
  releaseFrom(index: number): void;
}

/** What a validated request asks for. */
interface ReceiveOptions extends Omit<PopRequest, 'nowMs' | 'group' | 'liteTopics'> {
  readonly group: string;
  readonly clientId: string;
  /** Whether the client receives the lite topics that it subscribes to. */
  readonly isLite: boolean;
  readonly pollMs: number;
}

export class Receiving {
  private readonly filters = new Filters();

  constructor(
    private readonly broker: BrokerContext,
    private readonly lite: LiteSubscriptions,
  ) {}

  async receiveMessage(
    request: RpcRequest<'receiveMessage'>,
    context: CallContext,
    call: ReceiveCall,
  ): Promise<ReceiveAnswer> {
    const end = this.broker.activity.begin('receiveMessage', context.clientId);
    try {
      if (request.filterExpression?.type === FilterType.SQL) await this.filters.load();
      const options = this.optionsOf(request, context, call);
      const result = this.pop(options) ?? (await this.waitAndPop(options, context, call, end));
      await this.broker.store.flush();
      const items = this.answer(options.topic, result);
      return { items, releaseFrom: (index) => this.release(options, items.slice(index)) };
    } catch (error) {
      const items: Item[] = [{ content: { $case: 'status', value: statusOf(error) } }, this.timestamp()];
      return { items, releaseFrom() {} };
    } finally {
      end();
    }
  }

  /** Receives without waiting; undefined if there are no messages. */
  private pop({ group, isLite, ...options }: ReceiveOptions): PopResult | undefined {
    const { engine, clock } = this.broker;
    const liteTopics = isLite ? this.lite.of(options.clientId, group) : undefined;
    const result = engine.pop({ ...options, liteTopics, group: engine.group(group), nowMs: clock.nowMs() });
    return result.deliveries.length === 0 && result.skipped === 0 ? undefined : result;
  }

  private async waitAndPop(
    options: ReceiveOptions,
    context: CallContext,
    { signal }: ReceiveCall,
    endActivity: () => void,
  ): Promise<PopResult | undefined> {
    let result: PopResult | undefined;
    // A waiting poll does not count as activity; it counts again once it has messages.
    endActivity();
    let resume = (): void => {};
    let failure: { readonly error: unknown } | undefined;
    const attempt = (): boolean => {
      try {
        result = this.pop(options);
      } catch (error) {
        // Thrown to this caller, not to the command that woke the poll.
        failure = { error };
        return true;
      }
      if (result !== undefined) resume = this.broker.activity.begin('receiveMessage', context.clientId);
      return result !== undefined;
    };
    const { topic, group, pollMs: timeoutMs, isLite: isPicky } = options;
    await this.broker.polls.wait({ topic, group, timeoutMs, signal, isPicky, attempt });
    if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
    // As on the real server, which looks a last time when the time of a poll is over.
    if (result === undefined) this.broker.engine.assertDelivers(group);
    resume();
    return result;
  }

  private answer(topic: string, result: PopResult | undefined): Item[] {
    if (result === undefined) return this.empty('no new message');
    // The real server does not continue to wait when it found messages, but the filter or the attempt limit excluded them.
    if (result.deliveries.length === 0) return this.empty('no match message');
    const place = { storeHost: storeHostOf(this.broker.addresses()), clientTime: this.broker.clientTime };
    const queues = this.broker.engine.findTopic(topic)?.queues;
    const messages = result.deliveries.map((delivery): Item => {
      return { content: { $case: 'message', value: toDeliveredMessage(delivery, place, queues) } };
    });
    return [{ content: { $case: 'status', value: OK } }, ...messages, this.timestamp()];
  }

  private empty(message: string): Item[] {
    return [{ content: { $case: 'status', value: { code: Code.MESSAGE_NOT_FOUND, message } } }, this.timestamp()];
  }

  private timestamp(): Item {
    const { clock, clientTime } = this.broker;
    return { content: { $case: 'deliveryTimestamp', value: new Date(clientTime.toClient(clock.nowMs())) } };
  }

  /** The client disconnected: its messages are redelivered soon, not at the end of their leases, and in ordinary groups as the same attempt. */
  private release({ topic, group }: ReceiveOptions, items: readonly Item[]): void {
    const { engine, clock } = this.broker;
    // The same time for all, so that they become ready together.
    const nowMs = clock.nowMs();
    for (const { content } of items) {
      if (content?.$case !== 'message') continue;
      const receiptHandle = content.value.systemProperties?.receiptHandle ?? '';
      const handle = { topic, group: engine.group(group), receiptHandle, nowMs };
      try {
        engine.changeInvisible({ ...handle, invisibleMs: ABANDONED_LEASE_MS, suspend: true });
      } catch (error) {
        // Either a repeat of the same receive has the message now, or the store failed and nothing is redelivered before a restart.
        if (!(error instanceof Rejection || error instanceof StoreFailure)) throw error;
      }
    }
  }

  private optionsOf(request: RpcRequest<'receiveMessage'>, context: CallContext, call: ReceiveCall): ReceiveOptions {
    const topic = topicName(request.messageQueue?.topic);
    const group = groupName(request.group);
    const session = this.broker.sessions.require(context.clientId);
    const pollMs = pollTime(request, session, context, call.remainingMs);
    const leaseMs = leaseTime(request);
    const filter = this.filters.of(request.filterExpression);
    this.broker.engine.topic(topic);
    const record = this.broker.engine.group(group);
    const isLite = isLiteConsumer(session);
    if (isLite) assertBound(record, topic);
    // The queue id is ignored: every receive pops from all queues (PROTOCOL 5.2).
    const batchSize = Math.min(Math.max(0, request.batchSize), LIMITS.receiveBatchSize);
    const renewFor = request.autoRenew ? context.clientId : undefined;
    const { clientId } = context;
    const { attemptId } = request;
    return { topic, group, isLite, batchSize, leaseMs, clientId, renewFor, pollMs, ...filter, attemptId };
  }
}

function pollTime(
  request: RpcRequest<'receiveMessage'>,
  { settings }: ClientSession,
  { clientVersion }: CallContext,
  remainingMs: number,
): number {
  const { longPollingMinMs, longPollingMaxMs } = LIMITS;
  const requestTimeoutMs = settings.requestTimeout === undefined ? 0 : durationMs(settings.requestTimeout);
  const wantedMs =
    request.longPollingTimeout === undefined
      ? remainingMs - requestTimeoutMs / 2
      : durationMs(request.longPollingTimeout);
  const pollMs = Math.min(Math.max(wantedMs, longPollingMinMs), longPollingMaxMs);
  if (!Number.isFinite(remainingMs)) {
    throw new AnswerError(Code.ILLEGAL_POLLING_TIME, 'a receive requires a gRPC deadline');
  }
  if (pollMs <= remainingMs) return Math.min(pollMs, Math.max(0, remainingMs - ANSWER_TIME_MS));
  if (remainingMs < longPollingMinMs) {
    // Clients before 5.0.3 do not know the newer code.
    const code = clientVersion < '5.0.3' ? Code.BAD_REQUEST : Code.ILLEGAL_POLLING_TIME;
    const words = 'The deadline time remaining is not enough for polling, please check network condition';
    const message = `${words}; it is ${Math.round(remainingMs)} ms away and must be ${longPollingMinMs} ms or more`;
    throw new AnswerError(code, message);
  }
  return remainingMs - ANSWER_TIME_MS;
}

function leaseTime({ autoRenew, invisibleDuration }: RpcRequest<'receiveMessage'>): number {
  if (autoRenew) return AUTO_RENEW_LEASE_MS;
  const leaseMs = invisibleDuration === undefined ? 0 : durationMs(invisibleDuration);
  assertInvisibleTime(leaseMs, LIMITS.invisibleDurationMinMs);
  return leaseMs;
}
