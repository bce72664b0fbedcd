// The path of every send: interceptors, validation, admission, compression, attempts.

import type { Client } from '../../client/client.js';
import { Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import {
  assertSendable,
  bodyBytes,
  deliveryTimestampMs,
  type MessageType,
  messageTypeOf,
  type OutgoingMessage,
} from '../../protocol/model/message.js';
import { MessageIdGenerator } from '../../protocol/model/message-id.js';
import type { Deadline } from '../../support/deadline.js';
import { TransportError, UsageError } from '../../support/errors.js';
import type { Backpressure, Room } from './backpressure.js';
import type { BodyPacker, WireBody } from './compression.js';
import type { InterceptedSend, Interceptors } from './interceptors.js';
import type { HalfOptions, PreparedMessage, SendAttempts, SendPolicy } from './send-attempts.js';
import type { SendPrepared } from './send-batch.js';
import { receiptOf, type StoredMessage } from './send-request.js';

/** How a validated message is sent. */
interface DispatchOptions {
  /** Default: the option of the producer. */
  readonly whenFull?: 'wait';
  /** Called when there is room for it and the producer has accepted it. */
  readonly onAdmitted?: () => void;
}

/** The shared path of all sends of a producer. */
export class SendPipeline {
  private readonly ids: MessageIdGenerator;
  private turn: number;

  constructor(
    private readonly client: Client,
    private readonly policy: SendPolicy,
    private readonly interceptors: Interceptors,
    private readonly backpressure: Backpressure,
    private readonly packer: BodyPacker,
    private readonly attempts: SendAttempts,
  ) {
    const { random } = client.connection;
    this.ids = new MessageIdGenerator(random, process.pid);
    this.turn = Math.floor(random.next() * 1_000_000);
  }

  /** A unique message id. */
  newMessageId(): string {
    return this.ids.next(this.client.connection.clock.nowMs());
  }

  /** Sends a message. @param options `onAdmitted` of a one-way send @throws UsageError in this turn, else as a rejection */
  send(
    message: OutgoingMessage,
    kind: 'send' | 'oneway',
    deadline: Deadline,
    options?: DispatchOptions,
  ): Promise<StoredMessage> {
    // Most messages take this path, so it avoids all unnecessary allocations.
    if (this.interceptors.areNone) return this.dispatch(this.prepare(message), deadline, options);
    return this.through(message, kind, deadline, async (given) =>
      this.dispatch(this.prepare(given), deadline, options),
    );
  }

  /**
   * Validates a message of a batch. With interceptors, validation waits until its turn, because they may change it.
   * @throws UsageError
   */
  ofBatch(message: OutgoingMessage): SendPrepared {
    const options: DispatchOptions = { whenFull: 'wait' };
    if (this.interceptors.areNone) {
      const prepared = this.prepare(message);
      return async (deadline) => receiptOf(await this.dispatch(prepared, deadline, options));
    }
    return async (deadline) => {
      const send = async (given: OutgoingMessage): Promise<StoredMessage> =>
        this.dispatch(this.prepare(given), deadline, options);
      return receiptOf(await this.through(message, 'batch', deadline, send));
    };
  }

  /** Sends a half message. @param mark a final change to it, which interceptors do not see */
  half(
    message: OutgoingMessage,
    deadline: Deadline,
    mark: (message: OutgoingMessage) => OutgoingMessage,
    options: HalfOptions,
  ): Promise<StoredMessage> {
    return this.through(message, 'half', deadline, async (given) =>
      this.dispatch(this.prepare(mark(given), options), deadline),
    );
  }

  private through(
    message: OutgoingMessage,
    kind: InterceptedSend['kind'],
    deadline: Deadline,
    send: (message: OutgoingMessage) => Promise<StoredMessage>,
  ): Promise<StoredMessage> {
    if (this.interceptors.areNone) return send(message);
    const messageId = message.messageId ?? this.newMessageId();
    return this.interceptors.run({ ...message, messageId }, kind, deadline, send);
  }

  /**
   * Validates a message; a delay is counted from here.
   * @param half sends it as a half message; it is then retried only if nothing was stored for certain, because two half messages
   *   with one id could both be committed
   * @throws UsageError before anything was sent
   */
  private prepare(message: OutgoingMessage, half?: HalfOptions): PreparedMessage {
    const body = bodyBytes(message.body);
    const nowMs = this.client.connection.clock.nowMs();
    const maxBodyBytes = this.packer.maxPlainBytes(body.length, this.policy.maxBodyBytes);
    assertSendable(message, body.length, nowMs, maxBodyBytes, this.policy.maxDelayMs);
    const type: MessageType = half === undefined ? messageTypeOf(message) : 'transaction';
    const messageId = message.messageId ?? this.newMessageId();
    const dueMs = deliveryTimestampMs(message, nowMs);
    return { message, body, type, messageId, dueMs, half, turn: this.turn++ };
  }

  /**
   * Sends a validated message, once there is room for it.
   * @throws like `Producer.send`. If an attempt may have stored the message, its error is thrown: no later failure can undo that
   */
  private dispatch(prepared: PreparedMessage, deadline: Deadline, options?: DispatchOptions): Promise<StoredMessage> {
    const size = prepared.body.length;
    const room = deadline.caller?.aborted === true ? undefined : this.backpressure.tryEnter(size);
    if (room === undefined || this.packer.packs(size)) return this.dispatchLater(prepared, room, deadline, options);
    options?.onAdmitted?.();
    return this.attempts.send(prepared, { bytes: prepared.body, encoding: Encoding.IDENTITY }, room, deadline);
  }

  /** For messages that wait for room or must be compressed. */
  private async dispatchLater(
    prepared: PreparedMessage,
    entered: Room | undefined,
    deadline: Deadline,
    { whenFull, onAdmitted }: DispatchOptions = {},
  ): Promise<StoredMessage> {
    const size = prepared.body.length;
    const room = entered ?? (await this.backpressure.enter(size, deadline, whenFull));
    let body: WireBody = { bytes: prepared.body, encoding: Encoding.IDENTITY };
    if (this.packer.packs(size)) {
      try {
        body = await this.pack(prepared, deadline);
      } catch (error) {
        room.leave();
        throw error;
      }
      room.shrinkTo(body.bytes.length);
    }
    onAdmitted?.();
    return this.attempts.send(prepared, body, room, deadline);
  }

  private async pack({ message, body }: PreparedMessage, deadline: Deadline): Promise<WireBody> {
    const { signal, what, timeoutMs } = deadline;
    const packed = await this.packer.pack(body, signal).catch((error) => {
      if (error !== signal.reason || !deadline.hasPassed) throw error;
      const text = `${what}: its body was not compressed within ${timeoutMs} ms; nothing was sent`;
      throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
    });
    this.assertBodySize(
      message.topic,
      packed.bytes.length,
      packed.encoding === Encoding.GZIP ? ' after compression' : '',
    );
    return packed;
  }

  private assertBodySize(topic: string, bodySize: number, how = ''): void {
    const { maxBodyBytes } = this.policy;
    if (bodySize <= maxBodyBytes) return;
    const text = `message to "${topic}": body has ${bodySize} bytes${how}; the limit of this server is ${maxBodyBytes}; nothing was sent`;
    throw new UsageError('MESSAGE_BODY_TOO_LARGE', text, 'body');
  }
}
