// The credentials of a connection: fixed, or from a provider that is called repeatedly, so that keys can be rotated at runtime.
// Signing of gRPC requests is in metadata.ts.

import { raceAbort } from '../../support/abort.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { monotonicMs, realTimeIn, withNotedEffects } from '../../support/deadline.js';
import { RocketMQError, TransportError, UsageError } from '../../support/errors.js';
import { describeError, type Logger, nameAndCode } from '../../support/logger.js';
import type { Credentials } from './metadata.js';

/** What a credentials provider returns. */
export interface ProvidedCredentials extends Credentials {
  /** When the server stops accepting them; the provider is called before that. Default: unknown, `credentialsRefreshMs` applies. */
  readonly expiresAt?: Date;
}

/**
 * Returns the credentials to use from now on. Called at first use, then according to `expiresAt` or `credentialsRefreshMs`, and when
 * the server rejects the current credentials; never concurrently. When it fails, the current credentials stay in use.
 */
export type CredentialsProvider = () => ProvidedCredentials | Promise<ProvidedCredentials>;

const DEFAULT_REFRESH_MS = MINUTE_MS;
/** A provider that hangs must not block the client. */
const PROVIDER_TIMEOUT_MS = 10 * SECOND_MS;
/** The delay before a provider is called again after it failed, or after the server rejected its credentials. */
const RETRY_MS = 5 * SECOND_MS;
/** How long before their expiry credentials are renewed, if they are valid for long enough. */
const LEAD_MS = MINUTE_MS;

interface CredentialsOptions {
  /** How often the provider is called, in milliseconds. Default: before `expiresAt`, or every minute if there is none. */
  readonly refreshMs?: number;
  readonly logger: Logger;
}

/** Holds the current credentials. Reading them is cheap; a provider is called in the background. */
export class CredentialsSource {
  /** A #private field, so that logging an object of this library does not reveal it. */
  #held: Credentials | undefined;
  private readonly provider: CredentialsProvider | undefined;
  /** In monotonic time, like the next field: a step of the wall clock must not keep expired credentials in use. */
  private dueAtMs = Number.NEGATIVE_INFINITY;
  private mayAskAgainAtMs = Number.NEGATIVE_INFINITY;
  private asking: Promise<void> | undefined;
  private readonly listeners = new Set<() => void>();
  private readonly closing = new AbortController();
  private rotations = 0;

  /** @throws UsageError `ILLEGAL_OPTION` for invalid credentials */
  constructor(
    given: Credentials | CredentialsProvider | undefined,
    private readonly options: CredentialsOptions,
  ) {
    if (typeof given === 'function') this.provider = given;
    else if (given !== undefined) this.#held = checked(given, 'ILLEGAL_OPTION', 'option ');
  }

  /** Whether credentials or a provider are configured. */
  get areGiven(): boolean {
    return this.provider !== undefined || this.#held !== undefined;
  }

  /** Increases each time the credentials change. */
  get version(): number {
    return this.rotations;
  }

  /** The credentials to sign with; undefined for none. @param nowMs by `monotonicMs` */
  current(nowMs: number): Credentials | undefined {
    // The failure is already logged.
    if (this.provider !== undefined && nowMs >= this.dueAtMs) this.ask(this.provider).catch(() => {});
    return this.#held;
  }

  /** What to wait for before the first use; undefined when there is nothing to wait for. */
  ready(): Promise<void> | undefined {
    return this.provider === undefined || this.#held !== undefined ? undefined : this.ask(this.provider);
  }

  /**
   * Calls the provider, at a limited rate, because the server rejected the current credentials.
   * @param version the version that was rejected
   * @returns whether there are different credentials now, so that a retry makes sense
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

  /** Calls the listener after each change. @returns a function that removes it */
  onRotation(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Stops waiting for the provider. Idempotent. */
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
      const provided = await withNotedEffects('the provider', PROVIDER_TIMEOUT_MS, this.closing.signal, ({ signal }) =>
        raceAbort(Promise.resolve().then(provider), signal),
      );
      const next = checked(provided, 'ILLEGAL_CREDENTIALS', 'the credentials provider returned an invalid value: ');
      this.dueAtMs = monotonicMs() + this.nextInMs(provided.expiresAt);
      this.hold(next);
    } catch (error) {
      this.dueAtMs = monotonicMs() + RETRY_MS;
      const failure = RocketMQError.is(error) && error.code === 'ILLEGAL_CREDENTIALS' ? error : this.failed(error);
      const text =
        this.#held === undefined
          ? 'credentials could not be obtained'
          : 'credentials could not be renewed; the last ones stay in use';
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
    // Short-lived credentials are renewed in the last fifth of their lifetime. Expired ones must not trigger a call per request.
    return Math.min(paceMs, Math.max(lifeMs - Math.min(LEAD_MS, lifeMs / 5), SECOND_MS));
  }

  private failed(cause: unknown): TransportError {
    const isOverdue = RocketMQError.is(cause) && cause.code === 'DEADLINE_EXCEEDED';
    const text = isOverdue ? `it did not answer within ${PROVIDER_TIMEOUT_MS} ms` : nameAndCode(cause);
    const message = `the credentials provider failed: ${text}; nothing was sent. The next call retries the provider`;
    return new TransportError('CREDENTIALS_UNAVAILABLE', message, 'not-sent', true, { cause });
  }
}

/** Metadata is sent in HTTP/2 headers, which allow printable ASCII only. */
export function isHeaderText(value: unknown): value is string {
  return typeof value === 'string' && /^[\x20-\x7e]*$/.test(value);
}

/** A copy of the credentials. @throws UsageError that names the field and never contains its value, which may be a secret */
function checked(given: unknown, code: string, before: string): Credentials {
  const wrong = (field: string, problem: string): UsageError =>
    new UsageError(code, `${before}${field} must be ${problem}`, field);
  if (typeof given !== 'object' || given === null) {
    throw wrong('credentials', 'an object with accessKey and secretKey, or a function that returns one');
  }
  const { accessKey, secretKey, sessionToken, expiresAt } = given as Partial<ProvidedCredentials>;
  // The server truncates a key at these characters.
  if (!isHeaderText(accessKey) || accessKey.trim() === '' || /[,/]/.test(accessKey)) {
    throw wrong('credentials.accessKey', 'a non-empty string of printable ASCII characters without "," and "/"');
  }
  if (typeof secretKey !== 'string' || secretKey === '') throw wrong('credentials.secretKey', 'a non-empty string');
  if (sessionToken !== undefined && (!isHeaderText(sessionToken) || sessionToken.trim() === '')) {
    throw wrong('credentials.sessionToken', 'a non-empty string of printable ASCII characters');
  }
  if (expiresAt !== undefined && !(expiresAt instanceof Date && Number.isFinite(expiresAt.getTime()))) {
    throw wrong('credentials.expiresAt', 'a Date');
  }
  return { accessKey, secretKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}
