// Faults of the embedded broker's HTTP/2 and of the ids of streams: drawn where both sides write and open their streams, so that all the rest of
// their HTTP/2 runs as it is.

import { ServerConnection } from '../../../libs/rocketmq/src/broker/services/grpc-wire/server-connection.js';
import { Http2Connection } from '../../../libs/rocketmq/src/http2/connection.js';
import { FRAME, HTTP2_CODE } from '../../../libs/rocketmq/src/http2/frames.js';
import type { Headers } from '../../../libs/rocketmq/src/http2/header-encoder.js';
import type { Http2Stream } from '../../../libs/rocketmq/src/http2/stream.js';
import type { SimulatedSocket } from './sockets.js';

/** From this stream id on, a client opens another session. */
const HALF_OF_IDS = 2 ** 30;

/** What may go wrong. */
export interface Http2Ways {
  /** The step between stream ids, large enough that they run out within a run. Usually 2. */
  idStep: number;
  /** Called when the running process has used half of a session's stream ids. */
  idsRunOut(): void;
  /** Called for each HTTP/2 session that a server opens. */
  sessionOpened(session: BrokerSession): void;
  /** Whether a server refuses a new stream before it is handled. */
  refusesStream(): boolean;
  /** Whether an answer of the server is cut off: it has done the work. */
  losesAnswer(): boolean;
  /** What a server sends on a telemetry stream instead of a message. */
  altersTelemetry(message: Buffer): Buffer;
}

/** A session on the broker's side. */
export class BrokerSession {
  constructor(private readonly connection: ServerConnection) {}

  private get socket(): SimulatedSocket {
    return (this.connection as unknown as { socket: SimulatedSocket }).socket;
  }

  get destroyed(): boolean {
    return this.socket.destroyed;
  }

  /** Whether it accepts no more streams. */
  get closed(): boolean {
    return this.destroyed || !http2Of(this.connection).isUsable;
  }

  /** The name of the process at the other end. */
  get client(): string {
    return this.socket.end_?.connection.client.process.name ?? '';
  }

  /** Sends GOAWAY, and ends after the last call. */
  close(): void {
    this.connection.close();
  }
}

function http2Of(connection: ServerConnection): Http2Connection {
  return (connection as unknown as { http2: Http2Connection }).http2;
}

/** What is replaced of a connection. */
interface Replaced extends Pick<Http2Connection, 'writeHeaders' | 'writeFrame' | 'nextStreamId'> {
  readonly options: { readonly role: 'client' | 'server' };
  readonly streams: ReadonlyMap<number, Http2Stream>;
  open(stream: Http2Stream, headers: readonly Headers[]): void;
}

/** @param running the ways of the current simulation; undefined when none runs */
export function installHttp2Faults(running: () => Http2Ways | undefined): void {
  const telemetry = new WeakMap<object, Set<number>>();
  const own = Http2Connection.prototype as unknown as Replaced;
  const { open, writeHeaders, writeFrame } = own;
  own.open = function (this: Replaced, stream, headers) {
    open.call(this, stream, headers);
    const ways = running();
    if (ways === undefined || this.options.role === 'server') return;
    this.nextStreamId += ways.idStep - 2;
    if (stream.id < HALF_OF_IDS && this.nextStreamId >= HALF_OF_IDS) ways.idsRunOut();
  };
  own.writeHeaders = function (this: Replaced, streamId, headers, isEnd) {
    const isAnswer = this.options.role === 'server' && headers[0]?.[':status'] !== undefined;
    if (isAnswer && running()?.losesAnswer() === true) {
      // A server that went on with the stream would break the rules of HTTP/2.
      this.streams.get(streamId)?.reset(HTTP2_CODE.internalError);
    } else writeHeaders.call(this, streamId, headers, isEnd);
  };
  own.writeFrame = function (this: Replaced, type, flags, streamId, payload, start = 0, end = payload.length) {
    const ways = running();
    const isAltered = ways !== undefined && type === FRAME.data && telemetry.get(this)?.has(streamId) === true;
    if (isAltered) writeFrame.call(this, type, flags, streamId, ways.altersTelemetry(payload.subarray(start, end)));
    else writeFrame.call(this, type, flags, streamId, payload, start, end);
  };
  const { stream: serve, ready } = ServerConnection.prototype;
  ServerConnection.prototype.stream = function (stream, headers) {
    const http2 = http2Of(this);
    if (headers[':path']?.endsWith('/Telemetry') === true) {
      telemetry.set(http2, (telemetry.get(http2) ?? new Set()).add(stream.id));
    }
    if (running()?.refusesStream() === true) stream.reset(HTTP2_CODE.refusedStream);
    else serve.call(this, stream, headers);
  };
  ServerConnection.prototype.ready = function () {
    running()?.sessionOpened(new BrokerSession(this));
    ready.call(this);
  };
}
