// The TLS of a broker's ports.

import type { TlsOptions } from 'node:tls';
import { UsageError } from '../support/errors.js';
import { certificatesIn, type Pem, resolveIdentity } from '../support/tls.js';

/** What a broker's TLS is made of, all of it PEM. */
export interface BrokerTlsOptions {
  /** The broker's certificate, with those between it and its authority. */
  readonly cert: Pem;
  /** The private key of `cert`. */
  readonly key: Pem;
  /** Opens an encrypted `key`. Default: none. */
  readonly passphrase?: string;
  /** Who must have signed the certificate of each client (mutual TLS). Default: clients need none. */
  readonly clientCa?: Pem;
}

/** @throws UsageError `ILLEGAL_OPTION` that names what cannot be read, or is missing */
export function serverTlsOf(options: BrokerTlsOptions | undefined): TlsOptions | undefined {
  if (options === undefined) return undefined;
  const { cert, key, passphrase, clientCa } = options;
  if (clientCa !== undefined) certificatesIn('clientCa', clientCa);
  const identity = resolveIdentity({ cert, key, passphrase });
  if (identity === undefined) {
    const message = "option tls.cert is missing: a broker's TLS needs tls.cert and tls.key";
    throw new UsageError('ILLEGAL_OPTION', message, 'tls.cert');
  }
  const clients =
    clientCa === undefined ? {} : { ca: clientCa.toString('utf8'), requestCert: true, rejectUnauthorized: true };
  return { ...identity, ...clients, ALPNProtocols: ['h2'] };
}
