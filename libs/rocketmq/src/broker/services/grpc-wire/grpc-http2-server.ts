// gRPC over HTTP/2: connections, streams, limits, a bounded stop. The caller accepts the sockets and does TLS.

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Http2ConnectionOptions } from '../../../http2/connection.js';
import type { Headers } from '../../../http2/header-encoder.js';
import type { Http2Stream, StreamReceiver } from '../../../http2/stream.js';
import { type Clock, MINUTE_MS, type ScheduledTask, SECOND_MS, sleep } from '../../../support/clock.js';
import { GrpcError } from '../../../support/grpc/status.js';
import { CallMemory, type UnfinishedCall } from '../call-memory.js';
import { ConnectionRoom } from '../connection-room.js';
import { type Method, RESPONSE_HEADERS, reject, ServerCall, type ServerCallOptions } from './server-call.js';
import { type ConnectionServer, ServerConnection } from './server-connection.js';

const MEBIBYTE = 1024 * 1024;

/** The maximum number of open streams on a connection. Clients with many groups have one for each long poll. */
const MAX_CONCURRENT_STREAMS = 10_000;
/**
 * How many streams a client may reset at once, and per second after that, before its connection is closed. The burst is the maximum of
 * open streams, because they may time out together.
 */
const RESET_LIMITS = { burst: MAX_CONCURRENT_STREAMS, perSecond: 1_000 };
const MAX_HEADER_BYTES = 16 * 1024;
/** The flow-control window of streams and connections, so that a body of maximum size takes few round trips. */
const STREAM_WINDOW_BYTES = MEBIBYTE;
const CONNECTION_WINDOW_BYTES = 8 * MEBIBYTE;
/** How often connections are checked. One whose client takes no response is closed after five checks. */
const LOOK_EVERY_MS = 5 * SECOND_MS;
/** The memory limit of incomplete requests and unread answers, over all connections. */
const MAX_UNFINISHED_BYTES = 256 * MEBIBYTE;
/** How long a request without a deadline may be incomplete, and an answer unread. */
const MAX_REQUEST_MS = 2 * MINUTE_MS;
/** Far more clients than an embedded broker has. Further ones replace connections without calls. */
const MAX_CONNECTIONS = 4_096;
/** Response headers with a different value each time. */
const UNREPEATED_HEADERS: ReadonlySet<string> = new Set(['grpc-message']);
const NOT_GRPC: readonly Headers[] = [{ ':status': '415' }];
/** What such a request counts, and the most of its body that is awaited. */
const OTHER_REQUEST_BYTES = 16 * 1024;
/** To a TLS client that did not choose HTTP/2, as Node's own server answers it. */
const NOT_HTTP2 =
  'HTTP/1.0 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nMissing ALPN Protocol, expected `h2` to be available.\n';

export interface GrpcHttp2ServerOptions {
  /** Real time, for deadlines of calls, checks of connections and the grace period of a stop. */
  readonly clock: Clock;
  /** A larger message ends its call with RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  /** The memory limit of incomplete requests and unread answers, over all connections; beyond it the oldest calls are ended. Default 256 MiB. */
  readonly maxUnfinishedBytes?: number;
  /** The maximum number of connections. Default 4,096. */
  readonly maxConnections?: number;
  /** Additional metadata of each response. Default: none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Serves methods by their HTTP/2 path, on sockets that the caller accepts. */
export class GrpcHttp2Server implements ConnectionServer {
  /** Limits the connections of all ports together. */
  readonly room: ConnectionRoom;
  readonly http2: Http2ConnectionOptions;
  private readonly connections = new Set<ServerConnection>();
  private nextLook: ScheduledTask | undefined;
  private readonly memory: CallMemory;
  private readonly callOptions: ServerCallOptions;
  /** The calls that began in this turn of the event loop. */
  private begun: ServerCall[] = [];
  /** Called when the last connection has ended. */
  private onEmpty = (): void => {};

  constructor(
    private readonly methods: ReadonlyMap<string, Method>,
    private readonly options: GrpcHttp2ServerOptions,
  ) {
    const {
      clock,
      maxUnfinishedBytes: maxBytes = MAX_UNFINISHED_BYTES,
      maxConnections: max = MAX_CONNECTIONS,
    } = options;
    this.memory = new CallMemory({ clock, maxBytes });
    this.room = new ConnectionRoom({ max });
    this.callOptions = {
      ...options,
      memory: this.memory,
      responseHeaders: [{ ...RESPONSE_HEADERS, ...options.metadata }],
    };
    this.http2 = {
      role: 'server',
      maxStreams: MAX_CONCURRENT_STREAMS,
      maxHeaderBytes: MAX_HEADER_BYTES,
      streamWindowBytes: STREAM_WINDOW_BYTES,
      connectionWindowBytes: CONNECTION_WINDOW_BYTES,
      resets: RESET_LIMITS,
      unrepeatedHeaders: UNREPEATED_HEADERS,
      monotonicMs: () => clock.monotonicMs(),
    };
  }

  /** Serves a connection that was added to {@link room}. */
  accept(socket: Socket): void {
    if (socket.destroyed) return;
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
      socket.end(NOT_HTTP2, () => socket.destroy());
      return;
    }
    this.connections.add(new ServerConnection(socket, this));
    this.nextLook ??= this.scheduleLook();
  }

  /** Sends GOAWAY to clients, waits up to `shutdownGraceMs` for open calls, and ends the rest. */
  async stop(shutdownGraceMs: number): Promise<void> {
    const grace = new AbortController();
    this.onEmpty = () => grace.abort();
    for (const connection of [...this.connections]) connection.close();
    if (this.connections.size > 0) await sleep(this.options.clock, shutdownGraceMs, grace.signal).catch(() => {});
    for (const connection of [...this.connections]) connection.destroy();
  }

  /** @internal Called by connections. */
  ended(connection: ServerConnection): void {
    this.connections.delete(connection);
    if (this.connections.size > 0) return;
    this.nextLook?.cancel();
    this.nextLook = undefined;
    this.onEmpty();
  }

  /** @internal Called by connections. */
  serve(stream: Http2Stream, headers: Headers, connection: ServerConnection): void {
    if (headers[':method'] !== 'POST' || headers['content-type']?.startsWith('application/grpc') !== true) {
      if (stream.isRemoteEnded) stream.sendTrailers(NOT_GRPC);
      else new OtherRequest(stream, this.memory, connection);
      return;
    }
    const path = headers[':path'] ?? '';
    const method = this.methods.get(path);
    if (method === undefined) {
      reject(stream, 'unimplemented', `Method not found: ${path.slice(1)}`);
      return;
    }
    try {
      const call = new ServerCall(stream, headers, connection, this.callOptions);
      call.serve(method);
      if (!stream.isClosed) this.outlasts(call);
    } catch (error) {
      if (!(error instanceof GrpcError)) throw error;
      reject(stream, error.status, error.message);
    }
  }

  private outlasts(call: ServerCall): void {
    this.begun.push(call);
    if (this.begun.length > 1) return;
    setImmediate(() => {
      const calls = this.begun;
      this.begun = [];
      for (const each of calls) each.outlast();
    });
  }

  private scheduleLook(): ScheduledTask {
    return this.options.clock.schedule(LOOK_EVERY_MS, () => {
      this.nextLook = this.scheduleLook();
      for (const connection of this.connections) connection.look();
      this.memory.endAfter(MAX_REQUEST_MS);
    });
  }
}

/**
 * A request of another protocol. It is rejected once it is complete, so that what is wrong with the rest of it is reported as well; a body that
 * does not end soon is not awaited.
 */
class OtherRequest implements UnfinishedCall, StreamReceiver {
  private bodyBytes = 0;

  constructor(
    private readonly stream: Http2Stream,
    private readonly memory: CallMemory,
    private readonly connection: ServerConnection,
  ) {
    stream.receiver = this;
    memory.hold(this, OTHER_REQUEST_BYTES);
  }

  headers(): void {}

  data(piece: Buffer): void {
    this.bodyBytes += piece.length;
    if (this.bodyBytes > OTHER_REQUEST_BYTES) this.ended();
  }

  ended(): void {
    this.stream.sendTrailers(NOT_GRPC);
  }

  giveWay(): void {
    this.ended();
  }

  closed(): void {
    this.memory.release(this);
    this.connection.callEnded();
  }
}
