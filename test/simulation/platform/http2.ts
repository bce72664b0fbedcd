// Replaces node:http2: sessions and streams that exchange frames over the simulated network, with the event order of Node's own.

import { EventEmitter } from 'node:events';
import { constants } from 'node:http2';
import type { End, Frame } from './network.js';
import type { Simulation } from './simulation.js';
import type { SimulatedSocket } from './sockets.js';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;
const LAST_ID = 2 ** 31 - 1;
/** From this stream id on, a client opens another session. */
const HALF_OF_IDS = 2 ** 30;

type Headers = Record<string, unknown>;

/** How the HTTP/2 of a simulation differs from Node's. */
export interface Http2Ways {
  /** The step between stream ids, large enough that they run out within a run. Usually 2. */
  idStep: number;
  idsRunOut(): void;
}

/** A stream on either side. */
export abstract class SimulatedStream extends EventEmitter {
  closed = false;
  destroyed = false;
  rstCode: number = NGHTTP2_NO_ERROR;
  readonly pending = false;
  readonly writableLength = 0;
  readonly writableNeedDrain = false;
  readableEnded = false;
  private readonly arrived: Buffer[] = [];
  private isFlowing = false;
  private isEndRead = false;
  protected isWritten = false;
  private isOver = false;

  constructor(
    protected readonly simulation: Simulation,
    readonly session: SimulatedSession,
    readonly id: number,
  ) {
    super();
  }

  override on(name: string, listener: (...values: never[]) => void): this {
    super.on(name, listener as (...values: unknown[]) => void);
    if (name === 'data') this.resume();
    return this;
  }

  resume(): this {
    if (this.isFlowing) return this;
    this.isFlowing = true;
    process.nextTick(() => this.flow());
    return this;
  }

  write(bytes: Buffer, done?: (error?: Error | null) => void): boolean {
    if (this.closed || this.isWritten) {
      if (done !== undefined) process.nextTick(done, new Error('write after end'));
      return false;
    }
    this.session.send({ kind: 'data', id: this.id, bytes: Buffer.from(bytes), isEnd: false });
    if (done !== undefined) process.nextTick(done, null);
    return true;
  }

  /** Resets the stream. */
  close(code: number = NGHTTP2_NO_ERROR): void {
    if (this.closed) return;
    this.session.send({ kind: 'reset', id: this.id, code });
    this.finish(code);
  }

  destroy(): this {
    this.close(NGHTTP2_CANCEL);
    return this;
  }

  /** @internal */
  takeData(bytes: Buffer, isEnd: boolean): void {
    if (this.closed) return;
    if (bytes.length > 0) this.arrived.push(bytes);
    if (isEnd) this.takeEnd();
    if (this.isFlowing) this.flow();
  }

  /** @internal The other side has sent everything. */
  takeEnd(): void {
    this.isEndRead = true;
    if (this.isFlowing) this.flow();
  }

  /** @internal It has ended. @param error the argument of listeners */
  finish(code: number, error?: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.closed = true;
    this.rstCode = code;
    this.session.forget(this);
    process.nextTick(() => {
      this.destroyed = true;
      if (code !== NGHTTP2_NO_ERROR) this.emit('aborted');
      if (error !== undefined && this.listenerCount('error') > 0) this.emit('error', error);
      this.emit('close');
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    const pieces: Buffer[] = [];
    let wake = (): void => {};
    let isDone = false;
    this.on('data', (piece: Buffer) => {
      pieces.push(piece);
      wake();
    });
    for (const last of ['end', 'close']) {
      this.on(last, () => {
        isDone = true;
        wake();
      });
    }
    for (;;) {
      const piece = pieces.shift();
      if (piece !== undefined) yield piece;
      else if (isDone || this.destroyed) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  protected endIfBothHaveEnded(): void {
    if (this.isWritten && this.readableEnded) this.finish(NGHTTP2_NO_ERROR);
  }

  private flow(): void {
    for (let piece = this.arrived.shift(); piece !== undefined && !this.closed; piece = this.arrived.shift()) {
      this.emit('data', piece);
    }
    if (!this.isEndRead || this.readableEnded || this.closed) return;
    this.readableEnded = true;
    this.emit('end');
    this.endIfBothHaveEnded();
  }
}

/** A call on the client's side. */
export class SimulatedClientStream extends SimulatedStream {
  end(bytes?: Buffer): this {
    if (this.closed || this.isWritten) return this;
    this.isWritten = true;
    this.session.send({ kind: 'data', id: this.id, bytes: Buffer.from(bytes ?? []), isEnd: true });
    return this;
  }

  /** @internal */
  take(frame: Frame): void {
    if (this.closed) return;
    switch (frame.kind) {
      case 'headers':
        this.emit('response', frame.headers);
        if (frame.isEnd) this.takeEnd();
        break;
      case 'data':
        this.takeData(frame.bytes, frame.isEnd);
        break;
      case 'trailers':
        this.emit('trailers', frame.headers);
        this.takeEnd();
        break;
      case 'reset': {
        const isError = frame.code !== NGHTTP2_NO_ERROR && frame.code !== NGHTTP2_CANCEL;
        const text = `Stream closed with error code ${frame.code}`;
        this.finish(frame.code, isError ? new Error(text) : undefined);
        break;
      }
      default:
    }
  }

  protected override endIfBothHaveEnded(): void {
    // A server may answer before it has read everything; the stream still ends.
    if (this.readableEnded) this.finish(NGHTTP2_NO_ERROR);
  }
}

/** A call on the server's side. */
export class SimulatedServerStream extends SimulatedStream {
  headersSent = false;
  private waitsForTrailers = false;

  respond(headers: Headers, { endStream = false, waitForTrailers = false } = {}): void {
    if (this.closed || this.headersSent) return;
    this.headersSent = true;
    this.waitsForTrailers = waitForTrailers;
    this.session.send({ kind: 'headers', id: this.id, headers: { ...headers }, isEnd: endStream });
    if (endStream) this.written();
  }

  end(bytes?: Buffer): this {
    if (this.closed || this.isWritten) return this;
    if (bytes !== undefined) this.write(bytes);
    if (this.waitsForTrailers) process.nextTick(() => this.closed || this.emit('wantTrailers'));
    else {
      this.session.send({ kind: 'data', id: this.id, bytes: Buffer.alloc(0), isEnd: true });
      this.written();
    }
    return this;
  }

  sendTrailers(headers: Headers): void {
    if (this.closed || this.isWritten) return;
    this.session.send({ kind: 'trailers', id: this.id, headers: { ...headers } });
    this.written();
  }

  private written(): void {
    this.isWritten = true;
    this.endIfBothHaveEnded();
  }

  /** @internal */
  take(frame: Frame): void {
    if (this.closed) return;
    if (frame.kind === 'data') this.takeData(frame.bytes, frame.isEnd);
    else if (frame.kind === 'reset') this.finish(frame.code);
  }
}

/** A session on either side. */
export abstract class SimulatedSession extends EventEmitter {
  closed = false;
  destroyed = false;
  protected readonly streams = new Map<number, SimulatedClientStream | SimulatedServerStream>();
  private readonly pings = new Map<number, (error: Error | null) => void>();
  private nextPing = 1;

  constructor(
    protected readonly simulation: Simulation,
    readonly socket: SimulatedSocket,
  ) {
    super();
    socket.on('close', () => this.lost());
  }

  protected get wire(): End | undefined {
    return this.socket.end_;
  }

  setLocalWindowSize(): void {}

  ping(answered: (error: Error | null) => void): boolean {
    if (this.destroyed) throw new Error('The session has been destroyed');
    const number = this.nextPing++;
    this.pings.set(number, answered);
    this.send({ kind: 'ping', number });
    return true;
  }

  /** @internal */
  send(frame: Frame): void {
    this.wire?.send(frame);
  }

  /** @internal */
  forget(stream: SimulatedStream): void {
    this.streams.delete(stream.id);
    if (this.closed && this.streams.size === 0) this.simulation.soon(() => this.destroy());
  }

  destroy(_error?: Error, code: number = NGHTTP2_NO_ERROR): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.closed = true;
    for (const stream of [...this.streams.values()]) stream.finish(code === NGHTTP2_NO_ERROR ? NGHTTP2_CANCEL : code);
    for (const answered of this.pings.values()) process.nextTick(answered, new Error('HTTP2 ping cancelled'));
    this.pings.clear();
    this.socket.destroy();
    this.simulation.soon(() => this.emit('close'));
  }

  protected takeFrame(frame: Frame): void {
    if (frame.kind === 'ping') this.send({ kind: 'pong', number: frame.number });
    if (frame.kind !== 'pong') return;
    const answered = this.pings.get(frame.number);
    this.pings.delete(frame.number);
    answered?.(null);
  }

  private lost(): void {
    this.destroy(undefined, NGHTTP2_CANCEL);
  }
}

/** The used part of `ClientHttp2Session`. */
export class SimulatedClientSession extends SimulatedSession {
  private nextId = 1;

  constructor(
    simulation: Simulation,
    socket: SimulatedSocket,
    private readonly ways: Http2Ways,
  ) {
    super(simulation, socket);
    socket.once('connect', () => {
      const { wire } = this;
      if (wire === undefined) return;
      wire.onFrame = (frame) => this.take(frame);
      this.send({ kind: 'settings' });
    });
    socket.on('error', (error: Error) => this.listenerCount('error') > 0 && this.emit('error', error));
  }

  request(headers: Headers): SimulatedClientStream {
    if (this.destroyed) throw coded('ERR_HTTP2_INVALID_SESSION', 'The session has been destroyed');
    if (this.closed) throw coded('ERR_HTTP2_GOAWAY_SESSION', 'New streams cannot be created after receiving a GOAWAY');
    const id = this.nextId;
    if (id > LAST_ID)
      throw coded('ERR_HTTP2_OUT_OF_STREAMS', 'No stream ID is available because maximum stream ID has been reached');
    this.nextId += this.ways.idStep;
    if (id < HALF_OF_IDS && this.nextId >= HALF_OF_IDS) this.ways.idsRunOut();
    const stream = new SimulatedClientStream(this.simulation, this, id);
    this.streams.set(id, stream);
    this.send({ kind: 'headers', id, headers: { ...headers }, isEnd: false });
    return stream;
  }

  private take(frame: Frame): void {
    if (this.destroyed) return;
    switch (frame.kind) {
      case 'settings':
        this.emit('remoteSettings', {});
        return;
      case 'goaway':
        this.emit('goaway', NGHTTP2_NO_ERROR, frame.lastId);
        this.closed = true;
        for (const stream of [...this.streams.values()]) {
          if (stream.id > frame.lastId) stream.finish(NGHTTP2_REFUSED_STREAM);
        }
        if (this.streams.size === 0) this.simulation.soon(() => this.destroy());
        return;
      case 'ping':
      case 'pong':
        this.takeFrame(frame);
        return;
      case 'bytes':
        this.destroy();
        return;
      default:
        this.streams.get(frame.id)?.take(frame);
    }
  }
}

/** The used part of `ServerHttp2Session`. */
export class SimulatedServerSession extends SimulatedSession {
  private lastId = 0;

  constructor(
    simulation: Simulation,
    socket: SimulatedSocket,
    private readonly onStream: (stream: SimulatedServerStream, headers: Headers) => void,
    /** Whether a stream is refused before it is handled. */
    private readonly refuses: (stream: number, headers: Headers) => boolean,
  ) {
    super(simulation, socket);
    const { wire } = this;
    if (wire === undefined) throw new Error('a server session needs a connection');
    wire.onFrame = (frame) => this.take(frame);
    this.send({ kind: 'settings' });
  }

  /** The name of the process at the other end. */
  get client(): string {
    return this.wire?.connection.client.process.name ?? '';
  }

  /** Sends GOAWAY, and ends after the last call. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.send({ kind: 'goaway', lastId: this.lastId });
    if (this.streams.size === 0) this.simulation.soon(() => this.destroy());
  }

  private take(frame: Frame): void {
    if (this.destroyed) return;
    switch (frame.kind) {
      case 'headers':
        this.open(frame.id, frame.headers);
        return;
      case 'ping':
      case 'pong':
        this.takeFrame(frame);
        return;
      case 'data':
      case 'reset':
        this.streams.get(frame.id)?.take(frame);
        return;
      case 'bytes':
        this.destroy();
        return;
      default:
    }
  }

  private open(id: number, headers: Headers): void {
    // Streams after GOAWAY are not answered: their callers know that they were refused.
    if (this.closed) return;
    if (this.refuses(id, headers)) {
      this.send({ kind: 'reset', id, code: NGHTTP2_REFUSED_STREAM });
      return;
    }
    this.lastId = id;
    const stream = new SimulatedServerStream(this.simulation, this, id);
    this.streams.set(id, stream);
    this.onStream(stream, headers);
  }
}

/** The used part of `Http2Server`, which receives sockets from outside. */
export class SimulatedHttp2Server extends EventEmitter {
  constructor(
    simulation: Simulation,
    hooks: { opened(session: SimulatedServerSession): void; refuses(session: SimulatedServerSession): boolean },
  ) {
    super();
    this.on('connection', (socket: SimulatedSocket) => {
      const onStream = (stream: SimulatedServerStream, headers: Headers): void => {
        this.emit('stream', stream, headers);
      };
      let session: SimulatedServerSession;
      const refuses = (): boolean => hooks.refuses(session);
      session = new SimulatedServerSession(simulation, socket, onStream, refuses);
      hooks.opened(session);
      this.emit('session', session);
    });
  }
}

function coded(code: string, text: string): Error {
  return Object.assign(new Error(text), { code });
}
