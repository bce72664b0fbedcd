// gRPC over HTTP/2 on Node's own http2: connections, streams, limits, a bounded stop. The caller accepts the sockets and does TLS.

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

/** The maximum number of open streams on a connection. Clients with many groups have one for each long poll. */
const MAX_CONCURRENT_STREAMS = 10_000;
/**
 * How many streams a client may reset at once, and per second after that, before nghttp2 closes its connection. The burst is the
 * maximum of open streams, because they may time out together. Node.js 20 ignores these options and uses 1,000 and 33.
 */
const RESET_LIMITS = { streamResetBurst: MAX_CONCURRENT_STREAMS, streamResetRate: 1_000 };
const MAX_HEADER_BYTES = 16 * 1024;
/** The flow-control window of streams and connections, so that a body of maximum size takes few round trips. */
const STREAM_WINDOW_BYTES = MEBIBYTE;
const CONNECTION_WINDOW_BYTES = 8 * MEBIBYTE;
/** The memory limit of a connection, in MB as Node counts it. A few bodies of maximum size exceed its default of 10. */
const MAX_SESSION_MEMORY_MB = 1024;
/** How often connections are checked. A dead one is closed after three checks, or five while responses are unsent. */
const LOOK_EVERY_MS = 5 * SECOND_MS;
/** The memory limit of incomplete requests, over all connections. */
const MOST_UNFINISHED_BYTES = 256 * MEBIBYTE;
/** How long a request without a deadline may be incomplete. */
const LONGEST_REQUEST_MS = 2 * MINUTE_MS;
/** Far more clients than an embedded broker has. Further ones replace connections without calls. */
const MOST_CONNECTIONS = 4_096;

export interface GrpcHttp2ServerOptions {
  /** Real time, for deadlines of calls, checks of connections and the grace period of a stop. */
  readonly clock: Clock;
  /** A larger message ends its call with RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  /** The memory limit of incomplete requests, over all connections; beyond it the oldest are ended. Default 256 MiB. */
  readonly maxUnfinishedBytes?: number;
  /** The maximum number of connections. Default 4,096. */
  readonly maxConnections?: number;
  /** Additional metadata of each response. Default: none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Serves methods by their HTTP/2 path, on sockets that the caller accepts. */
export class GrpcHttp2Server {
  private readonly server: Http2Server;
  private readonly connections = new Map<Http2Session, Http2Connection>();
  private nextLook: ScheduledTask | undefined;
  private readonly memory: RequestMemory;
  /** Limits the connections of all ports together. */
  readonly room: ConnectionRoom;
  private readonly callOptions: ServerCallOptions;
  /** Calls with a deadline that began in this turn of the event loop. */
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
    // Node has already closed the connection of a peer that does not speak HTTP/2.
    this.server.on('sessionError', () => {});
  }

  /** Serves a connection that was added to {@link room}. */
  accept(socket: Socket): void {
    const open = (session: ServerHttp2Session): void => this.openSession(session, socket);
    this.server.once('session', open);
    this.server.emit('connection', socket);
    // A TLS client that does not choose HTTP/2 gets no session.
    this.server.off('session', open);
  }

  /** Sends GOAWAY to clients, waits up to `shutdownGraceMs` for open calls, and ends the rest. */
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
   * The session's listeners must not reference its socket after it has closed: if the client has not acknowledged the settings,
   * Node would keep both forever.
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
    // The close event follows; why the stream ended does not matter.
    stream.on('error', () => {});
    // The first bytes of the connection opened the stream and reset it; Node reads them all before it emits this event.
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
