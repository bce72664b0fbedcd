// Requests by address: opens a connection on first use, keeps it, and reconnects after a loss.
// Over 300 lines: what is asked on a connection decides whether it is kept.

import { connect } from 'node:net';
import { CLIENT_PREFACE } from '../http2/frames.js';
import type { CredentialsSource } from '../protocol/credentials/credentials.js';
import { REQUEST_CODES, WITHOUT_EFFECT } from '../protocol/remoting/codes.js';
import { encodeFrame, MAX_FRAME_BYTES, type RemotingFrame } from '../protocol/remoting/frame.js';
import { isOf4, releaseName } from '../protocol/remoting/releases.js';
import { abortReason, linkedController, raceAbort, withAnySignal } from '../support/abort.js';
import { Deadline, monotonicMs } from '../support/deadline.js';
import { RocketMQError, StateError, TransportError, UsageError, withoutEffect } from '../support/errors.js';
import { firstAnswer } from '../support/first-answer.js';
import type { ResolvedTls } from '../support/tls.js';
import { isTlsOnly, tlsMissing } from '../support/tls-failure.js';
import { type ConnectionEvents, RemotingConnection, splitAddress } from './remoting-connection.js';
import { deniesAccess, RemotingError } from './remoting-error.js';
import { isHttp2Answer, notANameServer, type RemotingRequest } from './remoting-request.js';
import { signed } from './signature.js';

interface RemotingClientOptions {
  /** How long connecting may take. */
  readonly connectTimeoutMs: number;
  /** The largest answer that is accepted. Default: {@link MAX_FRAME_BYTES}. */
  readonly maxFrameBytes?: number;
  /** Undefined for plaintext. */
  readonly tls?: ResolvedTls;
  /** Signs requests. Default: no signature. */
  readonly credentials?: CredentialsSource;
  /** Called for each request of a server. Default: they are ignored. */
  readonly onRequest?: ConnectionEvents['onRequest'];
}

/** More about one request. */
export interface AskOptions {
  /** Called with an answer that arrives after the deadline passed or the caller aborted. Default: it is dropped. */
  readonly onLate?: (answer: RemotingFrame) => void;
  /** Whether the caller goes on without an answer. A rejection then does not make the credentials doubtful. Default: false. */
  readonly isOptional?: boolean;
}

/** How long a server may take to answer when a connection is in doubt. */
const [MIN_ANSWER_TIMEOUT_MS, MAX_ANSWER_TIMEOUT_MS] = [500, 2_000];
/**
 * Requests without side effects: name servers of every release answer the first one, and brokers the second. Name servers, and brokers up to
 * 4.7, never answer what they do not know.
 */
const QUESTIONS = [REQUEST_CODES.getBrokerClusterInfo, REQUEST_CODES.getBrokerRuntimeInfo];
const OPENING = Buffer.concat(QUESTIONS.map((code, opaque) => encodeFrame({ code, opaque })));

/** Requests that came with 5.0. Brokers up to 4.7 never answer what they do not know. */
const REQUESTS_OF_5: ReadonlySet<number> = new Set([
  REQUEST_CODES.queryTopicsByConsumer,
  REQUEST_CODES.getTopicConfig,
  REQUEST_CODES.getSubscriptionGroupConfig,
  REQUEST_CODES.recallMessage,
]);

/** Sends requests to any number of name servers and brokers. */
export class RemotingClient {
  /** Connections that are open or being opened. */
  private readonly connections = new Map<string, RemotingConnection | Promise<RemotingConnection>>();
  /** All connections whose socket may still be open, so that `close()` can wait for them. */
  private readonly sockets = new Set<Promise<unknown>>();
  private readonly closing = new AbortController();
  /** Those that are being asked whether they are alive. */
  private readonly doubted = new WeakSet<RemotingConnection>();

  constructor(private readonly options: RemotingClientOptions) {}

  /**
   * The answer, whatever its code.
   * @throws TransportError when no answer came; its outcome says whether the request may have got through
   * @throws UsageError `VERSION_UNSUPPORTED` for a request that came with 5.0, when the server is older
   * @throws StateError after `close()`
   */
  ask(address: string, request: RemotingRequest, deadline: Deadline, options: AskOptions = {}): Promise<RemotingFrame> {
    if (!REQUESTS_OF_5.has(request.code)) return this.askAny(address, request, deadline, options);
    return this.releaseAt(address, deadline).then((release) => {
      if (isOf4(release)) throw tooOld(deadline.what, address, release);
      return this.askAny(address, request, deadline, options);
    });
  }

  /**
   * The release of the server, see {@link RemotingFrame.version}. A server that has not answered yet is asked what every release answers.
   * @returns 0 when the server does not say
   * @throws like {@link ask}
   */
  async releaseAt(address: string, deadline: Deadline): Promise<number> {
    const connection = await this.connected(address, deadline);
    if (connection.serverVersion > 0) return connection.serverVersion;
    const question = { code: REQUEST_CODES.getBrokerRuntimeInfo };
    // A rejection says it too.
    return (await this.askAny(address, question, deadline, { isOptional: true })).version;
  }

  private askAny(
    address: string,
    request: RemotingRequest,
    deadline: Deadline,
    options: AskOptions,
  ): Promise<RemotingFrame> {
    const { credentials } = this.options;
    if (credentials === undefined) return this.send(address, request, deadline, options);
    return this.askSigned(credentials, address, request, deadline, options);
  }

  /** The answer if its code is success. @throws RemotingError for any other code, otherwise like {@link ask} */
  async call(address: string, request: RemotingRequest, deadline: Deadline): Promise<RemotingFrame> {
    const answer = await this.ask(address, request, deadline);
    if (answer.code === 0) return answer;
    const rejected = new RemotingError(deadline.what, address, answer);
    throw WITHOUT_EFFECT.has(request.code) ? withoutEffect(rejected) : rejected;
  }

  /** Closes all connections; pending calls fail. Idempotent. @param why the error of later calls */
  async close(why = new StateError('CLOSED', 'the client is closed; nothing was sent')): Promise<void> {
    this.closing.abort(why);
    const opened = await Promise.allSettled(this.connections.values());
    await Promise.all(opened.map((one) => (one.status === 'fulfilled' ? one.value.close() : undefined)));
    await Promise.all(this.sockets);
  }

  /**
   * The open connection to an address; connects if there is none.
   * @throws TransportError (not-sent) when it cannot be reached in time; the reason of the caller's signal
   */
  async connected(address: string, deadline: Deadline): Promise<RemotingConnection> {
    if (this.closing.signal.aborted) throw abortReason(this.closing.signal);
    const opening = this.connections.get(address) ?? this.open(address);
    if (opening instanceof RemotingConnection) return opening;
    try {
      return await raceAbort(opening, deadline.signal);
    } catch (error) {
      const reason = deadline.signal.aborted ? abortReason(deadline.signal) : undefined;
      // The deadline may be part of a longer one that has passed.
      if (!RocketMQError.is(reason) || reason.code !== 'DEADLINE_EXCEEDED') throw error;
      throw noConnection(`${deadline.what}: `, address, deadline.timeoutMs);
    }
  }

  /** The open connection to an address; undefined while there is none. */
  openTo(address: string): RemotingConnection | undefined {
    const known = this.connections.get(address);
    return known instanceof RemotingConnection ? known : undefined;
  }

  private async askSigned(
    credentials: CredentialsSource,
    address: string,
    request: RemotingRequest,
    deadline: Deadline,
    options: AskOptions,
  ): Promise<RemotingFrame> {
    const ready = credentials.ready();
    if (ready !== undefined) await raceAbort(ready, deadline.signal);
    const { version } = credentials;
    const answer = await this.send(address, sign(request, credentials), deadline, options);
    // A rejected request took no effect, so it can be repeated with new credentials.
    if (!deniesAccess(answer) || options.isOptional) return answer;
    const isWorthAnother = await credentials.renew(version, deadline.signal);
    return isWorthAnother ? this.send(address, sign(request, credentials), deadline, options) : answer;
  }

  private send(
    address: string,
    request: RemotingRequest,
    deadline: Deadline,
    options: AskOptions,
  ): Promise<RemotingFrame> {
    const known = this.closing.signal.aborted ? undefined : this.connections.get(address);
    if (known instanceof RemotingConnection) return this.sendOn(known, request, deadline, options);
    return this.connected(address, deadline).then((connection) => this.sendOn(connection, request, deadline, options));
  }

  private sendOn(
    connection: RemotingConnection,
    request: RemotingRequest,
    deadline: Deadline,
    { onLate }: AskOptions,
  ): Promise<RemotingFrame> {
    const sentAtMs = monotonicMs();
    const isRead = WITHOUT_EFFECT.has(request.code);
    if (!isRead) deadline.noteEffect();
    const { address } = connection;
    deadline.noteQuestion(address);
    const answered = (answer: RemotingFrame): RemotingFrame => {
      deadline.noteAnswer(address);
      return answer;
    };
    return connection.call(request, deadline.end, onLate).then(answered, async (failure) => {
      // What ends the deadline says itself what it knows.
      const error = isRead && !deadline.isOver ? withoutEffect(failure) : failure;
      if (deadline.hasPassed) this.doubt(connection, sentAtMs);
      const isSilent = this.options.tls === undefined && !connection.hasReceived && !deadline.isOver;
      // A server that accepts TLS only closes the connection without an answer.
      if (!isSilent || (error instanceof TransportError && !error.retryable)) throw error;
      const asksTls = await withAnySignal([deadline.signal, this.closing.signal], (signal) =>
        isTlsOnly(splitAddress(address), OPENING, signal),
      );
      if (asksTls) throw tlsMissing(`${deadline.what}: ${address}`, error);
      const isProxy = await withAnySignal([deadline.signal, this.closing.signal], (signal) =>
        speaksHttp2(splitAddress(address), signal),
      );
      throw isProxy ? notANameServer(address, error) : error;
    });
  }

  /** Packets may be dropped with no end reported: a connection that has been silent since a request is asked something, then replaced. */
  private doubt(connection: RemotingConnection, sinceMs: number): void {
    const isSilent = (): boolean => (connection.lastReceivedAtMs ?? 0) < sinceMs;
    if (!isSilent() || this.doubted.has(connection)) return;
    this.doubted.add(connection);
    const { controller, unlink } = linkedController([this.closing.signal]);
    const deadline = new Deadline(`question to ${connection.address}`, this.answerTimeoutMs(), controller.signal);
    Promise.any(QUESTIONS.map((code) => connection.call({ code }, deadline.end)))
      .catch(() => {
        if (isSilent()) connection.abandon('the server was silent for too long');
      })
      .finally(() => {
        // One of them may never be answered.
        controller.abort();
        unlink();
        deadline.dispose();
        this.doubted.delete(connection);
      });
  }

  /** Half the time of a request, so that a retry in progress by then fails early enough for one more. */
  private answerTimeoutMs(): number {
    return Math.max(MIN_ANSWER_TIMEOUT_MS, Math.min(this.options.connectTimeoutMs / 2, MAX_ANSWER_TIMEOUT_MS));
  }

  private open(address: string): Promise<RemotingConnection> {
    let current: RemotingConnection | undefined;
    const isCurrent = (): boolean => {
      const known = this.connections.get(address);
      return known !== undefined && (known === opening || known === current);
    };
    const forget = (): void => {
      if (isCurrent()) this.connections.delete(address);
    };
    const opening = this.connect(address, forget);
    this.connections.set(address, opening);
    const gone = opening.then((connection) => {
      current = connection;
      if (isCurrent()) this.connections.set(address, connection);
      return connection.ended;
    }, forget);
    this.sockets.add(gone);
    void gone.then(() => this.sockets.delete(gone));
    return opening;
  }

  /** Has a deadline of its own, since several callers with different deadlines may wait for this connection. */
  private async connect(address: string, onEnd: () => void): Promise<RemotingConnection> {
    const deadline = new Deadline(`connect to ${address}`, this.options.connectTimeoutMs, this.closing.signal);
    try {
      const maxFrameBytes = this.options.maxFrameBytes ?? MAX_FRAME_BYTES;
      const events = { onEnd, onRequest: this.options.onRequest };
      return await RemotingConnection.open(address, maxFrameBytes, this.options.tls, deadline.signal, events);
    } catch (error) {
      const timedOut = deadline.signal.aborted && !this.closing.signal.aborted;
      throw timedOut ? noConnection('', address, deadline.timeoutMs) : error;
    } finally {
      deadline.dispose();
    }
  }
}

/** How long a server may take to show what it speaks. */
const PROBE_MS = 1_000;
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Some servers of HTTP/2 close a connection that begins with something else, without an answer. */
async function speaksHttp2(
  address: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<boolean> {
  const opening = Buffer.concat([CLIENT_PREFACE, EMPTY_SETTINGS]);
  return (await firstAnswer(connect({ ...address }), opening, { timeoutMs: PROBE_MS, signal }, isHttp2Answer)) === true;
}

function sign(request: RemotingRequest, credentials: CredentialsSource): RemotingRequest {
  const now = credentials.current(monotonicMs());
  return now === undefined ? request : signed(request, now);
}

function noConnection(what: string, address: string, timeoutMs: number): TransportError {
  const message = `${what}cannot connect to ${address} within ${timeoutMs} ms; nothing was sent; check that it can be reached from here`;
  return new TransportError('DEADLINE_EXCEEDED', message, 'not-sent', true);
}

/** Whether a request was not sent because it came with 5.0, and the server is older. */
export function isTooOld(error: unknown): boolean {
  return RocketMQError.is(error) && error.code === 'VERSION_UNSUPPORTED';
}

/** The error for what came with 5.0. */
export function tooOld(what: string, address: string, release: number): UsageError {
  const text = `${what}: ${address} runs ${releaseName(release)}, and this needs RocketMQ 5.0.0 or later; nothing was changed there; upgrade the broker`;
  return new UsageError('VERSION_UNSUPPORTED', text);
}
