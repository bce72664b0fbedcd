// The credentials of a connection: given once, or by a provider that is asked again and again, so that keys can be changed while
// everything runs. How a gRPC request is signed with them is metadata.ts.

import { raceAbort } from '../../support/abort.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { monotonicMs, realTimeIn, withDeadline } from '../../support/deadline.js';
import { RocketMQError, TransportError, UsageError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { Credentials } from './metadata.js';

/** What a provider gives. */
export interface ProvidedCredentials extends Credentials {
  /** When the server stops taking them; the provider is asked before. Default: when `credentialsRefreshMs` says. */
  readonly expiresAt?: Date;
}

/**
 * Gives the credentials to use from now on. Asked at the first use, then as `expiresAt` or `credentialsRefreshMs` say, and when
 * the server refuses what it gave before; never twice at once. When it fails, what it gave before stays in use.
 */
export type CredentialsProvider = () => ProvidedCredentials | Promise<ProvidedCredentials>;

const DEFAULT_REFRESH_MS = MINUTE_MS;
/** A provider that hangs must not hang everything. */
const PROVIDER_TIMEOUT_MS = 10 * SECOND_MS;
/** How soon a provider is asked again that failed, or whose credentials the server refuses. */
const RETRY_MS = 5 * SECOND_MS;
/** How long before their end credentials are renewed, where their life is long enough. */
const LEAD_MS = MINUTE_MS;

export interface CredentialsOptions {
  /** How often the provider is asked. Default: before `expiresAt`, or every minute where there is none. */
  readonly refreshMs?: number;
  readonly logger: Logger;
}

/** Knows the credentials of now. Reading them costs nothing; a provider is asked in the background. */
export class CredentialsSource {
  /** Really private: who writes an object of this library to a log must not write this. */
  #held: Credentials | undefined;
  private readonly provider: CredentialsProvider | undefined;
  /** By monotonic time, like the next: a step of the wall clock must not keep expired credentials in use. */
  private dueAtMs = Number.NEGATIVE_INFINITY;
  private mayAskAgainAtMs = Number.NEGATIVE_INFINITY;
  private asking: Promise<void> | undefined;
  private readonly listeners = new Set<() => void>();
  private readonly closing = new AbortController();
  private rotations = 0;

  /** @throws UsageError `ILLEGAL_OPTION` for credentials that cannot be */
  constructor(
    given: Credentials | CredentialsProvider | undefined,
    private readonly options: CredentialsOptions,
  ) {
    if (typeof given === 'function') this.provider = given;
    else if (given !== undefined) this.#held = checked(given, 'ILLEGAL_OPTION', 'option ');
  }

  /** Whether there are credentials, or will be. */
  get areGiven(): boolean {
    return this.provider !== undefined || this.#held !== undefined;
  }

  /** Grows each time the credentials change. */
  get version(): number {
    return this.rotations;
  }

  /** The credentials to sign with; undefined for none. @param nowMs by `monotonicMs` */
  current(nowMs: number): Credentials | undefined {
    // A failure is logged where it happens.
    if (this.provider !== undefined && nowMs >= this.dueAtMs) this.ask(this.provider).catch(() => {});
    return this.#held;
  }

  /** What to wait for before the first use; undefined when there is nothing to wait for. */
  ready(): Promise<void> | undefined {
    return this.provider === undefined || this.#held !== undefined ? undefined : this.ask(this.provider);
  }

  /**
   * Asks the provider, once in a while, for others than those that the server has refused.
   * @param version which were refused
   * @returns whether there are others now: worth another try
   */
  async renew(version: number, signal?: AbortSignal): Promise<boolean> {
    if (this.provider === undefined) return false;
    const nowMs = monotonicMs();
    if (version === this.rotations && nowMs >= this.mayAskAgainAtMs) {
      this.mayAskAgainAtMs = nowMs + RETRY_MS;
      await raceAbort(this.ask(this.provider), signal).catch(() => {});
    }
    return version !== this.rotations;
  }

  /** Calls the listener after each change. @returns what takes it off */
  onRotation(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Waits for no provider any more. Repeating it does nothing. */
  close(): void {
    this.closing.abort(new Error('the connection is closed'));
    this.listeners.clear();
  }

  private ask(provider: CredentialsProvider): Promise<void> {
    this.asking ??= this.take(provider).finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async take(provider: CredentialsProvider): Promise<void> {
    try {
      const provided = await withDeadline('the provider', PROVIDER_TIMEOUT_MS, this.closing.signal, ({ signal }) =>
        raceAbort(Promise.resolve().then(provider), signal),
      );
      const next = checked(provided, 'ILLEGAL_CREDENTIALS', 'the provider of credentials gave something else: ');
      this.dueAtMs = monotonicMs() + this.nextInMs(provided.expiresAt);
      this.hold(next);
    } catch (error) {
      this.dueAtMs = monotonicMs() + RETRY_MS;
      const failure = RocketMQError.is(error) && error.code === 'ILLEGAL_CREDENTIALS' ? error : this.failed(error);
      const text =
        this.#held === undefined ? 'no credentials' : 'credentials could not be renewed; the last ones stay in use';
      if (!this.closing.signal.aborted) this.options.logger.error(text, { error: describeError(failure) });
      throw failure;
    }
  }

  private hold(next: Credentials): void {
    const held = this.#held;
    this.#held = next;
    if (held === undefined) {
      this.rotations++;
      return;
    }
    const isSame = held.accessKey === next.accessKey && held.secretKey === next.secretKey;
    if (isSame && held.sessionToken === next.sessionToken) return;
    this.rotations++;
    this.options.logger.info('credentials changed', { accessKey: next.accessKey });
    for (const listener of [...this.listeners]) listener();
  }

  private nextInMs(expiresAt: Date | undefined): number {
    const { refreshMs } = this.options;
    const paceMs = refreshMs ?? (expiresAt === undefined ? DEFAULT_REFRESH_MS : Number.POSITIVE_INFINITY);
    if (expiresAt === undefined) return paceMs;
    const lifeMs = expiresAt.getTime() - realTimeIn(0).getTime();
    // Of a short life the last fifth; and never at each call, be they long past.
    return Math.min(paceMs, Math.max(lifeMs - Math.min(LEAD_MS, lifeMs / 5), SECOND_MS));
  }

  private failed(cause: unknown): TransportError {
    const secrets = [this.#held?.secretKey, this.#held?.sessionToken].filter((secret) => secret !== undefined);
    const isOverdue = RocketMQError.is(cause) && cause.code === 'DEADLINE_EXCEEDED';
    const text = isOverdue ? `it did not answer within ${PROVIDER_TIMEOUT_MS} ms` : describeError(cause);
    const said = secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
    const message = `the provider of credentials failed: ${said}; nothing was sent, it is asked again at the next call`;
    return new TransportError('CREDENTIALS_UNAVAILABLE', message, 'not-sent', true, { cause });
  }
}

/** Metadata travels as HTTP/2 headers, which take printable ASCII only. */
export function isHeaderText(value: unknown): value is string {
  return typeof value === 'string' && /^[\x20-\x7e]*$/.test(value);
}

/** A copy of the credentials. @throws UsageError that names the field and holds no value: it may be a secret */
function checked(given: unknown, code: string, before: string): Credentials {
  const wrong = (field: string, problem: string): UsageError =>
    new UsageError(code, `${before}${field} must be ${problem}`, field);
  if (typeof given !== 'object' || given === null) {
    throw wrong('credentials', 'an object with accessKey and secretKey, or a function that gives one');
  }
  const { accessKey, secretKey, sessionToken, expiresAt } = given as Partial<ProvidedCredentials>;
  // The server cuts a key at these.
  if (!isHeaderText(accessKey) || accessKey.trim() === '' || /[,/]/.test(accessKey)) {
    throw wrong('credentials.accessKey', 'non-empty text of printable ASCII characters without "," and "/"');
  }
  if (typeof secretKey !== 'string' || secretKey === '') throw wrong('credentials.secretKey', 'a non-empty text');
  if (sessionToken !== undefined && (!isHeaderText(sessionToken) || sessionToken.trim() === '')) {
    throw wrong('credentials.sessionToken', 'non-empty text of printable ASCII characters');
  }
  if (expiresAt !== undefined && !(expiresAt instanceof Date && Number.isFinite(expiresAt.getTime()))) {
    throw wrong('credentials.expiresAt', 'a Date');
  }
  return { accessKey, secretKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}
