// The TLS of a broker's ports: with the certificate that it was given, or with one that it signs itself.

import type { TlsOptions } from 'node:tls';
import type { Clock } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import type { Logger } from '../support/logger.js';
import { certificatesIn, type Pem, resolveIdentity } from '../support/tls.js';
import { selfSignedCertificate } from './self-signed-certificate.js';
import type { PortTls } from './services/listener.js';

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
  /**
   * Also serves clients without TLS, on the same ports: `permissive`, in the words of Apache RocketMQ. Whatever they send can be read on
   * the way, the signatures of `users` included. Cannot be combined with `clientCa`. Default false.
   */
  readonly allowPlaintext?: boolean;
}

/**
 * How the ports of the protocol speak. Without options they serve both TLS and plaintext, as a proxy of Apache RocketMQ does: official
 * clients of some languages use TLS by default, and accept any certificate. One is created when the first of them connects.
 * @throws UsageError `ILLEGAL_OPTION` that names what cannot be read, is missing, or contradicts another option
 */
export function portTlsOf(options: BrokerTlsOptions | undefined, clock: Clock, logger: Logger): PortTls {
  if (options === undefined) return { allowsPlaintext: true, serverOptions: selfSigned(clock, logger) };
  const { allowPlaintext = false, clientCa } = options;
  if (typeof allowPlaintext !== 'boolean') throw wrong('allowPlaintext', 'must be true or false');
  if (allowPlaintext && clientCa !== undefined) {
    throw wrong('allowPlaintext', 'contradicts tls.clientCa: a client without TLS shows no certificate');
  }
  const serverOptions = serverTlsOf(options);
  return { allowsPlaintext: allowPlaintext, serverOptions: () => serverOptions };
}

function selfSigned(clock: Clock, logger: Logger): () => TlsOptions {
  let options: TlsOptions | undefined;
  return () => {
    if (options === undefined) {
      options = { ...selfSignedCertificate(clock.nowMs()), ALPNProtocols: ['h2'] };
      logger.info(
        'TLS with a self-signed certificate, which clients cannot verify; the option tls gives the broker another',
      );
    }
    return options;
  };
}

/** The options of a server with this certificate. @throws UsageError as {@link portTlsOf} */
export function serverTlsOf({ cert, key, passphrase, clientCa }: BrokerTlsOptions): TlsOptions {
  if (clientCa !== undefined) certificatesIn('clientCa', clientCa);
  const identity = resolveIdentity({ cert, key, passphrase });
  if (identity === undefined) throw wrong('cert', "is missing: a broker's TLS needs tls.cert and tls.key");
  const clients =
    clientCa === undefined ? {} : { ca: clientCa.toString('utf8'), requestCert: true, rejectUnauthorized: true };
  return { ...identity, ...clients, ALPNProtocols: ['h2'] };
}

function wrong(field: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_OPTION', `option tls.${field} ${problem}`, `tls.${field}`);
}
