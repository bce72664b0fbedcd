// One HTTP/2 connection, on either side: reads frames, keeps the rules of RFC 9113, and has its streams. It knows nothing of gRPC.
// Over 300 lines: whether a frame is allowed depends on the streams, the windows, the limits and the end of the connection together.

import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { IoTimer } from '../support/io-timer.js';
import { Acknowledgements, PING_BYTES } from './acknowledgements.js';
import { FrameOutput } from './frame-output.js';
import { FrameParser, type FrameReceiver } from './frame-parser.js';
import {
  CLIENT_PREFACE,
  FLAG,
  FRAME,
  HTTP2_CODE,
  Http2Error,
  INITIAL_WINDOW_BYTES,
  MAX_FRAME_BYTES,
  MAX_STREAM_ID,
  MAX_WINDOW_BYTES,
  nameOfCode,
  SETTING,
} from './frames.js';
import { assertDependency, HeaderBlocks } from './header-blocks.js';
import { HeaderDecoder } from './header-decoder.js';
import { HeaderEncoder, type Headers } from './header-encoder.js';
import { isRequest } from './pseudo-headers.js';
import { RecentResets, ResetBudget, type ResetLimit } from './resets.js';
import { Http2Stream, type StreamConnection, type StreamReceiver } from './stream.js';
import { StreamScheduler } from './stream-scheduler.js';

export interface Http2ConnectionOptions {
  readonly role: 'client' | 'server';
  /** The window of each stream, and that of all streams together. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** The size of the headers of one message. */
  readonly maxHeaderBytes: number;
  /** How many streams a client may have open; only a server sets it. */
  readonly maxStreams?: number;
  /** How many streams a client may reset; only a server sets it. */
  readonly resets?: ResetLimit;
  /** Names of headers whose values do not repeat. */
  readonly unrepeatedHeaders: ReadonlySet<string>;
  /** Real time, for `resets`. */
  readonly monotonicMs: () => number;
}

/** What a connection reports. Nothing is called after `closed`. */
interface Http2ConnectionOwner {
  /** The first settings of the peer have arrived: it speaks HTTP/2. */
  ready(): void;
  /** The peer accepts no more streams. Those that it has not seen are closed with REFUSED_STREAM. */
  goaway(code: number): void;
  /** A client has opened a stream; called on servers only. Sets its receiver. */
  stream(stream: Http2Stream, headers: Headers): void;
  /** The connection has ended; called once. @param error why, unless an end was asked for */
  closed(error: Error | undefined): void;
}

/** What the peer has asked for and does not read: answers to its pings and settings. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Beyond it, a server reads nothing more of a client that does not read its answers. */
const PAUSING_BYTES = 1024 * 1024;
/** How long the last frames may take to leave a connection that has ended: after an error, and when answers may be among them. */
const LAST_FRAMES_MS = 1_000;
const LAST_ANSWERS_MS = 30_000;

export class Http2Connection implements StreamConnection, FrameReceiver {
  sendWindow = INITIAL_WINDOW_BYTES;
  private readonly output: FrameOutput;
  private readonly parser: FrameParser;
  private readonly encoder: HeaderEncoder;
  private readonly decoder: HeaderDecoder;
  private readonly streams = new Map<number, Http2Stream>();
  /** Used by clients only: streams beyond the peer's limit, and what opens them. */
  private readonly waiting = new Map<Http2Stream, readonly Headers[]>();
  private readonly scheduler = new StreamScheduler(this);
  /** Streams that this side has reset. */
  private readonly recentResets = new RecentResets();
  /** Streams that the peer has reset. grpc-java sends the data that it had queued behind its reset. */
  private readonly peerResets = new RecentResets();
  private readonly resetBudget: ResetBudget | undefined;
  private readonly headerBlocks: HeaderBlocks;
  private readonly acknowledgements: Acknowledgements;
  private isPaused = false;
  private receiveWindow: number;
  private received = 0;
  private initialSendWindow = INITIAL_WINDOW_BYTES;
  private peerMaxStreams = Number.POSITIVE_INFINITY;
  /** The id of the next stream. Tests set it. */
  nextStreamId: number;
  private lastPeerId = 0;
  private isReady = false;
  private isPeerLeaving = false;
  private isLeaving = false;
  private isEnded = false;
  private error: Error | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly options: Http2ConnectionOptions,
    private readonly owner: Http2ConnectionOwner,
  ) {
    const { role, unrepeatedHeaders, maxHeaderBytes, connectionWindowBytes, resets, monotonicMs } = options;
    this.output = new FrameOutput(socket);
    this.acknowledgements = new Acknowledgements(this.output);
    this.parser = new FrameParser(this, role === 'server');
    this.encoder = new HeaderEncoder(unrepeatedHeaders);
    this.decoder = new HeaderDecoder(maxHeaderBytes);
    this.receiveWindow = connectionWindowBytes;
    this.nextStreamId = role === 'client' ? 1 : 2;
    this.headerBlocks = new HeaderBlocks(maxHeaderBytes);
    if (resets !== undefined) this.resetBudget = new ResetBudget(resets, monotonicMs);
    this.sendPreface();
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('drain', () => {
      if (this.isPaused) this.socket.resume();
      this.isPaused = false;
      this.pump();
    });
    socket.on('error', (error) => {
      this.error ??= error;
      this.end();
    });
    socket.on('end', () => this.end());
    socket.on('close', () => this.end());
  }

  /** In a log: the headers that it remembers may be secrets, and its socket refers to much of the process. */
  [inspect.custom](): string {
    const { role } = this.options;
    return `Http2Connection { role: '${role}', streams: ${this.streamCount}, isClosed: ${this.isEnded} }`;
  }

  /** How many streams are open, or wait to be opened. */
  get streamCount(): number {
    return this.streams.size + this.waiting.size;
  }

  /** Whether a new stream may begin. */
  get isUsable(): boolean {
    return !this.isEnded && !this.isPeerLeaving && !this.isLeaving && this.nextStreamId <= MAX_STREAM_ID;
  }

  get isClosed(): boolean {
    return this.isEnded;
  }

  /** Why it ended, unless an end was asked for. */
  get failure(): Error | undefined {
    return this.error;
  }

  get mayWrite(): boolean {
    return !this.output.isCongested;
  }

  get waitingBytes(): number {
    return this.output.waitingBytes;
  }

  /**
   * Begins a stream of a client; while the peer has as many as it accepts, the stream waits. Nothing is sent before the end of this turn.
   * @param isCreditedOnArrival as of {@link Http2Stream}
   * @throws Error when there cannot be another one; TypeError for an invalid header. Nothing was sent then
   */
  request(headers: readonly Headers[], receiver: StreamReceiver, isCreditedOnArrival = true): Http2Stream {
    if (!this.isUsable) throw new Error('the connection accepts no more streams');
    const stream = new Http2Stream(this, this.options.streamWindowBytes, isCreditedOnArrival);
    stream.receiver = receiver;
    if (this.streams.size < this.peerMaxStreams && this.waiting.size === 0) this.open(stream, headers);
    else {
      // When it is opened, nobody could catch that.
      this.encoder.check(headers);
      this.waiting.set(stream, headers);
    }
    return stream;
  }

  /** Asks the peer for an answer. @param onEnd called once: false when the connection ended before the answer */
  ping(onEnd: (isAnswered: boolean) => void): void {
    if (this.isEnded) {
      onEnd(false);
      return;
    }
    this.acknowledgements.ping(onEnd);
  }

  whenRead(callback: () => void): void {
    this.acknowledgements.whenRead(callback);
  }

  /** Calls back when the frames so far have left this process: with false when the connection broke before. */
  whenWritten(callback: (isWritten: boolean) => void): void {
    this.output.whenWritten(callback);
  }

  /** Announces to the peer that no more of its streams are accepted. Those that are open go on. Idempotent. */
  leave(): void {
    if (this.isLeaving || this.isEnded) return;
    this.isLeaving = true;
    // A client has no streams to refuse; its server might end the connection before the streams that wait are opened.
    if (this.options.role === 'server') this.sendGoaway(HTTP2_CODE.noError);
    this.endWhenDone();
  }

  /** Closes the connection; open streams end with CANCEL. Idempotent. */
  destroy(): void {
    if (!this.isEnded) {
      this.sendGoaway(HTTP2_CODE.noError);
      this.output.flush();
    } else this.socket.destroy();
    this.end();
  }

  // What streams need.

  writeHeaders(streamId: number, headers: readonly Headers[], isEnd: boolean): void {
    this.output.headers(streamId, this.encoder.encode(headers), isEnd);
  }

  writeFrame(type: number, flags: number, streamId: number, payload: Buffer, start?: number, end?: number): void {
    this.output.frame(type, flags, streamId, payload, start, end);
  }

  writeNumber(type: number, streamId: number, value: number): void {
    this.output.number(type, streamId, value);
  }

  writeReset(streamId: number, code: number, isRemoteEnded: boolean): void {
    this.writeNumber(FRAME.reset, streamId, code);
    if (!isRemoteEnded) this.recentResets.add(streamId);
  }

  block(stream: Http2Stream): void {
    this.scheduler.add(stream);
  }

  forget(stream: Http2Stream): void {
    this.scheduler.delete(stream);
    if (!this.waiting.delete(stream)) this.streams.delete(stream.id);
    this.openWaiting();
    this.endWhenDone();
  }

  // What arrives.

  data(streamId: number, piece: Buffer, flowBytes: number, isEnd: boolean): void {
    this.assertOrder(FRAME.data, streamId);
    this.receiveWindow -= flowBytes;
    if (this.receiveWindow < 0) {
      throw new Http2Error(HTTP2_CODE.flowControlError, 'the connection received more than its window');
    }
    this.received += flowBytes;
    if (2 * this.received >= this.options.connectionWindowBytes) {
      this.writeNumber(FRAME.windowUpdate, 0, this.received);
      this.receiveWindow += this.received;
      this.received = 0;
    }
    const stream = this.streams.get(streamId);
    if (stream?.isRemoteEnded === true) throw afterTheEnd(streamId);
    if (stream !== undefined) {
      if (!stream.takeData(piece, flowBytes, isEnd)) this.reject(stream, HTTP2_CODE.protocolError);
    } else this.assertLate(streamId, isEnd, 'DATA');
  }

  frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.assertOrder(type, streamId);
    switch (type) {
      case FRAME.headers:
        this.takeBlock(streamId, this.headerBlocks.begin(streamId, flags, payload));
        break;
      case FRAME.continuation:
        this.takeBlock(streamId, this.headerBlocks.continue(flags, payload));
        break;
      case FRAME.reset:
        this.takeReset(streamId, payload);
        break;
      case FRAME.settings:
        this.takeSettings(flags, streamId, payload);
        break;
      case FRAME.ping:
        this.takePing(flags, streamId, payload);
        break;
      case FRAME.goaway:
        this.takeGoaway(streamId, payload);
        break;
      case FRAME.windowUpdate:
        this.takeWindowUpdate(streamId, payload);
        break;
      case FRAME.priority:
        assertPriority(streamId, payload);
        break;
      case FRAME.pushPromise:
        throw new Http2Error(HTTP2_CODE.protocolError, 'pushes are not enabled');
      default:
      // Extensions are ignored (section 5.5).
    }
  }

  private receive(chunk: Buffer): void {
    if (this.isEnded) return;
    try {
      this.parser.push(chunk);
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.fail(error);
      return;
    }
    // Answers without a body are not subject to any window.
    if (this.options.role !== 'server' || this.output.waitingBytes <= PAUSING_BYTES) return;
    this.isPaused = true;
    this.socket.pause();
  }

  /** The peer does not keep the protocol: nothing that it sends can be trusted any more. */
  private fail(error: Http2Error): void {
    if (this.isEnded) return;
    this.error ??= error;
    this.sendGoaway(error.code, error.message);
    this.output.flush();
    this.end(true);
  }

  private sendPreface(): void {
    const { role, streamWindowBytes, connectionWindowBytes, maxHeaderBytes, maxStreams } = this.options;
    const settings: [number, number][] = [
      [SETTING.initialWindowSize, streamWindowBytes],
      [SETTING.maxHeaderListSize, maxHeaderBytes],
    ];
    if (role === 'client') settings.push([SETTING.enablePush, 0]);
    if (maxStreams !== undefined) settings.push([SETTING.maxConcurrentStreams, maxStreams]);
    if (role === 'client') this.output.raw(CLIENT_PREFACE);
    this.acknowledgements.sendSettings(settings);
    if (connectionWindowBytes > INITIAL_WINDOW_BYTES) {
      this.writeNumber(FRAME.windowUpdate, 0, connectionWindowBytes - INITIAL_WINDOW_BYTES);
    }
  }

  private sendGoaway(code: number, why?: string): void {
    this.output.goaway(this.lastPeerId, code, why);
  }

  private open(stream: Http2Stream, headers: readonly Headers[]): void {
    const id = this.nextStreamId;
    // Before the id is used: an invalid header throws.
    this.writeHeaders(id, headers, false);
    this.nextStreamId += 2;
    stream.flush = this.output.nextFlush;
    stream.open(id, this.initialSendWindow);
    this.streams.set(id, stream);
    if (!stream.hasUnsent) return;
    this.block(stream);
    this.pump();
  }

  private openWaiting(): void {
    for (const [stream, headers] of this.waiting) {
      if (this.streams.size >= this.peerMaxStreams || this.isEnded || this.isPeerLeaving) return;
      this.waiting.delete(stream);
      if (this.nextStreamId <= MAX_STREAM_ID) this.open(stream, headers);
      else stream.close(HTTP2_CODE.refusedStream);
    }
  }

  pump(): void {
    this.scheduler.pump();
  }

  private takeBlock(streamId: number, block: ReturnType<HeaderBlocks['begin']>): void {
    if (block === undefined) return;
    const { isEnd } = block;
    const { headers, rejection } = this.decoder.decode(block.bytes);
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      this.takeUnknown(streamId, isEnd, headers, rejection);
      return;
    }
    if (stream.isRemoteEnded) throw afterTheEnd(streamId);
    if (rejection !== undefined) this.reject(stream, rejection);
    else if (!stream.takeHeaders(headers, isEnd)) this.reject(stream, HTTP2_CODE.protocolError);
  }

  private takeUnknown(streamId: number, isEnd: boolean, headers: Headers, rejection: number | undefined): void {
    const { role, maxStreams = Number.POSITIVE_INFINITY, streamWindowBytes } = this.options;
    if (role === 'client' || streamId <= this.lastPeerId) {
      this.assertLate(streamId, isEnd, 'HEADERS');
      return;
    }
    if (streamId % 2 === 0) throw new Http2Error(HTTP2_CODE.protocolError, `a client opens stream ${streamId}`);
    // Its client knows from GOAWAY that it was not processed.
    if (this.isLeaving) return;
    this.lastPeerId = streamId;
    const stream = new Http2Stream(this, streamWindowBytes);
    stream.open(streamId, this.initialSendWindow);
    this.streams.set(streamId, stream);
    if (this.streams.size > maxStreams) stream.reset(HTTP2_CODE.refusedStream);
    else if (rejection !== undefined || !isRequest(headers) || !stream.begin(headers, isEnd)) {
      this.reject(stream, rejection ?? HTTP2_CODE.protocolError);
    } else {
      if (isEnd) stream.endRemote();
      this.owner.stream(stream, headers);
      if (isEnd) stream.ended(false);
    }
  }

  private takeReset(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw new Http2Error(HTTP2_CODE.frameSizeError, 'RST_STREAM has not 4 bytes');
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      this.assertSeen(streamId, 'a reset');
      return;
    }
    this.resetBudget?.spend();
    if (!stream.isRemoteEnded) this.peerResets.add(streamId);
    stream.close(payload.readUInt32BE(0));
  }

  /** Ends a stream whose peer does not keep the rules. */
  private reject(stream: Http2Stream, code: number): void {
    this.resetBudget?.spend();
    stream.reset(code);
  }

  private takeSettings(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw new Http2Error(HTTP2_CODE.protocolError, 'SETTINGS on a stream');
    if ((flags & FLAG.ack) !== 0) {
      if (payload.length > 0) throw new Http2Error(HTTP2_CODE.frameSizeError, 'an acknowledgement with settings');
      this.acknowledgements.takeSettings();
      return;
    }
    if (payload.length % 6 !== 0) throw new Http2Error(HTTP2_CODE.frameSizeError, 'SETTINGS ends within a setting');
    const windowBefore = this.initialSendWindow;
    for (let at = 0; at < payload.length; at += 6) this.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    // Once for all settings of the frame: there may be thousands, and thousands of streams.
    this.widenAll(this.initialSendWindow - windowBefore);
    this.reply(FRAME.settings, NOTHING);
    if (!this.isReady) {
      this.isReady = true;
      this.owner.ready();
    }
    this.openWaiting();
    this.pump();
  }

  private set(setting: number, value: number): void {
    if (setting === SETTING.headerTableSize) this.encoder.resize(value);
    else if (setting === SETTING.maxConcurrentStreams) this.peerMaxStreams = value;
    else if (setting === SETTING.enablePush && value > (this.options.role === 'client' ? 0 : 1)) {
      throw invalidSetting('the setting ENABLE_PUSH', value);
    } else if (setting === SETTING.maxFrameSize && (value < MAX_FRAME_BYTES || value > 2 ** 24 - 1)) {
      throw invalidSetting('the setting MAX_FRAME_SIZE', value);
    } else if (setting === SETTING.initialWindowSize) this.setInitialWindow(value);
  }

  private setInitialWindow(bytes: number): void {
    if (bytes > MAX_WINDOW_BYTES) throw new Http2Error(HTTP2_CODE.flowControlError, 'the initial window is too large');
    this.initialSendWindow = bytes;
  }

  private widenAll(change: number): void {
    if (change === 0) return;
    for (const stream of this.streams.values()) {
      if (!stream.widen(change)) throw new Http2Error(HTTP2_CODE.flowControlError, 'a window becomes too large');
    }
  }

  private takePing(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw new Http2Error(HTTP2_CODE.protocolError, 'PING on a stream');
    if (payload.length !== PING_BYTES) throw new Http2Error(HTTP2_CODE.frameSizeError, 'PING has not 8 bytes');
    if ((flags & FLAG.ack) === 0) this.reply(FRAME.ping, payload);
    else this.acknowledgements.takePing();
  }

  /** Acknowledges a frame; a peer that asks without reading the answers would fill the memory. */
  private reply(type: number, payload: Buffer): void {
    if (this.output.waitingBytes > MAX_WAITING_BYTES) {
      throw new Http2Error(HTTP2_CODE.enhanceYourCalm, 'the peer does not read the answers to its frames');
    }
    this.output.frame(type, FLAG.ack, 0, payload);
  }

  private takeGoaway(streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw new Http2Error(HTTP2_CODE.protocolError, 'GOAWAY on a stream');
    if (payload.length < 8) throw new Http2Error(HTTP2_CODE.frameSizeError, 'GOAWAY has fewer than 8 bytes');
    const lastId = payload.readUInt32BE(0) & 0x7fff_ffff;
    const code = payload.readUInt32BE(4);
    this.isPeerLeaving = true;
    if (code !== HTTP2_CODE.noError) this.error ??= new Error(`the peer closed the connection: ${nameOfCode(code)}`);
    this.owner.goaway(code);
    if (this.options.role === 'client') {
      for (const stream of [...this.streams.values()]) {
        if (stream.id <= lastId) continue;
        // What the peer sent of it before may still arrive.
        if (!stream.isRemoteEnded) this.recentResets.add(stream.id);
        stream.close(HTTP2_CODE.refusedStream);
      }
      for (const stream of [...this.waiting.keys()]) stream.close(HTTP2_CODE.refusedStream);
    }
    this.endWhenDone();
  }

  private takeWindowUpdate(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw new Http2Error(HTTP2_CODE.frameSizeError, 'WINDOW_UPDATE has not 4 bytes');
    const bytes = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (streamId === 0) {
      this.sendWindow += bytes;
      if (bytes === 0) throw new Http2Error(HTTP2_CODE.protocolError, 'WINDOW_UPDATE of 0 bytes');
      if (this.sendWindow > MAX_WINDOW_BYTES) {
        throw new Http2Error(HTTP2_CODE.flowControlError, 'the window of the connection becomes too large');
      }
      this.scheduler.windowGrew();
      this.pump();
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) this.assertSeen(streamId, 'a window update');
    else if (bytes === 0) this.reject(stream, HTTP2_CODE.protocolError);
    else if (!stream.widen(bytes)) this.reject(stream, HTTP2_CODE.flowControlError);
    else this.pump();
  }

  /** A frame for a stream that does not exist is late when there was one, and an error when there was none. */
  private assertSeen(streamId: number, what: string): void {
    const isOfClient = streamId % 2 === 1;
    const isOwn = isOfClient === (this.options.role === 'client');
    const isSeen = isOwn ? streamId < this.nextStreamId : streamId <= this.lastPeerId || this.isLeaving;
    if (streamId !== 0 && isSeen) return;
    throw new Http2Error(HTTP2_CODE.protocolError, `${what} on stream ${streamId}, which was never opened`);
  }

  /** A message of a stream that does not exist continues only when one side has reset it. */
  private assertLate(streamId: number, isEnd: boolean, what: string): void {
    this.assertSeen(streamId, what);
    const isIgnored = this.options.role === 'server' && streamId > this.lastPeerId;
    if (isIgnored) return;
    if (this.peerResets.delete(streamId)) {
      // An error of the stream alone (RFC 7540, section 5.1): the other streams have no part in it.
      this.writeReset(streamId, HTTP2_CODE.streamClosed, isEnd);
    } else if (this.recentResets.mayHave(streamId)) {
      if (isEnd) this.recentResets.delete(streamId);
    } else if (!this.peerResets.mayHave(streamId)) throw afterTheEnd(streamId);
  }

  private assertOrder(type: number, streamId: number): void {
    if (!this.isReady && type !== FRAME.settings) {
      throw new Http2Error(HTTP2_CODE.protocolError, 'the first frame is not SETTINGS: the peer does not speak HTTP/2');
    }
    this.headerBlocks.assertUninterrupted(type, streamId);
  }

  private endWhenDone(): void {
    if ((!this.isLeaving && !this.isPeerLeaving) || this.isEnded || this.streamCount > 0) return;
    if (this.options.role === 'client') this.sendGoaway(HTTP2_CODE.noError);
    this.output.flush();
    this.end(true);
  }

  /** Destroys the socket once it has written what it has; a peer that does not read cannot keep it. */
  private endSocket(): void {
    const { socket } = this;
    if (socket.destroyed) return;
    const graceMs = this.error === undefined ? LAST_ANSWERS_MS : LAST_FRAMES_MS;
    const timer = new IoTimer(graceMs, destroySocket, socket);
    socket.once('close', () => timer.stop());
    socket.destroySoon();
  }

  /** The one end of a connection. @param isSaying whether the socket may still write what it has */
  private end(isSaying = false): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.parser.stop();
    this.output.end();
    if (isSaying) this.endSocket();
    else this.socket.destroy();
    for (const stream of [...this.streams.values(), ...this.waiting.keys()]) {
      if (this.output.isRejected(stream.flush)) {
        this.streams.delete(stream.id);
        stream.id = 0;
      }
      stream.close(HTTP2_CODE.cancel);
    }
    this.acknowledgements.end();
    this.owner.closed(this.error);
  }
}

const NOTHING = Buffer.alloc(0);

function destroySocket(socket: Socket): void {
  socket.destroy();
}

function invalidSetting(name: string, value: number): Http2Error {
  return new Http2Error(HTTP2_CODE.protocolError, `${name} is ${value}`);
}

function assertPriority(streamId: number, payload: Buffer): void {
  if (streamId === 0) throw new Http2Error(HTTP2_CODE.protocolError, 'PRIORITY on stream 0');
  if (payload.length !== 5) throw new Http2Error(HTTP2_CODE.frameSizeError, 'PRIORITY has not 5 bytes');
  assertDependency(streamId, payload);
}

/** Nothing may follow the last frame of a message. A stream error would suffice; a peer that does this cannot be trusted with more. */
function afterTheEnd(streamId: number): Http2Error {
  return new Http2Error(HTTP2_CODE.streamClosed, `stream ${streamId} continues after its end`);
}
