// Why a connection did not come about, as far as TLS is to blame. The words are support/tls-failure.ts.

import type { TransportError } from '../../support/errors.js';
import type { ResolvedTls } from '../../support/tls.js';
import { type Greeting, greet, identityRefused, tlsFailure, tlsMissing } from '../../support/tls-failure.js';
import type { Address } from '../endpoint.js';

/** Explains the failures of connections to one address. */
export class TlsDiagnosis {
  /** The question what listens there, while it is asked. */
  private asking: Promise<Greeting> | undefined;

  constructor(
    private readonly address: Address,
    private readonly tls: ResolvedTls | undefined,
  ) {}

  /**
   * @param wasAccepted whether a connection was there, and what came over it was not HTTP/2
   * @returns undefined when TLS is not to blame
   */
  async explain(what: string, text: string, wasAccepted: boolean, cause: unknown): Promise<TransportError | undefined> {
    const told = this.tls && tlsFailure(what, text, cause);
    if (told !== undefined || !wasAccepted) return told;
    this.asking ??= greet(this.address, this.tls).finally(() => {
      this.asking = undefined;
    });
    const greeting = await this.asking;
    if (this.tls === undefined) return greeting === 'none' ? undefined : tlsMissing(what, cause);
    return this.tls.hasIdentity && greeting === 'dropped' ? identityRefused(what, cause) : undefined;
  }
}
