// The TLS of the broker's ports, with the configured certificate or a self-signed one.

import type { TlsOptions } from 'node:tls';
import type { Clock } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import type { Logger } from '../support/logger.js';
import { certificatesIn, type PemSource, resolveIdentity, rotating } from '../support/tls.js';
import { selfSignedCertificate } from './self-signed-certificate.js';
import type { PortTls } from './services/listener.js';

/** The TLS options of a broker. Certificates and keys are PEM, or functions that return PEM and are called for each new connection. */
export interface BrokerTlsOptions {
  /** The broker's certificate, followed by intermediate CA certificates. */
  readonly cert: PemSource;
  /** The private key of `cert`. */
  readonly key: PemSource;
  /** The passphrase of an encrypted `key`. Default: none. */
  readonly passphrase?: string;
  /** The CA certificates that must have signed the client certificates (mutual TLS). Default: no client certificate is required. */
  readonly clientCa?: PemSource;
  /**
   * Also serves clients without TLS on the same ports (`permissive` in Apache RocketMQ). Their traffic can be read on the network,
   * including the signatures of `users`. Cannot be combined with `clientCa`. Default false.
   */
  readonly allowPlaintext?: boolean;
}

/**
 * The TLS of the protocol ports. By default they serve both TLS and plaintext, like a proxy of Apache RocketMQ, because official
 * clients of some languages use TLS by default and accept any certificate. It is created when the first of them connects.
 * @throws UsageError `ILLEGAL_OPTION` that names an option that cannot be read, is missing, or contradicts another one
 */
export function portTlsOf(options: BrokerTlsOptions | undefined, clock: Clock, logger: Logger): PortTls {
  if (options === undefined) return { allowsPlaintext: true, serverOptions: selfSigned(clock, logger) };
  const { allowPlaintext = false, cert, key, passphrase, clientCa } = options;
  if (typeof allowPlaintext !== 'boolean') throw wrong('allowPlaintext', 'must be true or false');
  if (allowPlaintext && clientCa !== undefined) {
    throw wrong('allowPlaintext', 'cannot be combined with tls.clientCa: a client without TLS sends no certificate');
  }
  const serverOptions = rotating({ cert, key, clientCa }, logger, (pems) => serverTlsOf({ ...pems, passphrase }));
  return { allowsPlaintext: allowPlaintext, serverOptions };
}

function selfSigned(clock: Clock, logger: Logger): () => TlsOptions {
  let options: TlsOptions | undefined;
  return () => {
    if (options === undefined) {
      options = { ...selfSignedCertificate(clock.nowMs()), ALPNProtocols: ['h2'] };
      logger.info(
        'TLS uses a self-signed certificate, which clients cannot verify; set the option tls to use another one',
      );
    }
    return options;
  };
}

/** PEM, as it was read. */
interface ServerPems {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly passphrase?: string | undefined;
  readonly clientCa?: string | undefined;
}

/** The options of a server with this certificate. @throws UsageError like {@link portTlsOf} */
export function serverTlsOf({ cert, key, passphrase, clientCa }: ServerPems): TlsOptions {
  if (clientCa !== undefined) certificatesIn('clientCa', clientCa);
  const identity = resolveIdentity({ cert, key, passphrase });
  if (identity === undefined) throw wrong('cert', 'is missing: TLS requires tls.cert and tls.key');
  const clients = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { ...identity, ...clients, ALPNProtocols: ['h2'] };
}

function wrong(field: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_OPTION', `option tls.${field} ${problem}`, `tls.${field}`);
}
