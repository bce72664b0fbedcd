// The channel on node:http2, which costs half of what a general gRPC library does: one connection, and calls on it.

import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { EMBEDDED_BROKER_METADATA } from '../../protocol/metadata.js';
import { abortReason, raceAbort } from '../../support/abort.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../../support/backoff.js';
import { type ScheduledTask, SECOND_MS, SystemClock } from '../../support/clock.js';
import { Deadline } from '../../support/deadline.js';
import { StateError, TransportError } from '../../support/errors.js';
import { frame } from '../../support/grpc/framing.js';
import { describeError } from '../../support/logger.js';
import type { Random } from '../../support/random.js';
import type { ResolvedTls } from '../../support/tls.js';
import type { Channel, WireCall, WireStream } from '../channel.js';
import { parseAddress } from '../endpoint.js';
import { type CallOwner, StreamCall, UnaryCall } from './http2-call.js';
import { ConnectFailure, openSession, type ReadySession } from './http2-session.js';
import { TlsDiagnosis } from './tls-diagnosis.js';

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly ready: Promise<ClientHttp2Session> }
  | { readonly kind: 'ready'; readonly session: ClientHttp2Session }
  /** The last connection did not come about; calls fail with its error until the next may be tried. */
  | { readonly kind: 'waiting'; readonly error: ConnectFailure; readonly timer: ScheduledTask }
  | { readonly kind: 'closed' };

const CONNECT_MS = 10 * SECOND_MS;
const RECONNECT: BackoffPolicy = { kind: 'exponential', initialMs: 100, maxMs: SECOND_MS, multiplier: 2 };

/** A gRPC channel to `host:port`. Connects at the first call, and again at the first call after a connection broke. */
export class Http2Channel implements Channel, CallOwner {
  private state: State = { kind: 'idle' };
  /** Connections in a row that did not come about. */
  private failures = 0;
  /** All that are not closed: one that the server takes leave of serves its last calls beside its successor. */
  private readonly sessions = new Set<ClientHttp2Session>();
  /** The connection on which an embedded broker announced itself. */
  private embedded: ClientHttp2Session | undefined;
  private readonly closing = new AbortController();
  private readonly clock = new SystemClock();
  private readonly diagnosis: TlsDiagnosis;
  readonly authority: string;
  private heardCount = 0;

  /** @param tls undefined for plaintext */
  constructor(
    readonly address: string,
    private readonly random: Random,
    private readonly tls?: ResolvedTls,
  ) {
    this.diagnosis = new TlsDiagnosis(parseAddress(address), tls);
    this.authority = tls?.serverName ?? address;
  }

  get isConnected(): boolean {
    return this.state.kind === 'ready';
  }

  get heard(): number {
    return this.heardCount;
  }

  get isEmbeddedBroker(): boolean {
    return this.embedded !== undefined && this.usable() === this.embedded;
  }

  unary(call: WireCall, request: Buffer): Promise<Uint8Array> {
    const session = this.usable();
    if (session === undefined || call.signal?.aborted) return this.unaryWhenReady(call, request);
    return this.unaryOn(session, call, request);
  }

  async serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void> {
    const { session, timeoutMs } = await this.session(call);
    const under = this.begin(session, { ...call, timeoutMs });
    under.stream.on('data', (piece: Buffer) => {
      this.heardCount++;
      under.handOn(piece, onMessage);
    });
    under.stream.end(request);
    const failure = await under.ended;
    if (failure !== undefined) throw failure;
  }

  stream(call: WireCall): WireStream {
    let under: StreamCall | undefined;
    const waiting: Buffer[] = [];
    let isEnded = false;
    const cancelling = new AbortController();
    const signal = cancelling.signal;
    const open = async function* (channel: Http2Channel): AsyncIterable<Uint8Array> {
      const { session, timeoutMs } = await channel.session({ ...call, signal });
      under = channel.begin(session, { ...call, signal, timeoutMs });
      const leave = (): void => cancelling.abort(channel.left());
      session.once('goaway', leave);
      under.ended.then(() => session.off('goaway', leave));
      for (const message of waiting.splice(0)) under.stream.write(message);
      if (isEnded) under.stream.end();
      yield* channel.messagesOf(under);
    };
    return {
      frames: open(this),
      write: (message) => {
        if (signal.aborted || isEnded || under?.stream.closed === true) return false;
        if (under === undefined) waiting.push(frame(message));
        else under.stream.write(frame(message));
        return true;
      },
      end: () => {
        isEnded = true;
        under?.stream.end();
      },
      cancel: () =>
        cancelling.abort(new TransportError('ABORTED', `${nameOf(call, this.address)}: cancelled`, 'unknown', true)),
    };
  }

  /** By HTTP/2's own ping, which a server answers before any work. */
  isAlive(timeoutMs: number): Promise<boolean> {
    if (this.state.kind !== 'ready') return Promise.resolve(false);
    const { session } = this.state;
    return new Promise((resolve) => {
      const timer = this.clock.schedule(timeoutMs, () => resolve(false));
      const isSent = session.ping((error) => {
        timer.cancel();
        resolve(error === null);
      });
      if (isSent) return;
      timer.cancel();
      resolve(false);
    });
  }

  close(): void {
    if (this.state.kind === 'waiting') this.state.timer.cancel();
    this.state = { kind: 'closed' };
    this.closing.abort(new StateError('CLOSED', 'the connection is closed; nothing was sent'));
    this.embedded = undefined;
    for (const session of this.sessions) session.destroy(undefined, constants.NGHTTP2_CANCEL);
    this.sessions.clear();
  }

  private async unaryWhenReady(call: WireCall, request: Buffer): Promise<Uint8Array> {
    const { session, timeoutMs } = await this.session(call);
    return this.unaryOn(session, { ...call, timeoutMs }, request);
  }

  private unaryOn(session: ClientHttp2Session, call: WireCall, request: Buffer): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      try {
        new UnaryCall(this, session, call, resolve, reject).stream.end(request);
      } catch (error) {
        reject(this.lost(call, error));
      }
    });
  }

  /** The connection, if there is one that takes calls. */
  private usable(): ClientHttp2Session | undefined {
    if (this.state.kind !== 'ready') return undefined;
    const { session } = this.state;
    if (!session.closed && !session.destroyed) return session;
    // It broke a moment ago, and its socket has not told yet.
    this.state = { kind: 'idle' };
    return undefined;
  }

  onHeaders(headers: IncomingHttpHeaders, session: ClientHttp2Session): void {
    this.heardCount++;
    if (headers[EMBEDDED_BROKER_METADATA] !== undefined) this.embedded = session;
  }

  private begin(session: ClientHttp2Session, call: WireCall): StreamCall {
    try {
      return new StreamCall(this, session, call);
    } catch (error) {
      throw this.lost(call, error);
    }
  }

  /** The connection was lost between its making and its use; Node then refuses before anything is written. */
  private lost(call: WireCall, error: unknown): TransportError {
    const text = `${nameOf(call, this.address)}: the connection was lost; nothing was sent (${describeError(error)})`;
    return new TransportError('UNAVAILABLE', text, 'not-sent', true, { cause: error });
  }

  /** A connection, and what is left of the call's time once there is one. */
  private async session(call: WireCall): Promise<{ session: ClientHttp2Session; timeoutMs: number | undefined }> {
    const { signal, timeoutMs } = call;
    if (signal?.aborted) throw abortReason(signal);
    const usable = this.usable();
    if (usable !== undefined) return { session: usable, timeoutMs };
    const what = nameOf(call, this.address);
    const deadline = new Deadline(what, timeoutMs ?? CONNECT_MS, signal);
    try {
      const session = await raceAbort(this.connected(), deadline.signal);
      return { session, timeoutMs: timeoutMs === undefined ? undefined : Math.max(1, deadline.remainingMs()) };
    } catch (error) {
      throw await this.notConnected(what, error, deadline);
    } finally {
      deadline.dispose();
    }
  }

  private connected(): Promise<ClientHttp2Session> {
    switch (this.state.kind) {
      case 'ready':
        return Promise.resolve(this.state.session);
      case 'connecting':
        return this.state.ready;
      case 'waiting':
        return Promise.reject(this.state.error);
      case 'closed':
        return Promise.reject(abortReason(this.closing.signal));
      case 'idle': {
        const ready = this.connect();
        this.state = { kind: 'connecting', ready };
        return ready;
      }
    }
  }

  private async connect(): Promise<ClientHttp2Session> {
    const deadline = new Deadline(`connection to ${this.address}`, CONNECT_MS, this.closing.signal);
    try {
      const ready = await openSession(parseAddress(this.address), this.tls, deadline);
      this.take(ready);
      return ready.session;
    } catch (error) {
      const failure = error instanceof ConnectFailure ? error : new ConnectFailure(false, error as Error);
      this.wait(failure);
      throw failure;
    } finally {
      deadline.dispose();
    }
  }

  private take({ session, gone }: ReadySession): void {
    this.failures = 0;
    this.state = { kind: 'ready', session };
    this.sessions.add(session);
    // Every client of the connection has a stream that listens for the server's leave.
    session.setMaxListeners(0);
    const leave = (): void => {
      if (this.state.kind === 'ready' && this.state.session === session) this.state = { kind: 'idle' };
    };
    session.once('goaway', leave);
    gone.then(() => {
      leave();
      this.sessions.delete(session);
    });
  }

  private wait(error: ConnectFailure): void {
    if (this.state.kind === 'closed') return;
    const waitMs = withJitter(backoffMs(RECONNECT, ++this.failures), () => this.random.next());
    const timer = this.clock.schedule(waitMs, () => {
      this.state = { kind: 'idle' };
    });
    this.state = { kind: 'waiting', error, timer };
  }

  private async notConnected(what: string, error: unknown, deadline: Deadline): Promise<Error> {
    if (error instanceof ConnectFailure) {
      const told = await this.diagnosis.explain(what, error.message, error.wasAccepted, error.cause);
      if (told !== undefined) return told;
      return new TransportError(
        'UNAVAILABLE',
        `${what}: no connection: ${error.message}; nothing was sent`,
        'not-sent',
        true,
        { cause: error.cause },
      );
    }
    if (!deadline.hasPassed) return error as Error;
    const text = `${what}: no connection within ${deadline.timeoutMs} ms; nothing was sent`;
    return new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
  }

  /** What the server sends, until it ends the stream. @throws TransportError, or the reason of the call's signal */
  private async *messagesOf(under: StreamCall): AsyncIterable<Uint8Array> {
    const stream: ClientHttp2Stream = under.stream;
    try {
      for await (const piece of stream) {
        this.heardCount++;
        yield* under.read(piece as Buffer);
      }
    } catch {
      // What happened is in how the call ended.
    } finally {
      if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    }
    const failure = await under.ended;
    if (failure !== undefined) throw failure;
  }

  private left(): TransportError {
    return new TransportError('UNAVAILABLE', `${this.address} takes leave of its connections`, 'unknown', true);
  }
}

function nameOf({ path }: WireCall, address: string): string {
  return `${path.slice(path.lastIndexOf('/') + 1)} to ${address}`;
}
