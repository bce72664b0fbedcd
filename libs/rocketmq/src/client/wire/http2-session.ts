// One HTTP/2 connection, plaintext or TLS: how it is opened, which calls it still takes, and how it ends.

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

/** What a connection could not be made for, and whether anybody was there. */
export class ConnectFailure extends Error {
  /** @param wasAccepted whether the TCP connection was made; then something listens there that was not understood */
  constructor(
    readonly wasAccepted: boolean,
    cause: Error,
  ) {
    super(cause.message, { cause });
    this.name = 'ConnectFailure';
  }
}

/** One stream: as much as the largest message that a server sends. */
const STREAM_WINDOW_BYTES = 8 * 1024 * 1024;
/** All streams: polls of many topics that answer at once do not wait for each other. */
const CONNECTION_WINDOW_BYTES = 64 * 1024 * 1024;
/** Node breaks a session whose buffers outgrow this; a thousand large messages under way must fit. */
const SESSION_MEMORY_MB = 4_096;
/** Stream ids end at 2^31 - 1. Half of them leaves room for any number of calls that begin together. */
const LAST_STREAM_ID = 2 ** 30;
/** How long calls may go on after the connection takes no more of them. Polls last up to 30 s. */
const DRAIN_MS = MINUTE_MS;

/** The socket below a session. */
export interface SessionSocket {
  readonly destroyed: boolean;
  destroy(): unknown;
}

/** Makes a connection that is ready for calls. @throws ConnectFailure; the reason of the deadline */
export type OpenSession = (address: Address, tls: ResolvedTls | undefined, deadline: Deadline) => Promise<Http2Session>;

/**
 * An open connection. It takes calls until it is left: the server announced its end (GOAWAY), its stream ids run out, or the
 * channel retires it. Calls that were begun before go on, for a minute at most; then nothing of the connection is left behind.
 */
export class Http2Session {
  /** Aborts when no further call may begin. */
  readonly left = new AbortSource();
  private readonly clock = new SystemClock();
  /** In the order in which they were begun. */
  private readonly calls = new Set<ClientHttp2Stream>();
  private drainLimit: ScheduledTask | undefined;
  /** The most calls that the server has ever taken at once: one that began under it may have been written. */
  private highestLimit: number | undefined;
  /** Once the connection is lost, what was held back then. */
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
    session.once('goaway', () => this.leave(`${address} closes its connections`));
    void gone.then(() => this.destroy());
  }

  /** Whether a call may begin. */
  get isUsable(): boolean {
    return !this.left.aborted && !this.session.closed && !this.session.destroyed;
  }

  /** Begins a stream: say when it has {@link closed}. @throws Error of Node's when the session was lost; nothing was written then */
  request(headers: Record<string, string>): ClientHttp2Stream {
    const stream = this.session.request(headers);
    this.calls.add(stream);
    if ((stream.id ?? 0) >= LAST_STREAM_ID)
      this.leave(`the connection to ${this.address} has used up its stream ids`, 'ABORTED');
    return stream;
  }

  /** Whether a stream waits here until the server takes more at once, or waited until the connection was lost. Nothing of it was written then. */
  isHeldBack(stream: ClientHttp2Stream): boolean {
    if (this.neverWritten !== undefined) return this.neverWritten.has(stream);
    const { highestLimit = Number.POSITIVE_INFINITY } = this;
    if (this.calls.size <= highestLimit) return false;
    let earlier = 0;
    for (const one of this.calls) {
      if (one === stream) return earlier >= highestLimit;
      earlier++;
    }
    return false;
  }

  /** Asks the other end for a sign of life by HTTP/2's own ping, which a server answers before any work. */
  ping(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      // After a blocked event loop the timer is looked at first, though the answer may be in the socket already.
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
   * Takes no further call; those under way go on. Repeating it does nothing.
   * @param code `ABORTED` when the server is as well as before
   */
  leave(why: string, code: 'UNAVAILABLE' | 'ABORTED' = 'UNAVAILABLE'): void {
    if (this.left.aborted) return;
    // A call that is ended by this had begun, so nobody knows what became of it.
    this.left.abort(new TransportError(code, why, 'unknown', true));
    if (this.calls.size === 0) this.destroy();
    else this.drainLimit = this.clock.schedule(DRAIN_MS, () => this.destroy());
  }

  /** Ends the connection; calls under way fail. Repeating it does nothing. */
  destroy(): void {
    this.drainLimit?.cancel();
    if (!this.session.destroyed) this.session.destroy(undefined, constants.NGHTTP2_CANCEL);
    // A session that closes in good order waits for the other end to close its half, which may never happen.
    if (!this.socket.destroyed) this.socket.destroy();
  }

  /** A stream has closed. */
  closed(stream: ClientHttp2Stream): void {
    // One after another they leave the set by which it is known how many were before them.
    if (this.session.destroyed)
      this.neverWritten ??= new Set([...this.calls].slice(this.highestLimit ?? this.calls.size));
    this.calls.delete(stream);
    if (this.calls.size === 0 && this.left.aborted) this.destroy();
  }
}

/** Connects, and waits for the server's HTTP/2 settings, without which nobody knows what is there. */
export const openSession: OpenSession = async (address, tls, deadline) => {
  const socket = tls === undefined ? connectTcp({ ...address }) : connectTls(tlsOptions(address, tls));
  let wasAccepted = false;
  let error: Error | undefined;
  socket.once('connect', () => {
    wasAccepted = true;
  });
  // A session whose TLS socket breaks early tells nobody; the socket itself does, though it may not close.
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
      // At once: a turn later the session may be gone, and would refuse.
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      resolve();
    });
    gone.then(() => reject(new ConnectFailure(wasAccepted, error ?? new Error('the server closed the connection'))));
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
    secureContext: tls.secureContext,
    // Without a name to ask for, Node checks the certificate against the address.
    ...(tls.serverName === undefined && isIP(host) !== 0 ? {} : { servername: tls.serverName ?? host }),
    rejectUnauthorized: !tls.acceptsAnyCertificate,
  };
}
