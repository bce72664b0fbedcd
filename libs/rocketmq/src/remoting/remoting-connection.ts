// One TCP connection to a name server or broker: sends requests, matches answers, and hands on what the server asks. Addresses and reconnecting are in
// remoting-client.ts. Over 300 lines, because all of it works on the one state of a connection.

import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { FrameDecoder, MalformedFrame, type RemotingFrame, writeFrame } from '../protocol/remoting/frame.js';
import { abortReason, raceAbort } from '../support/abort.js';
import { type Abortable, onAbort, reasonOf } from '../support/abort-source.js';
import { monotonicMs } from '../support/deadline.js';
import { MAY_HAVE_TAKEN_EFFECT, NOTHING_TOOK_EFFECT, TransportError } from '../support/errors.js';
import { SocketOutput } from '../support/socket-output.js';
import type { ResolvedTls } from '../support/tls.js';
import { tlsFailure } from '../support/tls-failure.js';
import { isHttp2Answer, malformedAnswer, notANameServer, type RemotingRequest } from './remoting-request.js';

interface PendingCall {
  resolve: (answer: RemotingFrame) => void;
  reject: (error: Error) => void;
  /** Stops listening to its deadline. */
  readonly unlisten: () => void;
}

/** What happens on a connection beside the answers to calls. */
export interface ConnectionEvents {
  /** Called once, as soon as the connection takes no more calls. */
  onEnd(): void;
  /** A request of the server. Default: it is ignored. */
  onRequest?(request: RemotingFrame, connection: RemotingConnection): void;
}

/** How an answer to a request of the server is made. */
type Reply = Pick<RemotingFrame, 'code'> & Partial<Pick<RemotingFrame, 'remark' | 'fields' | 'body'>>;

/** How many bytes of answers may wait for a server that asks and does not read. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;
/** How many answers to abandoned calls are waited for: a broker answers each poll, unless it has forgotten it. */
const MAX_LATE = 1_000;
/** The largest number of a request: the protocol has 32 bits for it, with a sign. */
const LAST_OPAQUE = 2 ** 31 - 1;
/** How long a connection may be idle before the operating system checks that its peer is there. */
const KEEP_ALIVE_MS = 30_000;

type ConnectionState = { readonly kind: 'open' } | { readonly kind: 'closed'; readonly why: Error };

/** An open connection. It stays open until `close()`, or until the server or a malformed answer ends it. */
export class RemotingConnection {
  private state: ConnectionState = { kind: 'open' };
  /** The number of the next request. Public so that a test need not send all before it. */
  nextOpaque = 1;
  private release = 0;
  private lastChunkAtMs: number | undefined;
  private readonly pending = new Map<number, PendingCall>();
  /** Those of them that were abandoned, oldest first. */
  private readonly late = new Set<number>();
  /** What has arrived and is not handed on yet. */
  private readonly arrived: RemotingFrame[] = [];
  private isTurnDue = false;
  private readonly output: SocketOutput;
  /** Resolves when the socket is closed by either side. */
  readonly ended: Promise<void>;

  private constructor(
    readonly address: string,
    private readonly socket: Socket,
    maxFrameBytes: number,
    private readonly events: ConnectionEvents,
  ) {
    this.output = new SocketOutput(socket);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const decoder = new FrameDecoder(maxFrameBytes, 'client');
    socket.on('data', (chunk: Buffer) => this.receive(decoder, chunk));
    socket.on('error', (error) => {
      // TLS 1.3: a rejected or missing client certificate is reported only after the client has finished its handshake.
      const rejection = this.hasReceived ? undefined : tlsFailure(`connection to ${address}`, error.message, error);
      this.end(rejection ?? connectionLost(address, error.message, error));
    });
    const closed = (): void => this.end(connectionLost(address, 'the server closed the connection'));
    // A server that does not read keeps the socket from closing, and no answer can come any more.
    socket.once('end', closed);
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        closed();
        resolve();
      });
    });
  }

  /**
   * Connects, or gives up when the signal aborts.
   * @param tls undefined for plaintext
   * @throws TransportError `UNAVAILABLE` or `TLS_FAILED` (not-sent) that names the address, or the signal's reason
   */
  static async open(
    address: string,
    maxFrameBytes: number,
    tls: ResolvedTls | undefined,
    signal: AbortSignal,
    events: ConnectionEvents,
  ): Promise<RemotingConnection> {
    const { port } = splitAddress(address);
    // Node would throw, and leave a handle open.
    if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
      const text = `${address} is not host:port with a port from 1 to 65535; nothing was sent; check brokerIP1 and listenPort of the broker`;
      throw new TransportError('UNAVAILABLE', text, 'not-sent', true);
    }
    const socket = tls === undefined ? connect({ ...splitAddress(address), noDelay: true }) : tlsSocket(address, tls);
    try {
      await raceAbort(connected(socket, tls === undefined ? 'connect' : 'secureConnect'), signal);
    } catch (cause) {
      socket.destroy();
      if (signal.aborted) throw abortReason(signal);
      const reason = cause instanceof Error ? cause.message : String(cause);
      const failure = tls && tlsFailure(`cannot connect to ${address}`, reason, cause);
      if (failure !== undefined) throw failure;
      const question = `check that it is running and reachable from here${tls === undefined ? '' : ', and that it uses TLS'}`;
      const message = `cannot connect to ${address}: ${reason}; nothing was sent; ${question}`;
      throw new TransportError('UNAVAILABLE', message, 'not-sent', true, { cause });
    }
    return new RemotingConnection(address, socket, maxFrameBytes, events);
  }

  /**
   * Sends a request and waits for its answer, whatever the answer's code.
   * @param end gives the request up when it aborts
   * @param onLate called with an answer that arrives after that. Default: it is dropped
   * @throws TransportError when the connection ends first, or the reason of `end`
   */
  call(request: RemotingRequest, end: Abortable, onLate?: (answer: RemotingFrame) => void): Promise<RemotingFrame> {
    let opaque: number;
    try {
      this.assertOpen();
      if (end.aborted) throw reasonOf(end);
      opaque = this.takeOpaque();
      writeFrame(this.output, request, opaque);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.answerTo(opaque, end, onLate);
  }

  /** Servers close a connection on a larger number. The first ones can still be awaited when they are used again. */
  private takeOpaque(): number {
    let opaque: number;
    do {
      opaque = this.nextOpaque;
      this.nextOpaque = opaque === LAST_OPAQUE ? 1 : opaque + 1;
    } while (this.pending.has(opaque));
    return opaque;
  }

  private answerTo(
    opaque: number,
    end: Abortable,
    onLate: ((answer: RemotingFrame) => void) | undefined,
  ): Promise<RemotingFrame> {
    return new Promise((resolve, reject) => {
      const unlisten = onAbort(end, () => {
        if (onLate === undefined) this.pending.delete(opaque);
        else this.awaitLate(opaque, onLate);
        reject(reasonOf(end));
      });
      this.pending.set(opaque, { resolve, reject, unlisten });
    });
  }

  private awaitLate(opaque: number, onLate: (answer: RemotingFrame) => void): void {
    this.pending.set(opaque, { resolve: onLate, reject: nothing, unlisten: nothing });
    this.late.add(opaque);
    if (this.late.size <= MAX_LATE) return;
    for (const oldest of this.late) {
      this.late.delete(oldest);
      this.pending.delete(oldest);
      return;
    }
  }

  /** Answers a request of the server; without effect when the connection has ended. */
  reply({ opaque }: Pick<RemotingFrame, 'opaque'>, answer: Reply): void {
    if (this.state.kind === 'closed') return;
    writeFrame(this.output, { ...answer, isResponse: true }, opaque);
    if (this.output.waitingBytes > MAX_UNREAD_BYTES) this.abandon('the server asks without reading the answers');
  }

  private assertOpen(): void {
    if (this.state.kind === 'open') return;
    const { why } = this.state;
    if (why instanceof TransportError && !why.retryable) throw why;
    const text = `${this.address}: ${why.message.replace(MAY_HAVE_TAKEN_EFFECT, NOTHING_TOOK_EFFECT)}; nothing was sent`;
    throw new TransportError('UNAVAILABLE', text, 'not-sent', true, { cause: why });
  }

  /** Ends a connection that is open but silent: its server may be cut off without having said so. */
  abandon(why: string): void {
    this.end(connectionLost(this.address, why));
  }

  /** Closes the connection; pending calls fail. Resolves when the socket is closed. Idempotent. */
  async close(): Promise<void> {
    this.end(connectionLost(this.address, 'the client was closed'));
    await this.ended;
  }

  /** Whether the server has sent anything. */
  get hasReceived(): boolean {
    return this.lastChunkAtMs !== undefined;
  }

  /** When the server last sent something, in monotonic real time; undefined before. */
  get lastReceivedAtMs(): number | undefined {
    return this.lastChunkAtMs;
  }

  /** The release of the server, see {@link RemotingFrame.version}; 0 before its first answer. */
  get serverVersion(): number {
    return this.release;
  }

  private receive(decoder: FrameDecoder, chunk: Buffer): void {
    if (!this.hasReceived && isHttp2Answer(chunk)) {
      this.end(notANameServer(this.address));
      return;
    }
    this.lastChunkAtMs = monotonicMs();
    let frames: RemotingFrame[];
    try {
      frames = decoder.push(chunk);
    } catch (error) {
      this.end(error instanceof MalformedFrame ? malformedAnswer(error) : (error as Error));
      return;
    }
    this.arrived.push(...frames);
    if (!this.isTurnDue) this.handOn();
  }

  /**
   * Answers reach their callers after some promises, and requests reach the client after others. What arrives together is handed on in
   * turns, so that both see it in the order in which the server wrote it.
   */
  private handOn(): void {
    this.isTurnDue = false;
    let isOfAnswers: boolean | undefined;
    for (;;) {
      const frame = this.arrived[0];
      if (frame === undefined) return;
      isOfAnswers ??= frame.isResponse;
      if (frame.isResponse !== isOfAnswers) break;
      this.arrived.shift();
      this.take(frame);
    }
    this.isTurnDue = true;
    setImmediate(() => this.handOn());
  }

  private take(frame: RemotingFrame): void {
    if (!frame.isResponse) {
      this.events.onRequest?.(frame, this);
      return;
    }
    this.release = frame.version;
    // An unknown number belongs to a late answer of an abandoned call.
    const call = this.pending.get(frame.opaque);
    this.pending.delete(frame.opaque);
    this.late.delete(frame.opaque);
    if (call === undefined) return;
    // An outgrown table of the map may keep the call for seconds, and with it the answer.
    const { resolve } = call;
    call.unlisten();
    call.resolve = call.reject = nothing;
    resolve(frame);
  }

  private end(error: Error): void {
    if (this.state.kind === 'closed') return;
    this.state = { kind: 'closed', why: error };
    for (const frame of this.arrived.splice(0)) this.take(frame);
    for (const { unlisten, reject } of this.pending.values()) {
      unlisten();
      reject(error);
    }
    this.pending.clear();
    this.late.clear();
    this.socket.destroy();
    this.events.onEnd();
  }
}

function nothing(): void {}

function tlsSocket(address: string, tls: ResolvedTls): Socket {
  const { serverName, acceptsAnyCertificate } = tls;
  const { host, port } = splitAddress(address);
  const servername = serverName ?? (isIP(host) === 0 ? host : '');
  const secureContext = tls.secureContext();
  const socket = connectTls({ host, port, secureContext, servername, rejectUnauthorized: !acceptsAnyCertificate });
  return socket.setNoDelay(true);
}

function connected(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once('error', reject);
  });
}

function connectionLost(address: string, why: string, cause?: Error): TransportError {
  const message = `${address}: ${why} before it answered; ${MAY_HAVE_TAKEN_EFFECT}`;
  return new TransportError('UNAVAILABLE', message, 'unknown', true, { cause });
}

export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}
