// Explains why a connection failed: because of TLS, or because the server is not a proxy. TLS messages are in support/tls-failure.ts.

import { raceAbort } from '../../support/abort.js';
import { type ScheduledTask, SystemClock } from '../../support/clock.js';
import { type Deadline, monotonicMs } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import type { ResolvedTls } from '../../support/tls.js';
import {
  identityRejected,
  isAnsweredInPlaintext,
  tlsFailure,
  tlsHandshake,
  tlsMissing,
} from '../../support/tls-failure.js';
import { type Address, addressText } from '../endpoint.js';
import { type Listener, listenerAt } from './other-servers.js';

/** A connection that failed. */
interface FailedConnection {
  /** The message of the transport. */
  readonly text: string;
  /** The same value for all calls that fail with this connection, so that the server is probed once for all of them. */
  readonly attempt: unknown;
  /** Whether the connection was established, and the data received on it was not HTTP/2. */
  readonly wasAccepted: boolean;
  readonly cause: unknown;
}

/** How long a connection attempt may take before the server is probed. Well below the timeout of a request. */
const SILENCE_MS = 500;
/** How late a timer is at most in a process that is not busy. */
const LATE_MS = 100;
const LOOK_MS = 1_000;

type Finding = Listener | { readonly kind: 'identity-rejected' };

/** Explains the failures of connections to one address. */
export class ConnectionDiagnosis {
  private readonly clock = new SystemClock();
  private readonly closing = new AbortController();
  private looked: { readonly attempt: unknown; readonly finding: Promise<Finding | undefined> } | undefined;
  /** The result of the latest probe. */
  private found: Finding | undefined;
  private watching: ScheduledTask | undefined;

  constructor(
    private readonly address: Address,
    private readonly tls: ResolvedTls | undefined,
  ) {}

  /**
   * The error for calls whose connection failed.
   * @param deadline that of the call; the probe stops when it passes
   * @returns undefined when nothing is known beyond the transport's message
   */
  async explain(what: string, failed: FailedConnection, deadline: Deadline): Promise<TransportError | undefined> {
    const { text, cause, attempt, wasAccepted } = failed;
    const explained = this.tls && tlsFailure(what, text, cause);
    // A server without TLS may not be a proxy either.
    if (!wasAccepted || (explained !== undefined && !isAnsweredInPlaintext(text))) return explained;
    const finding = await raceAbort(this.look(attempt), deadline.signal).catch(() => undefined);
    return this.errorOf(finding, what, cause) ?? explained;
  }

  /**
   * Probes the server when a connection attempt takes long: the result may be the only explanation when a call times out.
   * @param giveUp called when it is not a proxy, so that the connection can never succeed
   */
  watch(attempt: unknown, isUnderWay: () => boolean, giveUp: () => void = () => {}): void {
    this.watching?.cancel();
    const beganMs = monotonicMs();
    this.watching = this.clock.schedule(SILENCE_MS, async () => {
      if (!isUnderWay() || this.closing.signal.aborted) return;
      // What the server has sent may wait in the socket, behind the work that delayed this.
      if (monotonicMs() - beganMs > SILENCE_MS + LATE_MS) return this.watch(attempt, isUnderWay, giveUp);
      const finding = await this.look(attempt);
      if (finding?.kind === 'other-server' && isUnderWay()) giveUp();
    });
  }

  /** The error for a call that timed out before there was a connection, according to the current findings. */
  explainSilence(what: string, cause?: unknown): TransportError | undefined {
    if (this.found?.kind !== 'silent') return this.errorOf(this.found, what, cause);
    const text = `${what}: ${addressText(this.address)} accepts connections but sends nothing; nothing was sent. Is it a proxy, and is it running?`;
    return new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true, { cause });
  }

  /** The server is a proxy. */
  connected(): void {
    this.watching?.cancel();
    this.looked = undefined;
    this.found = undefined;
  }

  /** Stops all probes. */
  close(): void {
    this.watching?.cancel();
    this.closing.abort();
  }

  private look(attempt: unknown): Promise<Finding | undefined> {
    if (this.looked !== undefined && this.looked.attempt === attempt) return this.looked.finding;
    const finding = this.find();
    this.looked = { attempt, finding };
    this.found = undefined;
    void finding.then((found) => {
      if (this.looked?.finding === finding) this.found = found;
    });
    return finding;
  }

  private async find(): Promise<Finding | undefined> {
    const { signal } = this.closing;
    const [listener, handshake] = await Promise.all([
      listenerAt(this.address, LOOK_MS, signal),
      this.tls?.hasIdentity ? tlsHandshake(this.address, this.tls, { timeoutMs: LOOK_MS, signal }) : undefined,
    ]);
    return handshake === 'dropped' && listener?.kind !== 'other-server' ? { kind: 'identity-rejected' } : listener;
  }

  private errorOf(finding: Finding | undefined, what: string, cause: unknown): TransportError | undefined {
    switch (finding?.kind) {
      case 'other-server': {
        const text = `${what}: the server is ${finding.what}, not a proxy; nothing was sent; ${finding.advice}`;
        return new TransportError('NOT_A_PROXY', text, 'not-sent', false, { cause });
      }
      case 'identity-rejected':
        return identityRejected(what, cause);
      case 'tls-only':
        return this.tls === undefined ? tlsMissing(what, cause) : undefined;
      default:
        return undefined;
    }
  }
}
