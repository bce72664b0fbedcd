// The channel on HTTP/2: one connection, and calls on it. It uses a fraction of the CPU of a general gRPC library.
// Over 300 lines: the states of the connection and the calls that wait for it change together.

import type { Headers } from '../../http2/header-encoder.js';
import { EMBEDDED_BROKER_METADATA } from '../../protocol/credentials/metadata.js';
import { linkedController, raceAbort } from '../../support/abort.js';
import { AbortSource, onAbort, reasonOf } from '../../support/abort-source.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../../support/backoff.js';
import { type ScheduledTask, SECOND_MS, SystemClock } from '../../support/clock.js';
import { Deadline } from '../../support/deadline.js';
import { StateError, TransportError } from '../../support/errors.js';
import { frame } from '../../support/grpc/framing.js';
import { describeError } from '../../support/logger.js';
import type { Random } from '../../support/random.js';
import type { ResolvedTls } from '../../support/tls.js';
import { type Channel, nameOfCall, type WireCall, type WireStream } from '../channel.js';
import { parseAddress } from '../endpoint.js';
import { type ClientConnection, ConnectFailure, type OpenConnection, openConnection } from './client-connection.js';
import { ConnectionDiagnosis } from './connection-diagnosis.js';
import { type CallOwner, DuplexCall, StreamCall, UnaryCall } from './http2-call.js';

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly ready: Promise<ClientConnection> }
  | { readonly kind: 'ready'; readonly connection: ClientConnection }
  /** The last connection failed; calls fail with its error until the next attempt is allowed. */
  | { readonly kind: 'waiting'; readonly error: ConnectFailure; readonly timer: ScheduledTask }
  /** It accepts no more calls. `reason` is the error for those that have no connection yet. */
  | { readonly kind: 'closed'; readonly reason: Error };

const CONNECT_MS = 10 * SECOND_MS;
/** What may wait on a stream for its server: a stream that is written to one message at a time needs no more. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
const RECONNECT: BackoffPolicy = { kind: 'exponential', initialMs: 100, maxMs: SECOND_MS, multiplier: 2 };

/** A gRPC channel to `host:port`. Connects at the first call, and again at the first call after a connection broke. */
export class Http2Channel implements Channel, CallOwner {
  private state: State = { kind: 'idle' };
  /** Consecutive failed connections. */
  private failures = 0;
  /** Connections that were started. */
  private attempts = 0;
  /** All open connections: a retired one serves its last calls while its successor takes new ones. */
  private readonly connections = new Set<ClientConnection>();
  /** The connection on which an embedded broker identified itself. */
  private embedded: ClientConnection | undefined;
  private readonly closing = new AbortController();
  private readonly clock = new SystemClock();
  private readonly diagnosis: ConnectionDiagnosis;
  private readonly heads = new Map<string, Headers>();
  private received = 0;

  /** @param tls undefined for plaintext */
  constructor(
    readonly address: string,
    private readonly random: Random,
    private readonly tls?: ResolvedTls,
    private readonly open: OpenConnection = openConnection,
  ) {
    this.diagnosis = new ConnectionDiagnosis(parseAddress(address), tls);
  }

  get isConnected(): boolean {
    return this.usable() !== undefined;
  }

  get receivedCount(): number {
    return this.received;
  }

  get isEmbeddedBroker(): boolean {
    return this.embedded !== undefined && this.usable() === this.embedded;
  }

  unary(call: WireCall, request: Buffer): Promise<Uint8Array> {
    const connection = this.usable();
    if (connection === undefined || call.signal?.aborted) return this.unaryWhenReady(call, request);
    return this.unaryOn(connection, call, request);
  }

  async serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void> {
    const { connection, timeoutMs } = await this.connection(call);
    const under = new StreamCall(this, connection, { ...call, timeoutMs }, onMessage);
    this.begin(call, () => under.start(request));
    const failure = await under.finished;
    if (failure !== undefined) throw failure;
  }

  stream(call: Omit<WireCall, 'signal'>): WireStream {
    let under: DuplexCall | undefined;
    const waiting: Buffer[] = [];
    let waitingBytes = 0;
    let isEnded = false;
    const signal = new AbortSource();
    const open = async function* (channel: Http2Channel): AsyncIterable<Uint8Array> {
      const { connection, timeoutMs } = await channel.connection({ ...call, signal });
      const opened = new DuplexCall(channel, connection, { ...call, signal, timeoutMs });
      channel.begin(call, () => opened.start(undefined, false));
      under = opened;
      // The stream has no deadline, so it would keep a retired connection open.
      const unlisten = onAbort(connection.left, () => signal.abort(reasonOf(connection.left)));
      try {
        for (const message of waiting.splice(0)) opened.stream.send(message);
        if (isEnded) opened.stream.send(NOTHING, true);
        yield* opened.messages();
      } finally {
        unlisten();
      }
    };
    return {
      frames: open(this),
      write: (message) => {
        if (signal.aborted || isEnded || under?.stream.isClosed === true) return false;
        const framed = frame(message);
        if ((under?.stream.unsentBytes ?? waitingBytes) + framed.length > MAX_UNSENT_BYTES) {
          const text = `${nameOfCall(call, this.address)}: the server does not read what is sent on the stream`;
          signal.abort(new TransportError('UNAVAILABLE', text, 'unknown', true));
          return false;
        }
        if (under === undefined) {
          waiting.push(framed);
          waitingBytes += framed.length;
        } else under.stream.send(framed);
        return true;
      },
      end: () => {
        isEnded = true;
        under?.stream.send(NOTHING, true);
      },
      cancel: () =>
        signal.abort(new TransportError('ABORTED', `${nameOfCall(call, this.address)}: canceled`, 'unknown', true)),
    };
  }

  isAlive(timeoutMs: number): Promise<boolean> {
    return this.usable()?.ping(timeoutMs) ?? Promise.resolve(false);
  }

  async retire(): Promise<void> {
    const text = `the connection to ${this.address} is being closed and accepts no more calls; nothing was sent`;
    this.end(new TransportError('UNAVAILABLE', text, 'not-sent', true));
    const connections = [...this.connections];
    for (const connection of connections) connection.leave(`the connection to ${this.address} is being closed`);
    await Promise.all(connections.map(({ gone }) => gone));
  }

  close(): void {
    this.end(new StateError('CLOSED', 'the connection is closed; nothing was sent'));
    for (const connection of this.connections) connection.destroy();
    this.connections.clear();
  }

  private end(reason: Error): void {
    if (this.state.kind === 'waiting') this.state.timer.cancel();
    if (this.state.kind !== 'closed') this.state = { kind: 'closed', reason };
    this.closing.abort(reason);
    this.diagnosis.close();
  }

  private async unaryWhenReady(call: WireCall, request: Buffer): Promise<Uint8Array> {
    const { connection, timeoutMs } = await this.connection(call);
    return this.unaryOn(connection, { ...call, timeoutMs }, request);
  }

  private unaryOn(connection: ClientConnection, call: WireCall, request: Buffer): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      try {
        new UnaryCall(this, connection, call, resolve, reject).start(request);
      } catch (error) {
        reject(this.lost(call, error));
      }
    });
  }

  /** The connection, if there is one that accepts calls. */
  private usable(): ClientConnection | undefined {
    if (this.state.kind !== 'ready') return undefined;
    const { connection } = this.state;
    if (connection.isUsable) return connection;
    // It was retired, or it broke a moment ago and its socket has not reported that yet.
    this.state = { kind: 'idle' };
    return undefined;
  }

  headOf(path: string): Headers {
    let head = this.heads.get(path);
    if (head === undefined) {
      const scheme = this.tls === undefined ? 'http' : 'https';
      head = {
        ':method': 'POST',
        ':scheme': scheme,
        ':path': path,
        ':authority': this.tls?.serverName ?? this.address,
      };
      this.heads.set(path, head);
    }
    return head;
  }

  onHeaders(headers: Headers, connection: ClientConnection): void {
    this.received++;
    if (headers[EMBEDDED_BROKER_METADATA] !== undefined) this.embedded = connection;
  }

  onPiece(): void {
    this.received++;
  }

  private begin(call: WireCall, start: () => void): void {
    try {
      start();
    } catch (error) {
      throw this.lost(call, error);
    }
  }

  /** The connection was lost between its creation and its use; or a header is invalid, which no repetition changes. */
  private lost(call: WireCall, error: unknown): TransportError {
    if (error instanceof TypeError) {
      const text = `${nameOfCall(call, this.address)}: ${error.message}; nothing was sent`;
      return new TransportError('RPC_FAILED', text, 'not-sent', false, { cause: error });
    }
    const text = `${nameOfCall(call, this.address)}: the connection was lost; nothing was sent (${describeError(error)})`;
    return new TransportError('UNAVAILABLE', text, 'not-sent', true, { cause: error });
  }

  /** A connection, and the remaining time of the call once there is one. */
  private async connection(call: WireCall): Promise<{ connection: ClientConnection; timeoutMs: number | undefined }> {
    const { signal, timeoutMs } = call;
    if (signal?.aborted) throw reasonOf(signal);
    const usable = this.usable();
    if (usable !== undefined) return { connection: usable, timeoutMs };
    const what = nameOfCall(call, this.address);
    const deadline = new Deadline(what, timeoutMs ?? CONNECT_MS, signal);
    try {
      const connection = await raceAbort(this.connected(), deadline.signal);
      return { connection, timeoutMs: timeoutMs === undefined ? undefined : Math.max(1, deadline.remainingMs()) };
    } catch (error) {
      throw await this.notConnected(what, error, deadline);
    } finally {
      deadline.dispose();
    }
  }

  private connected(): Promise<ClientConnection> {
    switch (this.state.kind) {
      case 'ready':
        return Promise.resolve(this.state.connection);
      case 'connecting':
        return this.state.ready;
      case 'waiting':
        return Promise.reject(this.state.error);
      case 'closed':
        return Promise.reject(this.state.reason);
      case 'idle': {
        const ready = this.connect(++this.attempts);
        this.state = { kind: 'connecting', ready };
        return ready;
      }
    }
  }

  private async connect(attempt: number): Promise<ClientConnection> {
    const { controller: ending, unlink } = linkedController([this.closing.signal]);
    const deadline = new Deadline(`connection to ${this.address}`, CONNECT_MS, ending.signal);
    const isUnderWay = (): boolean => this.state.kind === 'connecting' && this.attempts === attempt;
    const giveUp = (): void => ending.abort(new ConnectFailure(true, new Error('no HTTP/2 settings were received')));
    this.diagnosis.watch(attempt, isUnderWay, giveUp);
    try {
      const connection = await this.open(parseAddress(this.address), this.tls, deadline);
      this.take(connection);
      return connection;
    } catch (error) {
      if (this.state.kind === 'closed') throw this.state.reason;
      const failure = error instanceof ConnectFailure ? error : new ConnectFailure(false, error as Error);
      this.wait(failure);
      throw failure;
    } finally {
      deadline.dispose();
      unlink();
    }
  }

  private take(connection: ClientConnection): void {
    if (this.state.kind === 'closed') {
      connection.destroy();
      throw this.state.reason;
    }
    this.failures = 0;
    this.diagnosis.connected();
    this.state = { kind: 'ready', connection };
    this.connections.add(connection);
    void connection.gone.then(() => this.connections.delete(connection));
  }

  private wait(error: ConnectFailure): void {
    const waitMs = withJitter(backoffMs(RECONNECT, ++this.failures), () => this.random.next());
    const timer = this.clock.schedule(waitMs, () => {
      this.state = { kind: 'idle' };
    });
    this.state = { kind: 'waiting', error, timer };
  }

  private async notConnected(what: string, error: unknown, deadline: Deadline): Promise<Error> {
    if (error instanceof ConnectFailure) {
      const { message: text, wasAccepted, cause } = error;
      const failed = { text, wasAccepted, cause, attempt: this.attempts };
      const explained = await this.diagnosis.explain(what, failed, deadline);
      if (deadline.caller?.aborted) return reasonOf(deadline.caller);
      if (explained !== undefined) return explained;
      return new TransportError(
        'UNAVAILABLE',
        `${what}: no connection: ${error.message}; nothing was sent`,
        'not-sent',
        true,
        { cause: error.cause },
      );
    }
    if (!deadline.hasPassed) return error as Error;
    const explained = this.diagnosis.explainSilence(what, error);
    if (explained !== undefined) return explained;
    const text = `${what}: no connection within ${deadline.timeoutMs} ms; nothing was sent`;
    return new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
  }
}

const NOTHING = Buffer.alloc(0);
