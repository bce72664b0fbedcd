// Why a connection was not made: TLS is to blame, or what listens there is no proxy. The words about TLS are support/tls-failure.ts.

import { raceAbort } from '../../support/abort.js';
import { type ScheduledTask, SystemClock } from '../../support/clock.js';
import type { Deadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import type { ResolvedTls } from '../../support/tls.js';
import { greet, identityRefused, isAnsweredInPlaintext, tlsFailure, tlsMissing } from '../../support/tls-failure.js';
import { type Address, addressText } from '../endpoint.js';
import { type Listener, listenerAt } from './strangers.js';

/** A connection that failed. */
export interface FailedConnection {
  /** What the wire said. */
  readonly text: string;
  /** The same value for all calls that fail for want of this connection: for these it is found out once who listens. */
  readonly attempt: unknown;
  /** Whether a connection was there, and what came over it was not HTTP/2. */
  readonly wasAccepted: boolean;
  readonly cause: unknown;
}

/** How long a connection may be under way before it is found out who listens. Well below the time of a request. */
const SILENCE_MS = 500;
const LOOK_MS = 1_000;

type Finding = Listener | { readonly kind: 'identity-refused' };

/** Explains the failures of connections to one address. */
export class ConnectionDiagnosis {
  private readonly clock = new SystemClock();
  private readonly closing = new AbortController();
  private looked: { readonly attempt: unknown; readonly finding: Promise<Finding | undefined> } | undefined;
  /** What the latest look has found. */
  private found: Finding | undefined;
  private watching: ScheduledTask | undefined;

  constructor(
    private readonly address: Address,
    private readonly tls: ResolvedTls | undefined,
  ) {}

  /**
   * The error for calls whose connection failed.
   * @param deadline that of the call; when it is over, nothing more is found out
   * @returns undefined when nothing is known that says more than the wire
   */
  async explain(what: string, failed: FailedConnection, deadline: Deadline): Promise<TransportError | undefined> {
    const { text, cause, attempt, wasAccepted } = failed;
    const told = this.tls && tlsFailure(what, text, cause);
    // Without TLS there, it may be no proxy either.
    if (!wasAccepted || (told !== undefined && !isAnsweredInPlaintext(text))) return told;
    const finding = await raceAbort(this.look(attempt), deadline.signal).catch(() => undefined);
    return this.errorOf(finding, what, cause) ?? told;
  }

  /**
   * Finds out who listens when a connection is under way for long: that may be all there is to say when a call's time is over.
   * @param giveUp called when it is no proxy, so that the connection never comes
   */
  watch(attempt: unknown, isUnderWay: () => boolean, giveUp: () => void = () => {}): void {
    this.watching?.cancel();
    this.watching = this.clock.schedule(SILENCE_MS, async () => {
      if (!isUnderWay() || this.closing.signal.aborted) return;
      const finding = await this.look(attempt);
      if (finding?.kind === 'stranger' && isUnderWay()) giveUp();
    });
  }

  /** The error for a call whose time was over before there was a connection, by what is known at present. */
  explainSilence(what: string, cause?: unknown): TransportError | undefined {
    if (this.found?.kind !== 'silent') return this.errorOf(this.found, what, cause);
    const text = `${what}: ${addressText(this.address)} accepts connections and says nothing on them; nothing was sent; is it a proxy, and alive?`;
    return new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true, { cause });
  }

  /** A proxy is there. */
  connected(): void {
    this.watching?.cancel();
    this.looked = undefined;
    this.found = undefined;
  }

  /** Nothing is found out any more. */
  close(): void {
    this.watching?.cancel();
    this.closing.abort();
  }

  private look(attempt: unknown): Promise<Finding | undefined> {
    if (this.looked !== undefined && this.looked.attempt === attempt) return this.looked.finding;
    const finding = this.find();
    this.looked = { attempt, finding };
    this.found = undefined;
    finding.then((found) => {
      if (this.looked?.finding === finding) this.found = found;
    });
    return finding;
  }

  private async find(): Promise<Finding | undefined> {
    const { signal } = this.closing;
    const [listener, greeting] = await Promise.all([
      listenerAt(this.address, LOOK_MS, signal),
      this.tls?.hasIdentity ? greet(this.address, this.tls, { timeoutMs: LOOK_MS, signal }) : undefined,
    ]);
    return greeting === 'dropped' && listener?.kind !== 'stranger' ? { kind: 'identity-refused' } : listener;
  }

  private errorOf(finding: Finding | undefined, what: string, cause: unknown): TransportError | undefined {
    switch (finding?.kind) {
      case 'stranger': {
        const text = `${what}: ${finding.what} answers there, and no proxy; nothing was sent; ${finding.advice}`;
        return new TransportError('NOT_A_PROXY', text, 'not-sent', false, { cause });
      }
      case 'identity-refused':
        return identityRefused(what, cause);
      case 'tls-only':
        return this.tls === undefined ? tlsMissing(what, cause) : undefined;
      default:
        return undefined;
    }
  }
}
