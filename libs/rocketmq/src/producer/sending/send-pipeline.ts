// The path of every send: interceptors, validation, admission, compression, attempts.

import type { Client } from '../../client/client.js';
import { Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import {
  bodyBytes,
  deliveryTimestampMs,
  type MessageType,
  messageTypeOf,
  type OutgoingMessage,
} from '../../protocol/model/message.js';
import { assertSendable } from '../../protocol/model/message-checks.js';
import { MessageIdGenerator } from '../../protocol/model/message-id.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError, TransportError, UsageError } from '../../support/errors.js';
import type { Backpressure, Room } from './backpressure.js';
import type { BodyPacker, WireBody } from './compression.js';
import { assertTypes, EncodingMessage } from './encoding-message.js';
import type { InterceptedSend, Interceptors } from './interceptors.js';
import type { HalfOptions, PreparedMessage, SendAttempts, SendPolicy } from './send-attempts.js';
import type { PreparedSend } from './send-batch.js';
import { receiptOf, type SendReceipt, type StoredMessage } from './send-request.js';
import { SendTurns, type Turn } from './send-turns.js';

/** How a validated message is sent. */
interface DispatchOptions {
  /** Default: the option of the producer. */
  readonly whenFull?: 'wait';
  /** Called when there is room for it and the producer has accepted it. */
  readonly onAdmitted?: () => void;
  /** Undefined for a message that has no order. */
  readonly turn?: Turn | undefined;
}

/** A message that can be sent. */
interface Admitted {
  /** Left when the send has ended. */
  readonly room: Room;
  readonly body: WireBody;
}

/** The shared path of all sends of a producer. */
export class SendPipeline {
  private readonly ids: MessageIdGenerator;
  private readonly turns = new SendTurns();
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

  /**
   * Sends a message. Its turn in the order of its message group or lite topic is taken in this turn of the event loop.
   * @param options `onAdmitted` of a one-way send
   * @throws UsageError in this turn, else as a rejection
   */
  send(
    message: OutgoingMessage | EncodingMessage,
    kind: 'send' | 'oneway',
    deadline: Deadline,
    options?: DispatchOptions,
  ): Promise<StoredMessage> {
    const turn = this.turns.take(message);
    // Most messages take this path, so it avoids all unnecessary allocations.
    if (turn === undefined && this.interceptors.areSynchronous && !(message instanceof EncodingMessage))
      return this.through(message, kind, deadline, (given) => this.dispatch(this.prepare(given), deadline, options));
    return this.inTurn(message, kind, deadline, { ...options, turn });
  }

  /**
   * Validates a message of a batch, and takes its turn; the caller ends it. With interceptors, validation waits until the message is sent, because they
   * may change it.
   * @throws UsageError
   */
  ofBatch(message: OutgoingMessage | EncodingMessage): PreparedSend {
    assertTypes(message);
    const isReady = this.interceptors.areNone && !(message instanceof EncodingMessage);
    const prepared = isReady ? this.prepare(message) : undefined;
    const turn = this.turns.take(message);
    const options: DispatchOptions = { whenFull: 'wait', turn };
    const send = async (deadline: Deadline): Promise<SendReceipt> => {
      const sending =
        prepared === undefined
          ? this.inTurn(message, 'batch', deadline, options)
          : this.dispatch(prepared, deadline, options);
      return receiptOf(await sending);
    };
    return { send, end: () => turn?.end() };
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

  private async inTurn(
    message: OutgoingMessage | EncodingMessage,
    kind: InterceptedSend['kind'],
    deadline: Deadline,
    options: DispatchOptions,
  ): Promise<StoredMessage> {
    try {
      const encoded = message instanceof EncodingMessage ? await message.within(deadline) : message;
      const send = async (given: OutgoingMessage): Promise<StoredMessage> =>
        this.dispatch(this.prepare(given), deadline, options);
      return await this.through(encoded, kind, deadline, send);
    } finally {
      options.turn?.end();
    }
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
    const turn = options?.turn;
    if (turn !== undefined) return this.dispatchInTurn(prepared, turn, deadline, options);
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
    options?: DispatchOptions,
  ): Promise<StoredMessage> {
    const { room, body } = await this.admit(prepared, entered, deadline, options);
    return this.attempts.send(prepared, body, room, deadline);
  }

  /** For messages that wait for the end of earlier ones. Ends the turn as soon as the message is stored or has failed. */
  private async dispatchInTurn(
    prepared: PreparedMessage,
    turn: Turn,
    deadline: Deadline,
    options?: DispatchOptions,
  ): Promise<StoredMessage> {
    let isUnderWay = false;
    try {
      const { room, body } = await this.admitInTurn(prepared, turn, deadline, options);
      isUnderWay = true;
      return await this.attempts.send(prepared, body, room, deadline);
    } catch (error) {
      turn.end(isUnderWay && mayBeStored(error, deadline) ? error : undefined);
      throw error;
    } finally {
      turn.end();
    }
  }

  private async admitInTurn(
    prepared: PreparedMessage,
    turn: Turn,
    deadline: Deadline,
    options: DispatchOptions = {},
  ): Promise<Admitted> {
    const { whenFull, onAdmitted } = options;
    const { backpressure } = this;
    // A caller that waits holds its message itself.
    const isHeld = onAdmitted !== undefined || (backpressure.rejects && whenFull !== 'wait');
    if (turn.hasCome || !isHeld) {
      await turn.come(deadline);
      return this.admit(prepared, undefined, deadline, options);
    }
    const place = await backpressure.hold(prepared.body.length, deadline);
    let body: WireBody;
    try {
      body = await this.wireBody(prepared, place, deadline);
      onAdmitted?.();
      await turn.come(deadline);
    } finally {
      place.leave();
    }
    return { room: await backpressure.enter(body.bytes.length, deadline, 'wait'), body };
  }

  /** Waits for room, and compresses the body. */
  private async admit(
    prepared: PreparedMessage,
    entered: Room | undefined,
    deadline: Deadline,
    { whenFull, onAdmitted }: DispatchOptions = {},
  ): Promise<Admitted> {
    const room = entered ?? (await this.backpressure.enter(prepared.body.length, deadline, whenFull));
    try {
      const body = await this.wireBody(prepared, room, deadline);
      onAdmitted?.();
      return { room, body };
    } catch (error) {
      room.leave();
      throw error;
    }
  }

  /** The body as it is sent. @param room shrunk to what it needs */
  private async wireBody(prepared: PreparedMessage, room: Room, deadline: Deadline): Promise<WireBody> {
    if (!this.packer.packs(prepared.body.length)) return { bytes: prepared.body, encoding: Encoding.IDENTITY };
    const body = await this.pack(prepared, deadline);
    room.shrinkTo(body.bytes.length);
    return body;
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

/** Whether a message that was under way may be stored. A caller that aborts gets its own reason, which does not say. */
function mayBeStored(error: unknown, { caller }: Deadline): boolean {
  const isOwn = RocketMQError.is(error) && error !== caller?.reason;
  return !isOwn || error.outcome === 'unknown';
}
