// gRPC over HTTP/2 without TLS, on Node's own http2: connections, streams, limits, a bounded stop. Sockets come from outside.

import {
  createServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { type Clock, MINUTE_MS, type ScheduledTask, SECOND_MS, sleep } from '../../../support/clock.js';
import { GrpcError } from '../../../support/grpc/status.js';
import { ConnectionRoom } from '../connection-room.js';
import { RequestMemory } from '../request-memory.js';
import { Http2Connection } from './http2-connection.js';
import {
  closeUnfinished,
  type Method,
  RESPONSE_HEADERS,
  refuse,
  ServerCall,
  type ServerCallOptions,
} from './server-call.js';

const MEBIBYTE = 1024 * 1024;

/** Streams open at once on a connection; clients of many groups keep one for each long poll. */
const MAX_CONCURRENT_STREAMS = 10_000;
/**
 * Streams that a client may reset at once, and per second from then on, before nghttp2 breaks its connection: all that it may have
 * open, as when their time is up together. Node.js 20 does not know the options; there it is 1,000 and 33.
 */
const RESET_LIMITS = { streamResetBurst: MAX_CONCURRENT_STREAMS, streamResetRate: 1_000 };
const MAX_HEADER_BYTES = 16 * 1024;
/** How much a client may send ahead, per stream and per connection: a body of full size in few round trips. */
const STREAM_WINDOW_BYTES = MEBIBYTE;
const CONNECTION_WINDOW_BYTES = 8 * MEBIBYTE;
/** What a connection may hold in memory, in MB as Node counts it; its default of 10 breaks a few bodies of full size. */
const MAX_SESSION_MEMORY_MB = 1024;
/** How often connections are looked at: one that nghttp2 gave up is ended within three looks, or five while answers wait. */
const LOOK_EVERY_MS = 5 * SECOND_MS;
/** What requests that are not whole may hold, of all connections together. */
const MOST_UNFINISHED_BYTES = 256 * MEBIBYTE;
/** How long a request may take until it is whole, when its caller gives it no deadline. */
const LONGEST_REQUEST_MS = 2 * MINUTE_MS;
/** Far more clients than a broker of one process has; those beyond take the place of connections without calls. */
const MOST_CONNECTIONS = 4_096;

export interface GrpcHttp2ServerOptions {
  /** Real time: deadlines of calls, looks at connections, the grace of a stop. */
  readonly clock: Clock;
  /** A message over it ends its call with RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  /** What requests that are not whole may hold, of all connections together; then the oldest end. Default 256 MiB. */
  readonly maxUnfinishedBytes?: number;
  /** How many connections there may be. Default 4,096. */
  readonly maxConnections?: number;
  /** What each answer says beside what gRPC wants. Default: nothing. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Serves the methods, by their HTTP/2 path, on the sockets it is given. */
export class GrpcHttp2Server {
  private readonly server: Http2Server;
  private readonly connections = new Map<Http2Session, Http2Connection>();
  private nextLook: ScheduledTask | undefined;
  private readonly memory: RequestMemory;
  /** For the connections of all its ports. */
  readonly room: ConnectionRoom;
  private readonly callOptions: ServerCallOptions;
  /** Calls of this turn that have a deadline. */
  private timedCalls: ServerCall[] = [];

  constructor(
    private readonly methods: ReadonlyMap<string, Method>,
    private readonly options: GrpcHttp2ServerOptions,
  ) {
    const {
      clock,
      maxUnfinishedBytes: mostBytes = MOST_UNFINISHED_BYTES,
      maxConnections: most = MOST_CONNECTIONS,
    } = options;
    this.memory = new RequestMemory({ clock, mostBytes });
    this.room = new ConnectionRoom({ most });
    this.callOptions = {
      ...options,
      memory: this.memory,
      responseHeaders: { ...RESPONSE_HEADERS, ...options.metadata },
      timed: (call) => this.timed(call),
    };
    this.server = createServer({
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
      ...RESET_LIMITS,
      settings: {
        maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
        maxHeaderListSize: MAX_HEADER_BYTES,
        initialWindowSize: STREAM_WINDOW_BYTES,
      },
    });
    this.server.on('stream', (stream, headers) => this.openStream(stream, headers));
    // A peer that does not speak HTTP/2 has lost its connection already, and that is all there is to do.
    this.server.on('sessionError', () => {});
  }

  /** Serves a connection that has its place in {@link room}. */
  accept(socket: Socket): void {
    const open = (session: ServerHttp2Session): void => this.openSession(session, socket);
    this.server.once('session', open);
    this.server.emit('connection', socket);
    // A TLS client that does not choose HTTP/2 gets no session.
    this.server.off('session', open);
  }

  /** Tells clients to go elsewhere (GOAWAY), lets open calls end, and after `shutdownGraceMs` ends the rest. */
  async stop(shutdownGraceMs: number): Promise<void> {
    const closed = [...this.connections.values()].map((connection) => connection.close());
    const grace = new AbortController();
    await Promise.race([Promise.all(closed), sleep(this.options.clock, shutdownGraceMs, grace.signal).catch(() => {})]);
    grace.abort();
    await Promise.all([...this.connections.values()].map((connection) => connection.destroy()));
  }

  private timed(call: ServerCall): void {
    this.timedCalls.push(call);
    if (this.timedCalls.length > 1) return;
    setImmediate(() => {
      const calls = this.timedCalls;
      this.timedCalls = [];
      for (const each of calls) each.armDeadline();
    });
  }

  /**
   * No listener of the session may lead to its socket for longer than it lives: Node would keep both for ever when the client has
   * not acknowledged its settings.
   */
  private openSession(session: ServerHttp2Session, socket: Socket): void {
    this.connections.set(session, new Http2Connection(session, socket, this.room));
    this.nextLook ??= this.scheduleLook();
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.once('close', () => {
      this.connections.delete(session);
      if (this.connections.size > 0) return;
      this.nextLook?.cancel();
      this.nextLook = undefined;
    });
  }

  private scheduleLook(): ScheduledTask {
    return this.options.clock.schedule(LOOK_EVERY_MS, () => {
      this.nextLook = this.scheduleLook();
      for (const connection of this.connections.values()) connection.look();
      this.memory.endAfter(LONGEST_REQUEST_MS);
    });
  }

  private openStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // The stream's end says it all; why it ended early does not matter here.
    stream.on('error', () => {});
    // Opened and reset by the bytes that a connection began with: they are read at once, before this is reported.
    if (stream.closed || stream.destroyed) return;
    const { session } = stream;
    if (session !== undefined) this.connections.get(session)?.hold(stream);
    const type = headers['content-type'] ?? '';
    if (headers[':method'] !== 'POST' || !type.startsWith('application/grpc')) {
      stream.respond({ ':status': 415 }, { endStream: true });
      closeUnfinished(stream);
      return;
    }
    const path = String(headers[':path']);
    const method = this.methods.get(path);
    if (method === undefined) {
      refuse(stream, 'unimplemented', `Method not found: ${path.slice(1)}`);
      return;
    }
    try {
      new ServerCall(stream, headers, this.callOptions).serve(method);
    } catch (error) {
      if (!(error instanceof GrpcError)) throw error;
      refuse(stream, error.status, error.message);
    }
  }
}
