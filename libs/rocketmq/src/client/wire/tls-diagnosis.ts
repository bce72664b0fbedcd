// Why a connection did not come about, as far as TLS is to blame. The words are support/tls-failure.ts.

import type { TransportError } from '../../support/errors.js';
import type { ResolvedTls } from '../../support/tls.js';
import { greet, identityRefused, isTlsOnly, tlsFailure, tlsMissing } from '../../support/tls-failure.js';
import type { Address } from '../endpoint.js';

/** What an HTTP/2 client begins with: its preface and empty settings. */
const HTTP2_OPENING = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');

/** Explains the failures of connections to one address. */
export class TlsDiagnosis {
  /** Whether TLS is to blame, while that is being found out. */
  private asking: Promise<boolean> | undefined;

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
    this.asking ??= this.isToBlame().finally(() => {
      this.asking = undefined;
    });
    if (!(await this.asking)) return undefined;
    return this.tls === undefined ? tlsMissing(what, cause) : identityRefused(what, cause);
  }

  private async isToBlame(): Promise<boolean> {
    if (this.tls === undefined) return isTlsOnly(this.address, HTTP2_OPENING);
    return this.tls.hasIdentity && (await greet(this.address, this.tls)) === 'dropped';
  }
}
