// One connection of a client, plaintext or TLS: how it is opened, which calls it still accepts, and how it ends. The protocol, which
// servers share, is in http2/connection.ts.

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { Http2Connection, type Http2ConnectionOptions } from '../../http2/connection.js';
import type { Headers } from '../../http2/header-encoder.js';
import type { Http2Stream, StreamReceiver } from '../../http2/stream.js';
import { raceAbort } from '../../support/abort.js';
import { AbortSource } from '../../support/abort-source.js';
import { inFreshAsyncContext } from '../../support/async-context.js';
import { MINUTE_MS, type ScheduledTask, SystemClock } from '../../support/clock.js';
import { type Deadline, monotonicMs } from '../../support/deadline.js';
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

const CONNECTION: Http2ConnectionOptions = {
  role: 'client',
  // The largest message that a server sends.
  streamWindowBytes: 8 * 1024 * 1024,
  // Polls of many topics that are answered together do not wait for each other.
  connectionWindowBytes: 64 * 1024 * 1024,
  maxHeaderBytes: 64 * 1024,
  unrepeatedHeaders: new Set(),
  monotonicMs,
};
/** Stream ids end at 2^31 - 1. Half of them leaves room for any number of calls that start together. */
const LAST_STREAM_ID = 2 ** 30;
/** How long calls may continue after the connection stops accepting new ones. Polls last up to 30 s. */
const DRAIN_MS = MINUTE_MS;

/** Opens a connection that is ready for calls. @throws ConnectFailure; the reason of the deadline */
export type OpenConnection = (
  address: Address,
  tls: ResolvedTls | undefined,
  deadline: Deadline,
) => Promise<ClientConnection>;

/**
 * An open connection. It accepts calls until it is retired: because the server sent GOAWAY, its stream ids run out, or the channel
 * retires it. Earlier calls continue, for a minute at most; then the connection is destroyed.
 */
export class ClientConnection {
  /** Aborts when no more calls may start. */
  readonly left = new AbortSource();
  /** Resolves when the connection has ended, for whatever reason. */
  readonly gone: Promise<void>;
  /** Resolves when the server has proved that it speaks HTTP/2. @throws Error why it did not */
  readonly ready: Promise<void>;
  private readonly clock = new SystemClock();
  private readonly http2: Http2Connection;
  private drainLimit: ScheduledTask | undefined;

  constructor(
    readonly address: string,
    socket: Socket,
  ) {
    let resolveReady = (): void => {};
    let rejectReady: (error: unknown) => void = () => {};
    let resolveGone = (): void => {};
    this.ready = new Promise((resolve, reject) => {
      resolveReady = resolve;
      rejectReady = reject;
    });
    this.ready.catch(() => {});
    this.gone = new Promise((resolve) => {
      resolveGone = resolve;
    });
    this.http2 = new Http2Connection(socket, CONNECTION, {
      ready: resolveReady,
      goaway: () => this.leave(`${address} is closing its connections`),
      stream: () => {},
      closed: (error) => {
        this.drainLimit?.cancel();
        rejectReady(error ?? new Error('the server closed the connection'));
        resolveGone();
      },
    });
  }

  /** Whether a call may start. */
  get isUsable(): boolean {
    return !this.left.aborted && this.http2.isUsable;
  }

  /** Why the connection was lost, if it was. */
  get failure(): Error | undefined {
    return this.http2.failure;
  }

  /**
   * Starts a stream; while the server has as many as it accepts, it waits with the id 0, and nothing of it is written.
   * @param isCreditedOnArrival as of {@link Http2Stream}
   * @throws Error when the connection was lost; nothing was written then
   */
  request(headers: readonly Headers[], receiver: StreamReceiver, isCreditedOnArrival: boolean): Http2Stream {
    const stream = this.http2.request(headers, receiver, isCreditedOnArrival);
    if (this.http2.nextStreamId > LAST_STREAM_ID)
      this.leave(`the connection to ${this.address} has used up its stream ids`, 'ABORTED');
    return stream;
  }

  /** Checks the peer with an HTTP/2 ping, which a server answers before any work. */
  ping(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      // After a blocked event loop timers run first, although the answer may already be in the socket.
      let timer = this.clock.schedule(timeoutMs, () => {
        timer = this.clock.schedule(0, () => resolve(false));
      });
      this.http2.ping((isAnswered) => {
        timer.cancel();
        resolve(isAnswered);
      });
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
    this.http2.leave();
    if (!this.http2.isClosed) this.drainLimit = this.clock.schedule(DRAIN_MS, () => this.destroy());
  }

  /** Closes the connection; calls in flight fail. Idempotent. */
  destroy(): void {
    this.http2.destroy();
  }
}

/** Connects, and waits for the server's HTTP/2 settings, which prove that the server speaks HTTP/2. */
export const openConnection: OpenConnection = async (address, tls, deadline) => {
  let wasAccepted = false;
  // The connection serves calls of many callers, and must not keep what the first of them has in AsyncLocalStorage.
  const connection = inFreshAsyncContext(() => {
    const socket = tls === undefined ? connectTcp({ ...address }) : connectTls(tlsOptions(address, tls));
    socket.once('connect', () => {
      wasAccepted = true;
      socket.setNoDelay(true);
    });
    return new ClientConnection(addressText(address), socket);
  });
  try {
    await raceAbort(
      connection.ready.catch((error: Error) => {
        throw new ConnectFailure(wasAccepted, error);
      }),
      deadline.signal,
    );
  } catch (failure) {
    connection.destroy();
    throw failure;
  }
  return connection;
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
