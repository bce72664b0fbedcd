// Nest's client proxy on RocketMQ: `emit()` and `send()`. requester.ts creates the messages.

import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { distinctUntilChanged, Observable, ReplaySubject, throwError } from 'rxjs';
import { isStored } from '../../producer/sending/durability.js';
import type { SendReceipt } from '../../producer/sending/send-request.js';
import { onAbort } from '../../support/abort-source.js';
import { StateError, UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { RocketMQRequester } from '../sending/requester.js';
import { type CheckedClient, type ClientRocketMQOptions, checkClientOptions } from './client-options.js';
import { type OwnConnection, openOwnConnection } from './own-connection.js';
import { RocketMQRecord } from './rocketmq-record.js';

/** Whether a client can send. */
export type ClientRocketMQStatus = 'connected' | 'closed';

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connected'; readonly connection: Promise<OwnConnection | undefined> }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

/**
 * Sends events and requests: `ClientsModule.register([{ name: 'ORDERS', customClass: ClientRocketMQ, options }])`. A pattern is
 * `topic` or `topic:tag`; the data may be a `RocketMQRecord`. Handlers cannot stream several values: a request has one answer,
 * the last value.
 */
export class ClientRocketMQ extends ClientProxy {
  private readonly checked: CheckedClient;
  private readonly statuses = new ReplaySubject<ClientRocketMQStatus>(1);
  private readonly ending = new AbortController();
  private state: State = { kind: 'idle' };
  private lost = 0;
  private requester: RocketMQRequester | undefined;

  /** @throws UsageError that names the option */
  constructor(options: ClientRocketMQOptions) {
    super();
    this.checked = checkClientOptions(options);
  }

  /** Emits the current status and each later one. */
  override get status(): Observable<ClientRocketMQStatus> {
    return this.statuses.pipe(distinctUntilChanged());
  }

  /** Events that failed without a subscriber to their `emit()`; each is logged, too. */
  get lostEvents(): number {
    return this.lost;
  }

  /** Answers that arrived when no request waited for them any more. */
  get lateReplies(): number {
    return this.checked.kind === 'shared' ? this.checked.requester.lateReplies : (this.requester?.lateReplies ?? 0);
  }

  /**
   * Opens the client's own connection; with `requester` there is nothing to open. Nest calls it before the first message. Repeated
   * calls wait for the same connection.
   * @throws StateError once closed; otherwise as the start of an application; the next call tries again
   */
  async connect(): Promise<void> {
    if (this.state.kind === 'closed') throw closedError();
    if (this.state.kind === 'idle') this.state = { kind: 'connected', connection: this.open() };
    const { state } = this;
    try {
      await state.connection;
    } catch (error) {
      if (this.state === state) this.state = { kind: 'idle' };
      throw error;
    }
  }

  /** Rejects waiting requests, and closes the connection if it is the client's own. Repeated calls wait for the same end. */
  close(): Promise<void> {
    if (this.state.kind === 'closed') return this.state.closed;
    const connection = this.state.kind === 'connected' ? this.state.connection : Promise.resolve(undefined);
    this.ending.abort(closedError());
    const closed = connection
      .catch(() => undefined)
      .then((own) => own?.close())
      .then(() => {
        this.statuses.next('closed');
        this.statuses.complete();
      });
    this.state = { kind: 'closed', closed };
    return closed;
  }

  /**
   * Sends an event at once, with or without a subscriber; a subscriber gets the receipt of the send. A failure without a subscriber
   * is logged and counted in {@link lostEvents}.
   */
  // biome-ignore lint/suspicious/noExplicitAny: Nest's own signature
  override emit<Result = SendReceipt, Input = unknown>(pattern: any, data: Input): Observable<Result> {
    if (isNil(pattern) || isNil(data)) return throwError(() => nothingToSend());
    let isObserved = false;
    const sending = this.connect().then(() => this.dispatchEvent<Result>(this.packetOf(pattern, data)));
    sending.catch((error: unknown) => {
      if (!isObserved && !isStored(error)) this.countLost(pattern, error);
    });
    return new Observable((subscriber) => {
      isObserved = true;
      sending.then(
        (receipt) => {
          subscriber.next(receipt);
          subscriber.complete();
        },
        (error: unknown) => subscriber.error(error),
      );
    });
  }

  /** The requester that messages are sent with. @throws StateError before `connect()` */
  unwrap<T = RocketMQRequester>(): T {
    return this.connected() as T;
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const stopped = new AbortController();
    const unlisten = onAbort(this.ending.signal, () => stopped.abort(this.ending.signal.reason));
    const { data, fields, timeoutMs } = recordOf(packet);
    this.connected()
      .request(packet.pattern, data, { ...fields, timeoutMs, signal: stopped.signal })
      .then(
        (response) => callback({ response, isDisposed: true }),
        (err: unknown) => callback({ err }),
      )
      .finally(unlisten);
    return () =>
      stopped.abort(
        new StateError('UNSUBSCRIBED', 'the subscriber has unsubscribed; whether the request took effect is unknown', {
          outcome: 'unknown',
        }),
      );
  }

  protected async dispatchEvent<T>(packet: ReadPacket): Promise<T> {
    const { data, fields, timeoutMs } = recordOf(packet);
    if (timeoutMs !== undefined) {
      const text = `event to "${String(packet.pattern)}": timeoutMs is for send(), which waits for an answer; nothing was sent`;
      throw new UsageError('ILLEGAL_OPTION', text, 'timeoutMs');
    }
    return (await this.connected().emit(packet.pattern, data, fields)) as T;
  }

  private packetOf(pattern: unknown, data: unknown): ReadPacket {
    // From Nest 12 on, instrumentation hooks into this method.
    return typeof this.createPacket === 'function' ? this.createPacket(pattern, data) : { pattern, data };
  }

  private async open(): Promise<OwnConnection | undefined> {
    const own = this.checked.kind === 'own' ? await openOwnConnection(this.checked.options) : undefined;
    this.requester = this.checked.kind === 'shared' ? this.checked.requester : own?.requester;
    this.statuses.next('connected');
    return own;
  }

  private connected(): RocketMQRequester {
    if (this.state.kind === 'closed') throw closedError();
    if (this.requester !== undefined) return this.requester;
    throw new StateError('NOT_STARTED', 'the client is not connected; await connect() first');
  }

  private countLost(pattern: unknown, error: unknown): void {
    this.lost += 1;
    const logger = this.checked.kind === 'own' ? this.checked.options.logger : this.checked.requester.logger;
    logger.error('an event could not be sent, and its emit() had no subscriber', {
      pattern: String(pattern),
      error: describeError(error),
    });
  }
}

/** The data of a packet, with the message fields of a record. What instrumentation adds is sent as properties. */
function recordOf({ data, metadata }: ReadPacket & { readonly metadata?: unknown }): RocketMQRecord {
  const record = data instanceof RocketMQRecord ? data : new RocketMQRecord(data);
  if (typeof metadata !== 'object' || metadata === null) return record;
  const texts = Object.entries(metadata).filter(([, value]) => typeof value === 'string' && value !== '');
  const properties = { ...Object.fromEntries(texts), ...record.fields.properties };
  return new RocketMQRecord(record.data, { ...record.fields, properties }, record.timeoutMs);
}

function isNil(value: unknown): boolean {
  return value === undefined || value === null;
}

function nothingToSend(): UsageError {
  return new UsageError('ILLEGAL_PATTERN', 'emit() needs a pattern and data; nothing was sent', 'pattern');
}

function closedError(): StateError {
  return new StateError('CLOSED', 'the client is closed; nothing was sent');
}
