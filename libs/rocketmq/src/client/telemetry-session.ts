// One telemetry stream to one endpoint: it makes the client's settings known before anything is received there, makes them
// known again whenever the stream was lost, and carries the server's commands.

import { Code, type Settings } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { TelemetryCommand } from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { StatusError } from '../protocol/grpc/status.js';
import { abortReason } from '../support/abort.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../support/backoff.js';
import { type Clock, type ScheduledTask, sleep } from '../support/clock.js';
import { RocketMQError, StateError, TransportError } from '../support/errors.js';
import { describeError, type Logger } from '../support/logger.js';
import type { Random } from '../support/random.js';
import type { WireStream } from './channel.js';

/** What the server asks of a client beside its settings. */
export type ServerCommand = Exclude<NonNullable<TelemetryCommand['command']>, { $case: 'settings' }>;

/** What a session needs of its client. */
export interface SessionPort {
  /** Names the endpoint in log lines. */
  readonly endpoint: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What to wait for before the first stream; undefined when there is nothing to wait for. */
  ready(signal: AbortSignal): Promise<void> | undefined;
  open(): WireStream;
  /** Which credentials a stream that is opened now is signed with. */
  credentialsVersion(): number;
  /** Whether there are others than those that the server has refused. */
  hasOtherCredentials(version: number, signal: AbortSignal): Promise<boolean>;
  settings(): Settings;
  onSettings(settings: Settings): void;
  onCommand(command: ServerCommand): void;
  /** Called when the server has come to know the client, has been lost, or knows it again; must not throw. */
  onChange(change: SessionChange): void;
}

/** What befell a session. A first try that fails is no loss. */
export type SessionChange =
  | { readonly kind: 'connected' | 'recovered' }
  | { readonly kind: 'lost'; readonly error: unknown };

/**
 * How a session stands.
 * - `ready`: the server knows the client
 * - `connecting`: it is being told
 * - `away`: it cannot be reached; it is tried again all the time
 * - `refused`: it said no; it is tried again all the time
 * - `closed`
 */
export type SessionStatus = 'ready' | 'connecting' | 'away' | 'refused' | 'closed';

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly stream: WireStream }
  | { readonly kind: 'synced'; readonly stream: WireStream }
  | { readonly kind: 'waiting'; readonly error: unknown }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

interface Waiter {
  /** Whether it goes on waiting while the server is away. */
  readonly isPatient: boolean;
  resolve(isSynced: boolean): void;
  reject(error: Error): void;
}

/** Short at its longest: consumers receive nothing before their settings are known again. The official clients take 1 s. */
const RECONNECT: BackoffPolicy = { kind: 'exponential', initialMs: 200, maxMs: 1_500, multiplier: 2 };
/** How long the server may take to answer settings; the official clients wait as long. */
const SETTINGS_TIMEOUT_MS = 3_000;
/** How long the server may take to end its half at the goodbye. */
const GOODBYE_MS = 1_000;

/** Keeps the settings of one client known to one endpoint, from {@link TelemetrySession.start} to {@link TelemetrySession.close}. */
export class TelemetrySession {
  private state: State = { kind: 'idle' };
  private readonly waiters = new Set<Waiter>();
  private readonly closing = new AbortController();
  /** Settings written on the present stream that the server has not answered. */
  private unanswered = 0;
  private answerDue: ScheduledTask | undefined;
  private overdue: TransportError | undefined;
  /** Why the latest stream ended; undefined once the server has answered on a newer one. */
  private lastError: unknown;
  /** Streams in a row that ended before the settings were answered. */
  private failures = 0;
  private running: Promise<void> | undefined;
  /** The stream is left on purpose: a new one follows at once. */
  private isReopening = false;
  /** The credentials of the present stream. */
  private credentials = 0;
  /** What was told of it last. */
  private told: SessionChange['kind'] | undefined;

  constructor(private readonly port: SessionPort) {}

  /** Connects, and goes on connecting until {@link close}. Repeating it does nothing. */
  start(): void {
    if (this.state.kind === 'closed') return;
    this.running ??= this.run();
  }

  /** Whether the server knows the settings on the present stream. */
  get isSynced(): boolean {
    return this.state.kind === 'synced';
  }

  get status(): SessionStatus {
    const { state } = this;
    if (state.kind === 'synced') return 'ready';
    if (state.kind === 'closed') return 'closed';
    // While it is tried again and again, what kept the last stream down is the state of it.
    if (this.lastError === undefined) return 'connecting';
    return isRefusal(this.lastError) ? 'refused' : 'away';
  }

  /** Why it is `away` or `refused`. */
  get error(): unknown {
    return this.status === 'away' || this.status === 'refused' ? this.lastError : undefined;
  }

  /**
   * Waits until the settings are known to the server on the present stream.
   * @throws StatusError or TransportError when the server refuses them; the session goes on trying
   * @throws StateError once closed; the signal's reason when it aborts
   */
  async synced(signal: AbortSignal): Promise<void> {
    if (this.state.kind !== 'synced') await this.wait(signal);
  }

  /** Like {@link synced}, but says false as soon as the server turns out to be away, or the signal aborts. */
  async tried(signal: AbortSignal): Promise<boolean> {
    if (this.state.kind === 'synced') return true;
    if (signal.aborted || this.isAway) return false;
    return this.wait(signal, false);
  }

  /** Whether the server could not be reached the last time; when it can, the present settings are told first of all. */
  get isAway(): boolean {
    return this.state.kind === 'waiting' && !isRefusal(this.state.error);
  }

  /** Sends the present settings and waits until the server has answered them. Failures as in {@link synced}. */
  async sync(signal: AbortSignal): Promise<void> {
    const answered = this.wait(signal);
    // Without a stream, the next one begins with the present settings. One that is connecting began with earlier ones.
    const { state } = this;
    if (!signal.aborted && (state.kind === 'synced' || state.kind === 'connecting')) this.writeSettings(state.stream);
    await answered;
  }

  /** Answers a command; false when the stream is gone, and with it the server's interest. */
  write(command: TelemetryCommand): boolean {
    if (this.state.kind !== 'synced') return false;
    return this.state.stream.write(TelemetryCommand.encode(command).finish());
  }

  /** Leaves the present stream for a new one, signed with the credentials of now. */
  reopen(): void {
    const { state } = this;
    if (state.kind !== 'synced' && state.kind !== 'connecting') return;
    this.isReopening = true;
    state.stream.cancel();
  }

  /** Ends the stream politely, then for good. Repeating it waits for the same end. */
  close(): Promise<void> {
    if (this.state.kind === 'closed') return this.state.closed;
    const closed = this.end(this.state);
    this.state = { kind: 'closed', closed };
    this.closing.abort(new StateError('CLOSED', 'the client is closed'));
    this.rejectWaiters(abortReason(this.closing.signal));
    return closed;
  }

  private async end(before: State): Promise<void> {
    if (before.kind === 'connecting') before.stream.cancel();
    if (before.kind !== 'synced') return this.running;
    before.stream.end();
    const patience = this.port.clock.schedule(GOODBYE_MS, () => before.stream.cancel());
    await this.running;
    patience.cancel();
  }

  private async run(): Promise<void> {
    while (!this.isClosed()) {
      let error: unknown = new TransportError('UNAVAILABLE', 'the server ended the telemetry stream', 'unknown', true);
      try {
        await this.serve();
      } catch (failure) {
        error = failure;
      }
      if (this.isClosed()) return;
      const isWorthReopening = await this.isWorthReopening(error);
      if (this.isClosed()) return;
      if (isWorthReopening) continue;
      this.lost(error);
      const waitMs = withJitter(backoffMs(RECONNECT, ++this.failures), () => this.port.random.next());
      await sleep(this.port.clock, waitMs, this.closing.signal).catch(() => {});
    }
  }

  private async isWorthReopening(error: unknown): Promise<boolean> {
    if (this.isReopening) return true;
    if (!(error instanceof StatusError) || error.statusCode !== Code.UNAUTHORIZED) return false;
    return this.port.hasOtherCredentials(this.credentials, this.closing.signal);
  }

  /** Lives through one stream. */
  private async serve(): Promise<void> {
    this.isReopening = false;
    await this.port.ready(this.closing.signal);
    if (this.isClosed()) return;
    this.credentials = this.port.credentialsVersion();
    const stream = this.port.open();
    this.state = { kind: 'connecting', stream };
    this.unanswered = 0;
    this.overdue = undefined;
    try {
      this.writeSettings(stream);
      for await (const frame of stream.frames) this.take(TelemetryCommand.decode(frame), stream);
    } catch (error) {
      throw this.overdue ?? error;
    } finally {
      this.answerDue?.cancel();
      this.answerDue = undefined;
      stream.cancel();
    }
  }

  private take(message: TelemetryCommand, stream: WireStream): void {
    if (this.isClosed()) return;
    const { command, status } = message;
    if (command !== undefined && command.$case !== 'settings') {
      this.port.onCommand(command);
      return;
    }
    if (status !== undefined && status.code !== Code.OK)
      throw new StatusError(`settings for ${this.port.endpoint}`, status);
    if (command === undefined) {
      // Of a newer server; what is not in our protocol is not for us.
      this.port.logger.debug('a command that this client does not know is ignored', { endpoint: this.port.endpoint });
      return;
    }
    this.port.onSettings(command.value);
    if (!this.isClosed()) this.answered(stream);
  }

  private answered(stream: WireStream): void {
    this.failures = 0;
    this.lastError = undefined;
    this.answerDue?.cancel();
    this.answerDue = undefined;
    this.unanswered = Math.max(0, this.unanswered - 1);
    this.state = { kind: 'synced', stream };
    if (this.told === undefined) this.tell({ kind: 'connected' });
    else if (this.told === 'lost') this.tell({ kind: 'recovered' });
    if (this.unanswered > 0) {
      this.awaitAnswer(stream);
      return;
    }
    for (const waiter of [...this.waiters]) waiter.resolve(true);
  }

  private writeSettings(stream: WireStream): void {
    this.unanswered++;
    const command: TelemetryCommand = { command: { $case: 'settings', value: this.port.settings() } };
    stream.write(TelemetryCommand.encode(command).finish());
    if (this.answerDue === undefined) this.awaitAnswer(stream);
  }

  /** A server that answers no more is left, at the first settings or later ones: another stream may reach it. */
  private awaitAnswer(stream: WireStream): void {
    this.answerDue = this.port.clock.schedule(SETTINGS_TIMEOUT_MS, () => {
      const message = `${this.port.endpoint} did not answer the settings within ${SETTINGS_TIMEOUT_MS} ms`;
      this.overdue = new TransportError('DEADLINE_EXCEEDED', message, 'unknown', true);
      stream.cancel();
    });
  }

  private lost(error: unknown): void {
    const { endpoint, logger } = this.port;
    const refused = isRefusal(error);
    const text = `telemetry stream to ${endpoint} is down; connecting again`;
    // A server that is away for long is told once, not at every try.
    logger[refused || this.failures === 0 ? 'warn' : 'debug'](text, { error: describeError(error) });
    this.state = { kind: 'waiting', error };
    this.lastError = error;
    if (this.told === 'connected' || this.told === 'recovered') this.tell({ kind: 'lost', error });
    // Who waits for a server that is only away goes on waiting, until its own deadline.
    if (refused) this.rejectWaiters(error);
    else for (const waiter of [...this.waiters]) if (!waiter.isPatient) waiter.resolve(false);
  }

  private wait(signal: AbortSignal, isPatient = true): Promise<boolean> {
    if (this.state.kind === 'closed') return Promise.reject(abortReason(this.closing.signal));
    if (signal.aborted) return Promise.reject(this.whyNotSynced(signal));
    if (this.state.kind === 'waiting' && isRefusal(this.state.error)) return Promise.reject(this.state.error);
    return new Promise((resolve, reject) => {
      const done = (): void => {
        signal.removeEventListener('abort', onAbort);
        this.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        isPatient,
        resolve: (isSynced) => {
          done();
          resolve(isSynced);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      const onAbort = (): void => (isPatient ? waiter.reject(this.whyNotSynced(signal)) : waiter.resolve(false));
      this.waiters.add(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** When time runs out, what kept the stream down says more than the time-out does. */
  private whyNotSynced(signal: AbortSignal): Error {
    const reason = abortReason(signal);
    return reason instanceof TransportError && this.lastError instanceof Error ? this.lastError : reason;
  }

  private tell(change: SessionChange): void {
    this.told = change.kind;
    if (change.kind === 'recovered') {
      this.port.logger.info('the server is back', { endpoint: this.port.endpoint });
    }
    this.port.onChange(change);
  }

  private rejectWaiters(error: Error): void {
    for (const waiter of [...this.waiters]) waiter.reject(error);
  }

  private isClosed(): boolean {
    return this.state.kind === 'closed';
  }
}

/** The server said no, or will not understand us however often it is tried, as against a server that is away. */
function isRefusal(error: unknown): error is RocketMQError {
  return error instanceof StatusError || (RocketMQError.is(error) && !error.retryable);
}
