// One telemetry session with one endpoint: it sends the client's settings before anything is received there, sends them again
// whenever the stream was lost, and carries the server's commands.
// Over 300 lines: the stream, its settings and its reconnects are one state machine.

import { Code, type Settings } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import type { AnnouncedCapabilities, SessionMessage } from '../protocol/grpc/session-message.js';
import { StatusError } from '../protocol/grpc/status.js';
import { type Abortable, AbortSource, reasonOf } from '../support/abort-source.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../support/backoff.js';
import { type Clock, type ScheduledTask, sleep } from '../support/clock.js';
import { RocketMQError, StateError, TransportError } from '../support/errors.js';
import { forEach } from '../support/for-each.js';
import { describeError, type Logger } from '../support/logger.js';
import type { Random } from '../support/random.js';
import { announcedIn } from './capabilities.js';
import type { TelemetryStream } from './server-calls.js';
import type { ServerCommand } from './server-commands.js';
import type { SessionChange, SessionStatus } from './session-events.js';
import { SessionWaiters } from './session-waiters.js';

/** What a session needs from its client. */
interface SessionPort {
  /** Names the endpoint in log lines. */
  readonly endpoint: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Resolves when the first stream can be opened; undefined when there is nothing to wait for. */
  ready(signal: Abortable): Promise<void> | undefined;
  open(): TelemetryStream;
  /** The version of the credentials that a new stream is signed with. */
  credentialsVersion(): number;
  /** Whether there are newer credentials than those that the server rejected. */
  hasOtherCredentials(version: number, signal: AbortSignal): Promise<boolean>;
  settings(): Settings;
  /** @returns whether the settings are to be sent again */
  onSettings(settings: Settings): boolean;
  onCommand(command: ServerCommand): void;
  /** Called when the session is established, lost or recovered; must not throw. */
  onChange(change: SessionChange): void;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly stream: TelemetryStream }
  | { readonly kind: 'synced'; readonly stream: TelemetryStream }
  | { readonly kind: 'waiting'; readonly error: unknown }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

/** The maximum is short, because consumers receive nothing until the server has their settings again. The official clients use 1 s. */
const RECONNECT: BackoffPolicy = { kind: 'exponential', initialMs: 200, maxMs: 1_500, multiplier: 2 };
/** How long the server may take to answer settings; the same as in the official clients, and more for a server that was slower. */
const SETTINGS_TIMEOUT_MS = 3_000;
/** A server that is merely slow must be given the time to answer once; a stream that is lost must not be waited for. */
const MAX_SETTINGS_TIMEOUT_MS = 12_000;

/** Long enough for a server that has needed half as long. @param wantedMs as long as the limits allow */
function settingsTimeoutOf(wantedMs: number): number {
  return Math.min(Math.max(wantedMs, SETTINGS_TIMEOUT_MS), MAX_SETTINGS_TIMEOUT_MS);
}
/** How long the server may take to end its half of the stream at a close. */
const MAX_STREAM_END_MS = 1_000;

/** Keeps the settings of one client in sync with one endpoint, from {@link TelemetrySession.start} to {@link TelemetrySession.close}. */
export class TelemetrySession {
  private state: State = { kind: 'idle' };
  private readonly waiters = new SessionWaiters();
  private readonly closing = new AbortSource();
  /** Settings written on the current stream that the server has not answered. */
  private unanswered = 0;
  private answerDue: ScheduledTask | undefined;
  private overdue: TransportError | undefined;
  private settingsTimeoutMs = SETTINGS_TIMEOUT_MS;
  /** When the wait for the next answer began. */
  private askedAtMs = 0;
  /** Why the last stream ended; undefined once the server has answered on a newer one. */
  private lastError: unknown;
  /** The settings of this sync were sent once more because of their answer. */
  private hasRepeated = false;
  /** Consecutive streams that ended before the settings were answered. */
  private failures = 0;
  private running: Promise<void> | undefined;
  private latest: AnnouncedCapabilities | undefined;
  /** The stream is being replaced on purpose: a new one follows immediately. */
  private isReopening = false;
  /** The credentials of the current stream. */
  private credentials = 0;
  /** The last reported event. */
  private reported: SessionChange['kind'] | undefined;

  constructor(private readonly port: SessionPort) {}

  /** Connects, and reconnects until {@link close}. Idempotent. */
  start(): void {
    if (this.state.kind === 'closed') return;
    this.running ??= this.run();
  }

  /** Whether the server has answered the settings on the current stream. */
  get isSynced(): boolean {
    return this.state.kind === 'synced';
  }

  /** What the server has shown in its last answer to the settings; undefined before the first, and for producers. */
  get announced(): AnnouncedCapabilities | undefined {
    return this.latest;
  }

  get status(): SessionStatus {
    const { state } = this;
    if (state.kind === 'synced') return 'ready';
    if (state.kind === 'closed') return 'closed';
    // While the client retries, the status reflects why the last stream failed.
    if (this.lastError === undefined) return 'connecting';
    return isRejection(this.lastError) ? 'rejected' : 'away';
  }

  /** Why it is `away` or `rejected`. */
  get error(): unknown {
    return this.status === 'away' || this.status === 'rejected' ? this.lastError : undefined;
  }

  /**
   * Waits until the server has answered the settings on the current stream.
   * @throws StatusError or TransportError when the server rejects them; the session keeps retrying
   * @throws StateError once closed; the signal's reason when it aborts
   */
  async synced(signal: Abortable): Promise<void> {
    if (this.state.kind !== 'synced') await this.wait(signal);
  }

  /** Like {@link synced}, but returns false as soon as the server turns out to be unavailable, or the signal aborts. */
  async tried(signal: Abortable): Promise<boolean> {
    if (this.state.kind === 'synced') return true;
    if (signal.aborted || this.isAway) return false;
    return this.wait(signal, false);
  }

  /** Whether the last attempt could not reach the server. Once it is reachable, it receives the current settings first. */
  get isAway(): boolean {
    return this.state.kind === 'waiting' && !isRejection(this.state.error);
  }

  /** Sends the current settings and waits until the server has answered them. Failures as in {@link synced}. */
  async sync(signal: Abortable): Promise<void> {
    const answered = this.wait(signal);
    // Without a stream, the next one starts with the current settings. One that is connecting started with earlier ones.
    const { state } = this;
    if (!signal.aborted && (state.kind === 'synced' || state.kind === 'connecting')) {
      this.hasRepeated = false;
      this.writeSettings(state.stream);
    }
    await answered;
  }

  /** Answers a command; false when the stream is gone, because then the server no longer expects an answer. */
  write(command: TelemetryCommand): boolean {
    if (this.state.kind !== 'synced') return false;
    return this.state.stream.write(command);
  }

  /** Replaces the current stream by a new one, signed with the current credentials. */
  reopen(): void {
    const { state } = this;
    if (state.kind !== 'synced' && state.kind !== 'connecting') return;
    this.isReopening = true;
    state.stream.cancel();
  }

  /** Half-closes the stream, then closes it. Later calls wait for the same end. */
  close(): Promise<void> {
    if (this.state.kind === 'closed') return this.state.closed;
    const closed = this.end(this.state);
    this.state = { kind: 'closed', closed };
    this.closing.abort(new StateError('CLOSED', 'the client is closed'));
    this.waiters.reject(reasonOf(this.closing));
    return closed;
  }

  private async end(before: State): Promise<void> {
    if (before.kind === 'connecting') before.stream.cancel();
    if (before.kind !== 'synced') return this.running;
    before.stream.end();
    const cancelLate = this.port.clock.schedule(MAX_STREAM_END_MS, () => before.stream.cancel());
    await this.running;
    cancelLate.cancel();
  }

  private async run(): Promise<void> {
    while (!this.isClosed()) {
      const error = await this.serve().then(
        () => new TransportError('UNAVAILABLE', 'the server ended the telemetry stream', 'unknown', true),
        (failure: unknown) => failure,
      );
      if (this.isClosed()) return;
      const isWorthReopening = await this.isWorthReopening(error);
      if (this.isClosed()) return;
      if (isWorthReopening) continue;
      this.lost(error);
      const waitMs = withJitter(backoffMs(RECONNECT, ++this.failures), () => this.port.random.next());
      await sleep(this.port.clock, waitMs, this.closing).catch(() => {});
    }
  }

  private async isWorthReopening(error: unknown): Promise<boolean> {
    if (this.isReopening) return true;
    if (!(error instanceof StatusError) || error.statusCode !== Code.UNAUTHORIZED) return false;
    return this.port.hasOtherCredentials(this.credentials, this.closing.signal);
  }

  /** Runs one stream until it ends. */
  private async serve(): Promise<void> {
    this.isReopening = false;
    await this.port.ready(this.closing);
    if (this.isClosed()) return;
    this.credentials = this.port.credentialsVersion();
    const stream = this.port.open();
    this.state = { kind: 'connecting', stream };
    this.unanswered = 0;
    this.hasRepeated = false;
    this.overdue = undefined;
    try {
      this.writeSettings(stream);
      await forEach(stream.commands, (command) => this.take(command, stream));
    } catch (error) {
      throw this.overdue ?? error;
    } finally {
      this.answerDue?.cancel();
      this.answerDue = undefined;
      stream.cancel();
    }
  }

  private take(message: SessionMessage, stream: TelemetryStream): void {
    if (this.isClosed()) return;
    const { command, status } = message;
    if (command !== undefined && command.$case !== 'settings') {
      this.port.onCommand(command);
      return;
    }
    if (status !== undefined && status.code !== Code.OK)
      throw new StatusError(`settings for ${this.port.endpoint}`, status);
    if (command === undefined) {
      // A newer server may send commands that this version of the protocol does not have.
      this.port.logger.debug('ignoring a command that this client does not know', { endpoint: this.port.endpoint });
      return;
    }
    this.latest = command.announced ?? announcedIn(command.value);
    const isNews = this.port.onSettings(command.value);
    if (this.isClosed()) return;
    // Once for each sync: a server whose answers alternate, or that answers twice, would be asked for ever.
    if (isNews && !this.hasRepeated) {
      this.hasRepeated = true;
      this.writeSettings(stream);
    }
    this.answered(stream);
  }

  private answered(stream: TelemetryStream): void {
    this.failures = 0;
    this.settingsTimeoutMs = settingsTimeoutOf(2 * (this.port.clock.monotonicMs() - this.askedAtMs));
    this.lastError = undefined;
    this.answerDue?.cancel();
    this.answerDue = undefined;
    this.unanswered = Math.max(0, this.unanswered - 1);
    this.state = { kind: 'synced', stream };
    if (this.reported === undefined) this.report({ kind: 'connected' });
    else if (this.reported === 'lost') this.report({ kind: 'recovered' });
    if (this.unanswered > 0) {
      this.awaitAnswer(stream);
      return;
    }
    this.waiters.synced();
  }

  private writeSettings(stream: TelemetryStream): void {
    this.unanswered++;
    stream.write({ command: { $case: 'settings', value: this.port.settings() } });
    if (this.answerDue === undefined) this.awaitAnswer(stream);
  }

  /** A stream on which the server stops answering settings is replaced: a new stream may reach it. */
  private awaitAnswer(stream: TelemetryStream): void {
    const timeoutMs = Math.max(this.settingsTimeoutMs, stream.answersWithinMs ?? 0);
    this.askedAtMs = this.port.clock.monotonicMs();
    this.answerDue = this.port.clock.schedule(timeoutMs, () => {
      const message = `${this.port.endpoint} did not answer the settings within ${timeoutMs} ms`;
      this.settingsTimeoutMs = settingsTimeoutOf(2 * timeoutMs);
      this.overdue = new TransportError('DEADLINE_EXCEEDED', message, 'unknown', true);
      stream.cancel();
    });
  }

  private lost(error: unknown): void {
    const { endpoint, logger } = this.port;
    const rejected = isRejection(error);
    const text = `telemetry stream to ${endpoint} is down; reconnecting`;
    // An outage is logged once, not at every retry; a rejection once for each reason.
    const isNew = rejected ? describeError(this.lastError) !== describeError(error) : this.failures === 0;
    // A start that waits for the answer ends with the rejection.
    const isThrown = rejected && this.reported === undefined && this.waiters.some;
    logger[isNew && !isThrown ? 'warn' : 'debug'](text, { error: describeError(error) });
    this.state = { kind: 'waiting', error };
    this.lastError = error;
    if (this.reported === 'connected' || this.reported === 'recovered') this.report({ kind: 'lost', error });
    // Callers that wait for an unavailable server keep waiting, until their own deadlines.
    if (rejected) this.waiters.reject(error);
    else this.waiters.away();
  }

  private wait(signal: Abortable, isPatient = true): Promise<boolean> {
    if (this.state.kind === 'closed') return Promise.reject(reasonOf(this.closing));
    if (signal.aborted) return Promise.reject(this.whyNotSynced(signal));
    if (this.state.kind === 'waiting' && isRejection(this.state.error)) return Promise.reject(this.state.error);
    return this.waiters.wait(signal, isPatient, () => this.whyNotSynced(signal));
  }

  /** When the deadline passes, the failure of the stream explains more than the timeout does. */
  private whyNotSynced(signal: Abortable): Error {
    const reason = reasonOf(signal);
    return reason instanceof TransportError && this.lastError instanceof Error ? this.lastError : reason;
  }

  private report(change: SessionChange): void {
    this.reported = change.kind;
    if (change.kind === 'recovered') {
      this.port.logger.info('the server is back', { endpoint: this.port.endpoint });
    }
    this.port.onChange(change);
  }

  private isClosed(): boolean {
    return this.state.kind === 'closed';
  }
}

/** Whether the server rejected the client, or will never understand it, as opposed to being unavailable. */
function isRejection(error: unknown): error is RocketMQError {
  return error instanceof StatusError || (RocketMQError.is(error) && !error.retryable);
}
