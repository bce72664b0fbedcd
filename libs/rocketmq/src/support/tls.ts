// TLS options, validated and resolved into the form that Node's tls, http2 and grpc-js all accept; certificates that are rotated.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { UsageError } from './errors.js';
import { describeError, type Logger, unfailing } from './logger.js';
import { nameText } from './options.js';

/** The content of a PEM file: certificates or a key, never a path. */
export type Pem = string | Buffer;

/**
 * PEM, or a function that returns it, such as `() => readFileSync(path)`. The function is called once at the beginning and again for each
 * new connection, so that certificates can be rotated without a restart; connections that are open keep the ones they have. If it throws
 * later, or returns what cannot be used, the previous certificates stay in use, and a warning is logged once.
 */
export type PemSource = Pem | (() => Pem);

/** How a client uses TLS. All certificates and keys are PEM, or functions that return PEM and are called for each new connection. */
export interface TlsOptions {
  /** One or more CA certificates to verify the server's certificate with. Default: the CA certificates that Node.js trusts. */
  readonly ca?: PemSource;
  /** The client's certificate (mutual TLS), followed by its intermediate certificates; requires `key`. Default: none. */
  readonly cert?: PemSource;
  /** The private key of `cert`. Default: none. */
  readonly key?: PemSource;
  /** The passphrase of an encrypted `key`. Default: none. */
  readonly passphrase?: string;
  /**
   * The name that the server's certificate must contain, and that the client sends as SNI, whatever address it connects to.
   * Default: the host of each address.
   */
  readonly serverName?: string;
  /**
   * Accepts every certificate, so that anyone on the network path can read and alter the traffic, except secret keys, which are never
   * sent. For experiments with a server that uses a self-signed certificate, as Apache RocketMQ does by default. Default false.
   */
  readonly dangerouslyAcceptAnyCertificate?: boolean;
}

/** Validated TLS options. */
export interface ResolvedTls {
  /** For the next connection. */
  secureContext(): SecureContext;
  readonly serverName: string | undefined;
  readonly acceptsAnyCertificate: boolean;
  /** Whether the client presents a certificate. */
  readonly hasIdentity: boolean;
}

const FIELDS = ['ca', 'cert', 'key', 'passphrase', 'serverName', 'dangerouslyAcceptAnyCertificate'] as const;

/**
 * Validates the options. No error message contains a key.
 * @returns undefined for no TLS
 * @throws UsageError `ILLEGAL_OPTION` that names the option
 */
export function resolveTls(options: boolean | TlsOptions | undefined, logger: Logger): ResolvedTls | undefined {
  if (options === undefined || options === false) return undefined;
  const { ca, cert, key, passphrase, serverName, dangerouslyAcceptAnyCertificate } = known(options);
  if (serverName !== undefined) assertText('serverName', serverName);
  assertFlag('dangerouslyAcceptAnyCertificate', dangerouslyAcceptAnyCertificate);
  if (dangerouslyAcceptAnyCertificate === true && ca !== undefined) {
    throw wrong('dangerouslyAcceptAnyCertificate', 'contradicts tls.ca: set only one of them');
  }
  const secureContext = rotating({ ca, cert, key }, logger, (pems) => {
    if (pems.ca !== undefined) certificatesIn('ca', pems.ca);
    const identity = resolveIdentity({ ...pems, passphrase });
    return createSecureContext({ ca: pems.ca, ...identity });
  });
  return {
    secureContext,
    serverName,
    acceptsAnyCertificate: dangerouslyAcceptAnyCertificate === true,
    hasIdentity: cert !== undefined,
  };
}

/** PEM texts by their option. */
type Texts<Field extends string> = Readonly<Record<Field, string | undefined>>;

/**
 * What is made of certificates, for the next connection: made anew when a function among the sources returns other PEM than before. One
 * that cannot be used, such as a certificate whose new key is not written yet, changes nothing.
 * @throws UsageError of `make`, or one that names the option whose function has thrown
 */
export function rotating<Field extends string, Made>(
  sources: Readonly<Record<Field, PemSource | undefined>>,
  logger: Logger,
  make: (pems: Texts<Field>) => Made,
): () => Made {
  let pems = textsOf(sources);
  let made = make(pems);
  const fields = Object.keys(sources) as Field[];
  if (!fields.some((field) => typeof sources[field] === 'function')) return () => made;
  const log = unfailing(logger);
  let isBehind = false;
  return () => {
    try {
      const read = textsOf(sources);
      if (fields.some((field) => read[field] !== pems[field])) {
        made = make(read);
        pems = read;
        log.info('the TLS certificates have changed; new connections use the new ones');
      }
      isBehind = false;
    } catch (error) {
      const text = 'the TLS certificates cannot be read again; new connections use the previous ones';
      if (!isBehind) log.warn(text, { error: describeError(error) });
      isBehind = true;
    }
    return made;
  };
}

function textsOf<Field extends string>(sources: Readonly<Record<Field, PemSource | undefined>>): Texts<Field> {
  const texts: Record<string, string> = {};
  for (const [field, source] of Object.entries(sources) as [Field, PemSource | undefined][]) {
    if (source !== undefined)
      texts[field] = textOf(typeof source === 'function' ? called(field, source) : source, field);
  }
  return texts as Texts<Field>;
}

function called(field: string, source: () => Pem): Pem {
  try {
    return source();
  } catch (cause) {
    throw wrong(field, `is a function that has thrown: ${(cause as Error)?.message ?? cause}`, { cause });
  }
}

/**
 * A certificate and its key, validated: both can be parsed, and the key belongs to the certificate.
 * @returns undefined when neither is given
 * @throws UsageError `ILLEGAL_OPTION` that names the option
 */
export function resolveIdentity(given: {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly passphrase: string | undefined;
}): { readonly cert: string; readonly key: string; readonly passphrase: string | undefined } | undefined {
  const { cert, key, passphrase } = given;
  if (passphrase !== undefined && typeof passphrase !== 'string') throw wrong('passphrase', 'must be a string');
  if (cert === undefined && key === undefined) return undefined;
  if (key === undefined) throw wrong('key', 'is missing: tls.cert requires its private key');
  if (cert === undefined) throw wrong('cert', 'is missing: tls.key requires its certificate');
  const [own] = certificatesIn('cert', cert);
  if (own?.checkPrivateKey(keyIn(key, passphrase)) !== true) throw wrong('key', 'is not the private key of tls.cert');
  return { cert, key, passphrase };
}

/** The certificates in a PEM file, at least one. @throws UsageError that names the option */
export function certificatesIn(field: string, pem: string): X509Certificate[] {
  const blocks = pem
    .split(CERTIFICATE_BEGIN)
    .slice(1)
    .map((rest) => CERTIFICATE_BEGIN + rest);
  if (blocks.length === 0) throw wrong(field, `contains no PEM certificate; ${NOT_A_PATH}`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      const which = blocks.length === 1 ? 'is a certificate' : `contains a certificate (number ${index + 1})`;
      throw wrong(field, `${which} that cannot be read: ${(error as Error).message}`);
    }
  });
}

const CERTIFICATE_BEGIN = '-----BEGIN CERTIFICATE-----';
const NOT_A_PATH = "pass the file's content (readFileSync), not its path";

function keyIn(key: string, passphrase: string | undefined): KeyObject {
  if (!key.includes('-----BEGIN ')) throw wrong('key', `contains no PEM key; ${NOT_A_PATH}`);
  if (passphrase === undefined && key.includes('ENCRYPTED')) {
    throw wrong('passphrase', 'is missing: tls.key is encrypted');
  }
  try {
    return createPrivateKey({ key, passphrase });
  } catch (error) {
    // The message comes from OpenSSL and contains nothing of the key.
    const perhaps = passphrase === undefined ? '' : '; is tls.passphrase correct?';
    throw wrong('key', `cannot be read: ${(error as Error).message}${perhaps}`);
  }
}

function known(options: true | TlsOptions): TlsOptions {
  if (options === true) return {};
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new UsageError('ILLEGAL_OPTION', 'option tls must be true, false or an object', 'tls');
  }
  const unknown = Object.keys(options).find((name) => !FIELDS.some((field) => field === name));
  if (unknown !== undefined) throw wrong(nameText(unknown), `is unknown; the options are ${FIELDS.join(', ')}`);
  return options;
}

function textOf(pem: unknown, field: string): string {
  if (typeof pem === 'string') return pem;
  if (Buffer.isBuffer(pem)) return pem.toString('utf8');
  throw wrong(field, 'must be the content of a PEM file, as a string or a Buffer, or a function that returns it');
}

function assertText(field: string, value: unknown): void {
  if (typeof value !== 'string' || value.trim() === '') throw wrong(field, 'must be a non-empty string');
}

function assertFlag(field: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw wrong(field, 'must be true or false');
}

function wrong(field: string, problem: string, options?: ErrorOptions): UsageError {
  return new UsageError('ILLEGAL_OPTION', `option tls.${field} ${problem}`, `tls.${field}`, options);
}
