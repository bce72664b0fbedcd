// The attempts of one send, until it succeeds, is rejected, or times out.

import { hostname } from 'node:os';
import type { Client } from '../../client/client.js';
import type { Queue, Route } from '../../client/route.js';
import { Code, Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { toWireMessage } from '../../protocol/grpc/message-mapping.js';
import { StatusError } from '../../protocol/grpc/status.js';
import type { LevelChoice } from '../../protocol/model/delay-chain.js';
import type { QueueInLayout } from '../../protocol/model/layout.js';
import type { MessageType, OutgoingMessage } from '../../protocol/model/message.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../../support/backoff.js';
import { SystemClock, sleep } from '../../support/clock.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError, TransportError, UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { describe } from '../../support/options.js';
import { isThenable } from '../../support/thenable.js';
import type { Room } from './backpressure.js';
import type { BatchSafety } from './batching.js';
import type { WireBody } from './compression.js';
import type { DurabilityWatch } from './durability.js';
import { GroupQueues } from './group-queue.js';
import { QueueChooser, type QueueSelector } from './queue-choice.js';
import { hasTimeForAnswer, SendFailures } from './send-failures.js';
import { SendLanes } from './send-lane.js';
import { isBrokerAway, requestOne, type StoredMessage } from './send-request.js';

/** The settings of a send; backoff and size are adopted from the server's settings. */
export interface SendPolicy {
  readonly maxAttempts: number;
  /** How far ahead a delayed message may be. */
  readonly maxDelayMs: number;
  readonly delayLevels: LevelChoice;
  readonly queueSelector: QueueSelector | undefined;
  backoff: BackoffPolicy;
  maxBodyBytes: number;
}

/** A validated message to send. */
export interface PreparedMessage {
  readonly message: OutgoingMessage;
  /** As the caller passed it. */
  readonly body: Buffer;
  readonly type: MessageType;
  readonly messageId: string;
  readonly dueMs: number | undefined;
  readonly half: HalfOptions | undefined;
  readonly turn: number;
}

/** Additional settings of a half message. */
export interface HalfOptions {
  /** Default: the server's configuration. */
  readonly firstCheckAfterMs: number | undefined;
}

/**
 * The backoff while no server is available. The server's backoff is for a server that answers, and can be zero. It can be long, because
 * a pause ends when the server recovers; and it must be, because a thousand sends that all retry every second would block the process.
 */
const AWAY: BackoffPolicy = { kind: 'exponential', initialMs: 20, maxMs: 3_000, multiplier: 2 };

/** Sends validated messages, with retries. */
export class SendAttempts {
  private readonly clock = new SystemClock();
  private readonly chooser: QueueChooser;
  private readonly groups: GroupQueues;
  private readonly lanes: SendLanes;
  private readonly bornHost = hostname();

  constructor(
    private readonly client: Client,
    private readonly policy: SendPolicy,
    safety: BatchSafety,
    private readonly durability: DurabilityWatch,
  ) {
    this.groups = new GroupQueues(client.connection.command);
    this.chooser = new QueueChooser(policy.maxAttempts, (endpoint) => client.isIsolated(endpoint));
    this.lanes = new SendLanes({ client, safety, maxBodyBytes: () => policy.maxBodyBytes });
  }

  /**
   * Retries until the message is stored or no further attempt can succeed.
   * @param room released when the send has ended
   * @throws the error of an attempt that may have stored the message, if there was one; otherwise the latest error
   */
  async send(prepared: PreparedMessage, body: WireBody, room: Room, deadline: Deadline): Promise<StoredMessage> {
    let failures: SendFailures | undefined;
    try {
      for (let attempt = 1; ; ) {
        try {
          return await this.attempt(prepared, body, failures?.count ?? 0, deadline);
        } catch (error) {
          failures ??= new SendFailures(deadline);
          const failure = failures.add(error);
          const { topic } = prepared.message;
          if (isRejectedHere(error)) this.client.renewRoute(topic);
          if (deadline.isOver || !hasTimeForAnswer(deadline) || !this.mayRepeat(error, prepared, failures.count))
            throw failure;
          // A try that never reached a server does not count as an attempt: only the deadline limits such tries.
          if (error.outcome === 'not-sent') this.client.renewRoute(topic);
          else if (++attempt > this.policy.maxAttempts) throw failure;
          this.logFailure(prepared, failures.count, error);
          await this.pause(error, failures.count, failure, deadline);
          if (!hasTimeForAnswer(deadline)) throw failure;
        }
      }
    } finally {
      room.leave();
    }
  }

  private mayRepeat(error: unknown, prepared: PreparedMessage, failures: number): error is RocketMQError {
    if (!RocketMQError.is(error)) return false;
    if (error.retryable) return prepared.half === undefined || error.outcome !== 'unknown';
    if (!isRejectedHere(error) || orderedBy(prepared.message) !== undefined) return false;
    if (this.policy.queueSelector !== undefined) return false;
    // Another broker may accept what one rejects; each is tried once.
    return failures < this.chooser.brokersOf(this.client.knownRoute(prepared.message.topic, prepared.type));
  }

  private logFailure({ message, messageId }: PreparedMessage, failures: number, error: unknown): void {
    const fields = { topic: message.topic, messageId, failures, error: describeError(error) };
    this.client.connection.logger.debug('a send failed and is retried', fields);
  }

  /** Retries are delayed if the server is busy or unavailable; otherwise they are immediate, on the next broker if there is one. */
  private async pause(
    { code, outcome }: RocketMQError,
    failureCount: number,
    failure: unknown,
    deadline: Deadline,
  ): Promise<void> {
    const isAway = outcome === 'not-sent';
    if (code !== 'TOO_MANY_REQUESTS' && !isAway) return;
    const policy = isAway ? AWAY : this.policy.backoff;
    const pauseMs = withJitter(backoffMs(policy, failureCount), () => this.client.connection.random.next());
    const { signal } = deadline;
    // Nothing is in flight, so the earlier failure says more than the timeout.
    if (!isAway && pauseMs >= deadline.remainingMs()) throw failure;
    const paused = isAway ? this.client.pauseUnlessRejoined(pauseMs, signal) : sleep(this.clock, pauseMs, signal);
    await paused.catch((reason) => {
      throw deadline.hasPassed ? failure : reason;
    });
  }

  /** @throws TransportError `MESSAGE_GROUP_UNAVAILABLE` */
  private async queueOfGroup(
    group: string,
    known: Route,
    { message: { topic }, type }: PreparedMessage,
    deadline: Deadline,
  ): Promise<Queue> {
    const { client, groups } = this;
    const { connection } = client;
    connection.layouts.use(topic);
    const { keepsChosenQueue } = connection.capabilities(connection.bootstrap);
    const isStale = !keepsChosenQueue && groups.dependsOnProxy(known);
    const route = isStale ? await client.freshRoute(topic, deadline, type) : known;
    return groups.queueOf(route, group, keepsChosenQueue, connection.layouts.brokersAway());
  }

  /** The queue of `queueSelector`, if it chooses one. @throws UsageError `ILLEGAL_OPTION`; TransportError `UNAVAILABLE`; its own error */
  private selected(route: Route, message: OutgoingMessage): Queue | undefined {
    const { groups, policy } = this;
    if (policy.queueSelector === undefined || route.layout.length === 0) return undefined;
    const queues = groups.queuesOf(route);
    const given: unknown = policy.queueSelector(message, queues);
    if (given === undefined) return undefined;
    const { brokerName, queueId } = (given ?? {}) as Partial<QueueInLayout>;
    const chosen = queues.find((one) => one.brokerName === brokerName && one.queueId === queueId);
    if (chosen === undefined) {
      // Nobody waits for it: its rejection would end the process.
      if (isThenable(given)) given.then(undefined, () => {});
      const text = `queueSelector must return one of the queues that it is given, or undefined, not ${describe(given)}; nothing was sent to "${route.topic}"`;
      throw new UsageError('ILLEGAL_OPTION', text, 'queueSelector');
    }
    this.client.connection.layouts.use(route.topic);
    return groups.selected(route, chosen);
  }

  private async attempt(
    prepared: PreparedMessage,
    body: WireBody,
    failures: number,
    deadline: Deadline,
  ): Promise<StoredMessage> {
    const { client } = this;
    const { message, type, messageId, dueMs, half } = prepared;
    const group = orderedBy(message);
    const route = client.knownRoute(message.topic, type) ?? (await client.route(message.topic, deadline, type));
    const selected = this.selected(route, message);
    const queue =
      selected ??
      (group === undefined
        ? this.chooser.choose(route, prepared.turn, failures)
        : await this.queueOfGroup(group, route, prepared, deadline));
    const { clock } = client.connection;
    const bornAtMs = half === undefined ? 0 : clock.monotonicMs();
    const wire = toWireMessage(message, {
      messageId,
      type,
      body: body.bytes,
      bodyEncoding: body.encoding,
      // That of the first attempt, so that the message shows its delay. Only one of several levels can be shortened by what has passed.
      bornTimestampMs:
        dueMs === undefined || typeof this.policy.delayLevels === 'object'
          ? clock.nowMs()
          : dueMs - (message.delayMs ?? dueMs - clock.nowMs()),
      namespace: client.connection.namespace,
      bornHost: this.bornHost,
      queueId: Math.max(0, queue.id),
      deliveryTimestampMs: dueMs,
      recoveryDurationMs: half?.firstCheckAfterMs,
    });
    const what = `send of message ${messageId} to "${message.topic}"`;
    const { endpoint } = queue;
    if (!hasTimeForAnswer(deadline)) {
      const text = `${what}: too little of ${deadline.timeoutMs} ms was left when its queue was known; nothing was sent`;
      throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
    }
    // In a shared request, ordered messages would lose their order, delayed ones would break the server's timer, half messages are
    // rejected, all would be stored in the queue of the first one, and be marked as compressed or not like it.
    const place =
      type === 'normal' && selected === undefined && body.encoding === Encoding.IDENTITY
        ? await this.lanes.lane(queue, route).send({ wire, deadline, what }, route)
        : await requestOne(client, endpoint, wire, what, deadline, this.policy.delayLevels).catch((error) => {
            if (group !== undefined && isBrokerAway(error)) client.connection.layouts.noteAway(queue.brokerName);
            throw error;
          });
    if (group !== undefined) client.connection.layouts.noteReached(queue.brokerName);
    const { durability } = place;
    if (durability !== 'as-configured') {
      const stored = { topic: message.topic, messageId: place.messageId, durability };
      this.durability.report(stored, place.status, what, half !== undefined);
    }
    return {
      topic: message.topic,
      messageId: place.messageId,
      offset: place.offset,
      // A proxy may have chosen another broker.
      brokerName: place.queueId === undefined ? undefined : queue.brokerName,
      queueId: place.queueId,
      offsetMessageId: place.offsetMessageId,
      recallHandle: place.recallHandle === '' ? undefined : place.recallHandle,
      durability,
      transactionId: place.transactionId === '' ? place.messageId : place.transactionId,
      isEndable: place.transactionId !== '',
      bornAtMs,
      endpoint,
      wire,
      body: prepared.body,
    };
  }
}

/** What keeps the order of a message among others: its message group or lite topic. */
function orderedBy({ messageGroup, liteTopic }: OutgoingMessage): string | undefined {
  return messageGroup ?? liteTopic;
}

const REJECTED_HERE: ReadonlySet<Code> = new Set([
  Code.FORBIDDEN,
  Code.NOT_FOUND,
  Code.TOPIC_NOT_FOUND,
  Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE,
  Code.UNSUPPORTED,
]);

/** Whether another broker may accept it: the route is stale, or this broker runs an older release than others. */
function isRejectedHere(error: unknown): boolean {
  return error instanceof StatusError && REJECTED_HERE.has(error.statusCode);
}
