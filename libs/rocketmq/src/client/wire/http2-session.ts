// Makes one HTTP/2 connection, plaintext or TLS, that is ready for calls.

import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTcp, isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { raceAbort } from '../../support/abort.js';
import type { Deadline } from '../../support/deadline.js';
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

/** A connection that is ready for calls. */
export interface ReadySession {
  readonly session: ClientHttp2Session;
  /** Resolves when the connection is gone, however. */
  readonly gone: Promise<void>;
}

/**
 * Connects, and waits for the server's HTTP/2 settings, without which nobody knows what is there.
 * @throws ConnectFailure; the reason of the deadline
 */
export async function openSession(
  address: Address,
  tls: ResolvedTls | undefined,
  deadline: Deadline,
): Promise<ReadySession> {
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
  gone.then(() => {
    session.destroy();
    socket.destroy();
  });
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
    session.destroy();
    socket.destroy();
    throw failure;
  }
  return { session, gone };
}

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
