// One HTTP/2 connection, plaintext or TLS: how it is opened, which calls it still accepts, and how it ends.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectTcp, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { raceAbort } from '../../support/abort.js';
import { AbortSource } from '../../support/abort-source.js';
import { MINUTE_MS, type ScheduledTask, SystemClock } from '../../support/clock.js';
import type { Deadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import type { ResolvedTls } from '../../support/tls.js';
import { type Address, addressText } from '../endpoint.js';

/** Why a connection failed, and whether a server had accepted it. */
export class ConnectFailure extends Error {
  /** @param wasAccepted whether the TCP connection was established; then the server speaks another protocol */
  constructor(
    readonly wasAccepted: boolean,
    cause: Error,
  ) {
    super(cause.message, { cause });
    this.name = 'ConnectFailure';
  }
}

/** The flow-control window of one stream: the largest message that a server sends. */
const STREAM_WINDOW_BYTES = 8 * 1024 * 1024;
/** The window of all streams: polls of many topics that are answered together do not wait for each other. */
const CONNECTION_WINDOW_BYTES = 64 * 1024 * 1024;
/** Node closes a session whose buffers exceed this; a thousand large messages in flight must fit. */
const SESSION_MEMORY_MB = 4_096;
/** Stream ids end at 2^31 - 1. Half of them leaves room for any number of calls that start together. */
const LAST_STREAM_ID = 2 ** 30;
/** How long calls may continue after the connection stops accepting new ones. Polls last up to 30 s. */
const DRAIN_MS = MINUTE_MS;

/** The socket below a session. */
interface SessionSocket {
  readonly destroyed: boolean;
  destroy(): unknown;
}

/** Opens a connection that is ready for calls. @throws ConnectFailure; the reason of the deadline */
export type OpenSession = (address: Address, tls: ResolvedTls | undefined, deadline: Deadline) => Promise<Http2Session>;

/**
 * An open connection. It accepts calls until it is retired: because the server sent GOAWAY, its stream ids run out, or the channel
 * retires it. Earlier calls continue, for a minute at most; then the connection is destroyed.
 */
export class Http2Session {
  /** Aborts when no more calls may start. */
  readonly left = new AbortSource();
  private readonly clock = new SystemClock();
  /** In the order in which they were started. */
  private readonly calls = new Set<ClientHttp2Stream>();
  private drainLimit: ScheduledTask | undefined;
  /** The highest concurrency limit that the server has announced: a call that started within it may have been written. */
  private highestLimit: number | undefined;
  /** The calls that were held back when the connection was lost. */
  private neverWritten: ReadonlySet<ClientHttp2Stream> | undefined;

  /** @param gone resolves when the connection has ended, for whatever reason */
  constructor(
    readonly address: string,
    private readonly session: ClientHttp2Session,
    private readonly socket: SessionSocket,
    readonly gone: Promise<void>,
  ) {
    session.on('remoteSettings', ({ maxConcurrentStreams = Number.POSITIVE_INFINITY }) => {
      this.highestLimit = Math.max(this.highestLimit ?? 0, maxConcurrentStreams);
    });
    session.once('goaway', () => this.leave(`${address} is closing its connections`));
    void gone.then(() => this.destroy());
  }

  /** Whether a call may start. */
  get isUsable(): boolean {
    return !this.left.aborted && !this.session.closed && !this.session.destroyed;
  }

  /** Starts a stream; call {@link closed} when it has closed. @throws Error of Node.js when the session was lost; nothing was written then */
  request(headers: Record<string, string>): ClientHttp2Stream {
    const stream = this.session.request(headers);
    this.calls.add(stream);
    if ((stream.id ?? 0) >= LAST_STREAM_ID)
      this.leave(`the connection to ${this.address} has used up its stream ids`, 'ABORTED');
    return stream;
  }

  /** Whether the server's concurrency limit holds a stream back, or did so when the connection was lost. Nothing of it was written then. */
  isHeldBack(stream: ClientHttp2Stream): boolean {
    return (this.neverWritten ?? this.heldBack()).has(stream);
  }

  /** Checks the peer with an HTTP/2 ping, which a server answers before any work. */
  ping(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      // After a blocked event loop timers run first, although the answer may already be in the socket.
      let timer = this.clock.schedule(timeoutMs, () => {
        timer = this.clock.schedule(0, () => resolve(false));
      });
      const end = (isAlive: boolean): void => {
        timer.cancel();
        resolve(isAlive);
      };
      try {
        if (!this.session.ping((error) => end(error === null))) end(false);
      } catch {
        // Node throws when the session was destroyed.
        end(false);
      }
    });
  }

  /**
   * Stops accepting calls; those in flight continue. Idempotent.
   * @param code `ABORTED` when the server itself is fine
   */
  leave(why: string, code: 'UNAVAILABLE' | 'ABORTED' = 'UNAVAILABLE'): void {
    if (this.left.aborted) return;
    // A call that is ended by this had started, so its outcome is unknown.
    this.left.abort(new TransportError(code, why, 'unknown', true));
    if (this.calls.size === 0) this.destroy();
    else this.drainLimit = this.clock.schedule(DRAIN_MS, () => this.destroy());
  }

  /** Closes the connection; calls in flight fail. Idempotent. */
  destroy(): void {
    this.drainLimit?.cancel();
    if (!this.session.destroyed) this.session.destroy(undefined, constants.NGHTTP2_CANCEL);
    // A graceful close waits until the peer closes its half, which may never happen.
    if (!this.socket.destroyed) this.socket.destroy();
  }

  /** A stream has closed. */
  closed(stream: ClientHttp2Stream): void {
    // Streams leave the ordered set one by one, because the set shows how many were started before a stream.
    if (this.session.destroyed) this.neverWritten ??= this.heldBack();
    this.calls.delete(stream);
    if (this.calls.size === 0 && this.left.aborted) this.destroy();
  }

  /** The calls that the limit keeps from being written: those behind as many as the server takes at once. */
  private heldBack(): ReadonlySet<ClientHttp2Stream> {
    const { calls, highestLimit = Number.POSITIVE_INFINITY } = this;
    return new Set(calls.size > highestLimit ? [...calls].slice(highestLimit) : []);
  }
}

/** Connects, and waits for the server's HTTP/2 settings, which prove that the server speaks HTTP/2. */
export const openSession: OpenSession = async (address, tls, deadline) => {
  const socket = tls === undefined ? connectTcp({ ...address }) : connectTls(tlsOptions(address, tls));
  let wasAccepted = false;
  let error: Error | undefined;
  socket.once('connect', () => {
    wasAccepted = true;
  });
  // A session does not report that its TLS socket broke early; the socket itself does, though it may not close.
  const gone = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    socket.on('error', (problem) => {
      error ??= problem;
      resolve();
    });
  });
  const session = connect(`${tls === undefined ? 'http' : 'https'}://${addressText(address)}`, {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    maxSessionMemory: SESSION_MEMORY_MB,
  });
  session.on('error', (problem) => {
    error ??= problem;
  });
  const opened = new Http2Session(addressText(address), session, socket, gone);
  const isReady = new Promise<void>((resolve, reject) => {
    session.once('remoteSettings', () => {
      // Synchronously: one turn later the session may be gone, and would throw.
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      resolve();
    });
    void gone.then(() =>
      reject(new ConnectFailure(wasAccepted, error ?? new Error('the server closed the connection'))),
    );
  });
  try {
    await raceAbort(isReady, deadline.signal);
  } catch (failure) {
    opened.destroy();
    throw failure;
  }
  return opened;
};

function tlsOptions({ host, port }: Address, tls: ResolvedTls): ConnectionOptions {
  return {
    host,
    port,
    ALPNProtocols: ['h2'],
    secureContext: tls.secureContext(),
    // Without a server name, Node checks the certificate against the address.
    ...(tls.serverName === undefined && isIP(host) !== 0 ? {} : { servername: tls.serverName ?? host }),
    rejectUnauthorized: !tls.acceptsAnyCertificate,
  };
}
