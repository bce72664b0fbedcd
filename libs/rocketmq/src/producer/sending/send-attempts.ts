// The attempts of one send: until it succeeds, is refused, or its time is over.

import { hostname } from 'node:os';
import type { Client } from '../../client/client.js';
import { Code, Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { toWireMessage } from '../../protocol/grpc/message-mapping.js';
import { StatusError } from '../../protocol/grpc/status.js';
import type { MessageType, OutgoingMessage } from '../../protocol/model/message.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../../support/backoff.js';
import { SystemClock, sleep } from '../../support/clock.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { BatchSafety } from './batching.js';
import type { WireBody } from './compression.js';
import type { Room } from './in-flight-limit.js';
import { QueueChooser } from './queue-choice.js';
import { SendLanes } from './send-lane.js';
import type { StoredMessage } from './send-receipt.js';
import { requestOne } from './send-request.js';

/** How often and at what pace a send is tried; backoff and size are the server's once it has told them. */
export interface SendPolicy {
  readonly maxAttempts: number;
  backoff: BackoffPolicy;
  maxBodyBytes: number;
}

/** A checked message on its way. */
export interface PreparedMessage {
  readonly message: OutgoingMessage;
  /** As the caller gave it. */
  readonly body: Buffer;
  readonly type: MessageType;
  readonly messageId: string;
  readonly dueMs: number | undefined;
  readonly half: HalfOptions | undefined;
  readonly turn: number;
}

/** What a half message has that others have not. */
export interface HalfOptions {
  /** Default: as the server is told. */
  readonly firstCheckAfterMs: number | undefined;
}

/**
 * While no server is there. Its own backoff is for one that answers, and may be zero. It may be long, since a pause ends when the
 * server is found well again; and it must be: a thousand sends that all knock every second keep the process from its work.
 */
const AWAY: BackoffPolicy = { kind: 'exponential', initialMs: 20, maxMs: 3_000, multiplier: 2 };

/** Sends checked messages, each as often as it takes. */
export class SendAttempts {
  private readonly clock = new SystemClock();
  private readonly chooser: QueueChooser;
  private readonly lanes: SendLanes;
  private readonly bornHost = hostname();

  constructor(
    private readonly client: Client,
    private readonly policy: SendPolicy,
    safety: BatchSafety,
  ) {
    this.chooser = new QueueChooser(policy.maxAttempts, (endpoint) => client.isIsolated(endpoint));
    this.lanes = new SendLanes({ client, safety, maxBodyBytes: () => policy.maxBodyBytes });
  }

  /**
   * Tries until the message is stored or no further attempt can store it.
   * @param room left when the send has ended
   * @throws the error of an attempt that may have been stored, if there was one; else the latest
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
          if (isStaleRoute(error)) this.client.renewRoute(topic);
          if (deadline.isOver || !this.mayRepeat(error, prepared, failures.count)) throw failure;
          // What never reached a server is not an attempt at sending: only the deadline ends its repetition.
          if (error.outcome === 'not-sent') this.client.renewRoute(topic);
          else if (++attempt > this.policy.maxAttempts) throw failure;
          this.logFailure(prepared, failures.count, error);
          await this.pause(error, failures.count, failure, deadline);
        }
      }
    } finally {
      room.leave();
    }
  }

  private mayRepeat(error: unknown, prepared: PreparedMessage, failures: number): error is RocketMQError {
    if (!RocketMQError.is(error)) return false;
    if (error.retryable) return prepared.half === undefined || error.outcome !== 'unknown';
    if (!isStaleRoute(error) || prepared.message.messageGroup !== undefined) return false;
    // What one broker refuses may be welcome on the next, each of which is asked once.
    return failures < this.chooser.brokersOf(this.client.knownRoute(prepared.message.topic, prepared.type));
  }

  private logFailure({ message, messageId }: PreparedMessage, failures: number, error: unknown): void {
    const fields = { topic: message.topic, messageId, failures, error: describeError(error) };
    this.client.connection.logger.debug('a send failed and is tried again', fields);
  }

  /** A busy server is given time, one that is away too; anything else is tried at once, on the next broker if there is one. */
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
    // Nothing is under way: that time is over says less than what failed before.
    if (!isAway && pauseMs >= deadline.remainingMs()) throw failure;
    const paused = isAway ? this.client.pauseUnlessRejoined(pauseMs, signal) : sleep(this.clock, pauseMs, signal);
    await paused.catch((reason) => {
      throw deadline.hasPassed ? failure : reason;
    });
  }

  private async attempt(
    prepared: PreparedMessage,
    body: WireBody,
    failures: number,
    deadline: Deadline,
  ): Promise<StoredMessage> {
    const { client } = this;
    const { message, type, messageId, dueMs, half } = prepared;
    const route = client.knownRoute(message.topic, type) ?? (await client.route(message.topic, deadline, type));
    const queue = this.chooser.choose(route, message.messageGroup, prepared.turn, failures);
    const { clock } = client.connection;
    const bornAtMs = half === undefined ? 0 : clock.monotonicMs();
    const wire = toWireMessage(message, {
      messageId,
      type,
      body: body.bytes,
      bodyEncoding: body.encoding,
      bornTimestampMs: clock.nowMs(),
      namespace: client.connection.namespace,
      bornHost: this.bornHost,
      queueId: Math.max(0, queue.id),
      deliveryTimestampMs: dueMs,
      recoveryDurationMs: half?.firstCheckAfterMs,
    });
    const what = `send of message ${messageId} to "${message.topic}"`;
    const { endpoint } = queue;
    // Together, ordered messages would lose their order, delayed ones break the server's timer, half messages are refused, and
    // packed ones are marked as the first of them is.
    const place =
      type === 'normal' && body.encoding === Encoding.IDENTITY
        ? await this.lanes.lane(queue, route).send({ wire, deadline, what }, route)
        : await requestOne(client, endpoint, wire, what, deadline);
    return {
      topic: message.topic,
      messageId: place.messageId,
      offset: place.offset,
      recallHandle: place.recallHandle === '' ? undefined : place.recallHandle,
      transactionId: place.transactionId,
      bornAtMs,
      endpoint,
      wire,
      body: prepared.body,
    };
  }
}

/** Remembers failures in order to tell the worst that may be true, and the one that says most. */
class SendFailures {
  /** The latest attempt that may have been stored: no later failure makes that undone. */
  private doubtful: RocketMQError | undefined;
  private latest: RocketMQError | undefined;
  private added = 0;

  constructor(private readonly deadline: Deadline) {}

  get count(): number {
    return this.added;
  }

  /** @returns what the send fails with if it is not tried again */
  add(error: unknown): unknown {
    this.added++;
    // A caller who gives up gets the own reason.
    if (!RocketMQError.is(error)) return error;
    if (error.outcome === 'unknown') this.doubtful = error;
    // Time was over before the attempt reached anybody: what went wrong earlier says more.
    const isOnlyLate = this.deadline.hasPassed && error.code === 'DEADLINE_EXCEEDED' && error.outcome === 'not-sent';
    if (!isOnlyLate) this.latest = error;
    return this.doubtful ?? this.latest ?? error;
  }
}

const STALE: ReadonlySet<Code> = new Set([
  Code.FORBIDDEN,
  Code.NOT_FOUND,
  Code.TOPIC_NOT_FOUND,
  Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE,
]);

/** The refusal says that the topic is not as the route says: on this broker, or since the route was asked for. */
function isStaleRoute(error: unknown): boolean {
  return error instanceof StatusError && STALE.has(error.statusCode);
}
