// One send: checked, routed, tried until it succeeds, is refused, or time is over.

import { hostname } from 'node:os';
import type { Client } from '../client/client.js';
import type { Endpoint } from '../client/endpoint.js';
import type { Queue } from '../client/route.js';
import { Encoding, type Message as WireMessage } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import type { SendResultEntry } from '../protocol/generated/apache/rocketmq/v2/service.js';
import {
  assertSendable,
  bodyBytes,
  deliveryTimestampMs,
  type MessageType,
  messageTypeOf,
  type OutgoingMessage,
  toWireMessage,
} from '../protocol/message.js';
import { MessageIdGenerator } from '../protocol/message-id.js';
import { requireOk, StatusError } from '../protocol/status.js';
import type { BackoffPolicy } from '../support/backoff.js';
import { backoffMs, withJitter } from '../support/backoff.js';
import { SystemClock, sleep } from '../support/clock.js';
import type { Deadline } from '../support/deadline.js';
import { RocketMQError, TransportError, UsageError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import type { Backpressure } from './backpressure.js';
import type { BodyPacker, WireBody } from './compression.js';
import { candidateQueues } from './queue-choice.js';
import { SendFailures } from './send-failures.js';
import type { StoredMessage } from './send-receipt.js';

/** How often and at what pace a send is tried; backoff and size are the server's once it has told them. */
export interface SendPolicy {
  readonly maxAttempts: number;
  backoff: BackoffPolicy;
  maxBodyBytes: number;
}

/**
 * While no server is there. Its own backoff is for one that answers, and may be zero. It may be long, since a pause ends when the
 * server is found well again; and it must be: a thousand sends that all knock every second keep the process from its work.
 */
const AWAY: BackoffPolicy = { kind: 'exponential', initialMs: 20, maxMs: 3_000, multiplier: 2 };

/** Sends messages for one client. */
export class SendPipeline {
  private readonly ids: MessageIdGenerator;
  private readonly clock = new SystemClock();
  private turn: number;

  constructor(
    private readonly client: Client,
    private readonly policy: SendPolicy,
    private readonly backpressure: Backpressure,
    private readonly packer: BodyPacker,
  ) {
    const { random } = client.connection;
    this.ids = new MessageIdGenerator(random, process.pid);
    this.turn = Math.floor(random.next() * 1_000_000);
  }

  /** A message id that nobody else gives. */
  newMessageId(): string {
    return this.ids.next(this.client.connection.clock.nowMs());
  }

  /**
   * Checks a message; a delay is counted from here.
   * @param half sends it as a half message; it is then tried again only if surely nothing was stored, since two half
   *   messages of one id could both be committed
   * @throws UsageError before anything was sent
   */
  prepare(message: OutgoingMessage, half?: HalfOptions): PreparedMessage {
    const body = bodyBytes(message.body);
    const nowMs = this.client.connection.clock.nowMs();
    assertSendable(message, body.length, nowMs, this.packer.maxPlainBytes(body.length));
    if (!this.packer.packs(body.length)) this.assertBodySize(message.topic, body.length);
    const type: MessageType = half === undefined ? messageTypeOf(message) : 'transaction';
    const messageId = message.messageId ?? this.newMessageId();
    const dueMs = deliveryTimestampMs(message, nowMs);
    return { message, body, type, messageId, dueMs, half, turn: this.turn++ };
  }

  /**
   * Sends what was checked, once there is room for it.
   * @throws as `Producer.send`. Once an attempt may have been stored, no later failure makes that undone: its error is thrown
   */
  async dispatch(
    prepared: PreparedMessage,
    deadline: Deadline,
    { whenFull, onAdmitted }: DispatchOptions = {},
  ): Promise<StoredMessage> {
    const room = await this.backpressure.enter(prepared.body.length, deadline, whenFull);
    try {
      const plain = { bytes: prepared.body, encoding: Encoding.IDENTITY };
      const body = this.packer.packs(prepared.body.length) ? await this.pack(prepared, deadline) : plain;
      room.shrinkTo(body.bytes.length);
      onAdmitted?.();
      return await this.transmit(prepared, body, deadline);
    } finally {
      room.leave();
    }
  }

  private async pack({ message, body }: PreparedMessage, deadline: Deadline): Promise<WireBody> {
    const { signal, what, timeoutMs } = deadline;
    const packed = await this.packer.pack(body, signal).catch((error) => {
      if (error !== signal.reason || !deadline.hasPassed) throw error;
      const text = `${what}: its body was not packed within ${timeoutMs} ms; nothing was sent`;
      throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
    });
    this.assertBodySize(message.topic, packed.bytes.length, packed.encoding === Encoding.GZIP ? ' once packed' : '');
    return packed;
  }

  private async transmit(prepared: PreparedMessage, body: WireBody, deadline: Deadline): Promise<StoredMessage> {
    const { message, messageId } = prepared;
    const { connection } = this.client;
    const half = prepared.type === 'transaction';
    const failures = new SendFailures(deadline);
    for (let attempt = 1; ; ) {
      try {
        return await this.attempt(prepared, body, failures.count, deadline);
      } catch (error) {
        const failure = failures.add(error);
        if (deadline.signal.aborted || !mayRepeat(error, half)) throw failure;
        // What never reached a server is not an attempt at sending: only the deadline ends its repetition.
        if (error.outcome === 'not-sent') this.client.renewRoute(message.topic);
        else if (++attempt > this.policy.maxAttempts) throw failure;
        const fields = { topic: message.topic, messageId, failures: failures.count, error: describeError(error) };
        connection.logger.debug('a send failed and is tried again', fields);
        await this.pause(error, failures.count, failure, deadline);
      }
    }
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

  private assertBodySize(topic: string, bodySize: number, how = ''): void {
    const { maxBodyBytes } = this.policy;
    if (bodySize <= maxBodyBytes) return;
    const text = `message to "${topic}": body has ${bodySize} bytes${how}; this server takes ${maxBodyBytes}; nothing was sent`;
    throw new UsageError('MESSAGE_BODY_TOO_LARGE', text, 'body');
  }

  private async attempt(
    prepared: PreparedMessage,
    body: WireBody,
    failures: number,
    deadline: Deadline,
  ): Promise<StoredMessage> {
    const { client } = this;
    const { message, type, messageId, dueMs, half } = prepared;
    const route = await client.route(message.topic, deadline, type);
    const { maxAttempts } = this.policy;
    const isIsolated = (endpoint: Endpoint): boolean => client.isIsolated(endpoint);
    const queues = candidateQueues(route, message.messageGroup, prepared.turn, maxAttempts, isIsolated);
    // `candidateQueues` gives at least one.
    const queue = queues[failures % queues.length] as Queue;
    const what = `send of message ${messageId} to "${message.topic}"`;
    const wire = toWireMessage(message, {
      messageId,
      type,
      body: body.bytes,
      bodyEncoding: body.encoding,
      bornTimestampMs: client.connection.clock.nowMs(),
      namespace: client.connection.namespace,
      bornHost: hostname(),
      queueId: Math.max(0, queue.id),
      deliveryTimestampMs: dueMs,
      recoveryDurationMs: half?.firstCheckAfterMs,
    });
    const entry = await this.request(what, queue.endpoint, wire, deadline);
    return {
      topic: message.topic,
      messageId: entry.messageId === '' ? messageId : entry.messageId,
      offset: entry.offset,
      recallHandle: entry.recallHandle === '' ? undefined : entry.recallHandle,
      transactionId: entry.transactionId,
      endpoint: queue.endpoint,
      wire,
      body: prepared.body,
    };
  }

  /** The request and its answer; whether it succeeds or fails, it says how the endpoint is. */
  private async request(
    what: string,
    endpoint: Endpoint,
    wire: WireMessage,
    deadline: Deadline,
  ): Promise<SendResultEntry> {
    const { client } = this;
    try {
      const options = { what, timeoutMs: client.attemptTimeoutMs(deadline), signal: deadline.signal };
      const { status, entries } = await client.unary(endpoint, 'sendMessage', { messages: [wire] }, options);
      const [entry] = entries;
      requireOk(what, entry?.status ?? status);
      if (entry === undefined) throw new StatusError(what, undefined);
      client.rejoin(endpoint);
      return entry;
    } catch (error) {
      if (speaksAgainstServer(error, deadline, client.connection.requestTimeoutMs)) client.isolate(endpoint);
      throw error;
    }
  }
}

/** How a checked message is sent. */
export interface DispatchOptions {
  /** Default: as the producer's options say. */
  readonly whenFull?: 'wait';
  /** Called when there is room for it; from then on it is on its way. */
  readonly onAdmitted?: () => void;
}

/** What a half message has that others have not. */
export interface HalfOptions {
  /** Default: as the server is told. */
  readonly firstCheckAfterMs: number | undefined;
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

function mayRepeat(error: unknown, half: boolean): error is RocketMQError {
  if (!RocketMQError.is(error) || !error.retryable) return false;
  return !half || error.outcome !== 'unknown';
}

/**
 * A refusal is a sound answer, a busy server's too. And silence says nothing when the caller gave up, or left the server less
 * than a request's time.
 */
function speaksAgainstServer(error: unknown, deadline: Deadline, requestTimeoutMs: number): boolean {
  if (!RocketMQError.is(error) || !error.retryable || error.outcome === 'rejected') return false;
  if (!deadline.signal.aborted) return true;
  return deadline.hasPassed && deadline.timeoutMs >= requestTimeoutMs;
}
