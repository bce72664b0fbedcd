// TLS options, checked and resolved into what Node's tls, http2 and grpc-js all take. Who connects where is not known here.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { UsageError } from './errors.js';

/** The text of a PEM file: certificates or a key, never a path. */
export type Pem = string | Buffer;

/** How a client speaks TLS. All certificates and keys are PEM. */
export interface TlsOptions {
  /** Who may sign the server's certificate, one certificate or more. Default: the authorities that Node.js trusts. */
  readonly ca?: Pem;
  /** The client's own certificate (mutual TLS), with those between it and its authority; needs `key`. Default: none. */
  readonly cert?: Pem;
  /** The private key of `cert`. Default: none. */
  readonly key?: Pem;
  /** Opens an encrypted `key`. Default: none. */
  readonly passphrase?: string;
  /**
   * The name that the server's certificate must hold, and that the server is asked for (SNI), whatever address is connected to.
   * Default: the host of each address.
   */
  readonly serverName?: string;
  /**
   * Accepts every certificate, so that anyone in between can read and alter all, secrets aside: keys never travel. For a try on
   * a server with a made-up certificate, as Apache RocketMQ has by default. Default false.
   */
  readonly dangerouslyAcceptAnyCertificate?: boolean;
}

/** Checked TLS options. */
export interface ResolvedTls {
  readonly secureContext: SecureContext;
  readonly serverName: string | undefined;
  readonly acceptsAnyCertificate: boolean;
  /** Whether the client shows a certificate of its own. */
  readonly hasIdentity: boolean;
}

const FIELDS = ['ca', 'cert', 'key', 'passphrase', 'serverName', 'dangerouslyAcceptAnyCertificate'] as const;

/**
 * Checks the options. No message holds a key.
 * @returns undefined for no TLS
 * @throws UsageError `ILLEGAL_OPTION` that names the option
 */
export function resolveTls(options: boolean | TlsOptions | undefined): ResolvedTls | undefined {
  if (options === undefined || options === false) return undefined;
  const { ca, cert, key, passphrase, serverName, dangerouslyAcceptAnyCertificate } = known(options);
  if (serverName !== undefined) assertText('serverName', serverName);
  assertFlag('dangerouslyAcceptAnyCertificate', dangerouslyAcceptAnyCertificate);
  if (dangerouslyAcceptAnyCertificate === true && ca !== undefined) {
    throw wrong('dangerouslyAcceptAnyCertificate', 'contradicts tls.ca: give one of them');
  }
  if (ca !== undefined) certificatesIn('ca', ca);
  const identity = resolveIdentity({ cert, key, passphrase });
  return {
    secureContext: createSecureContext({ ca: ca === undefined ? undefined : textOf(ca), ...identity }),
    serverName,
    acceptsAnyCertificate: dangerouslyAcceptAnyCertificate === true,
    hasIdentity: identity !== undefined,
  };
}

/**
 * A certificate and its key, checked: they parse, and belong together.
 * @returns undefined when neither is given
 * @throws UsageError `ILLEGAL_OPTION` that names the option
 */
export function resolveIdentity(
  given: Pick<TlsOptions, 'cert' | 'key' | 'passphrase'>,
): { readonly cert: string; readonly key: string; readonly passphrase: string | undefined } | undefined {
  const { cert, key, passphrase } = given;
  if (passphrase !== undefined && typeof passphrase !== 'string') throw wrong('passphrase', 'must be a text');
  if (cert === undefined && key === undefined) return undefined;
  if (key === undefined) throw wrong('key', 'is missing: tls.cert needs its private key');
  if (cert === undefined) throw wrong('cert', 'is missing: tls.key needs its certificate');
  const [own] = certificatesIn('cert', cert);
  if (own?.checkPrivateKey(keyIn(key, passphrase)) !== true) throw wrong('key', 'is not the private key of tls.cert');
  return { cert: textOf(cert), key: textOf(key), passphrase };
}

/** The certificates in a PEM text, at least one. @throws UsageError that names the option */
export function certificatesIn(field: string, pem: Pem): X509Certificate[] {
  const blocks = textOf(pem, field)
    .split(CERTIFICATE_BEGIN)
    .slice(1)
    .map((rest) => CERTIFICATE_BEGIN + rest);
  if (blocks.length === 0) throw wrong(field, `holds no PEM certificate; ${NOT_A_PATH}`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      const which = blocks.length === 1 ? 'is a certificate' : `holds a certificate (number ${index + 1})`;
      throw wrong(field, `${which} that cannot be read: ${(error as Error).message}`);
    }
  });
}

const CERTIFICATE_BEGIN = '-----BEGIN CERTIFICATE-----';
const NOT_A_PATH = "give the file's text (readFileSync), not its path";

function keyIn(pem: Pem, passphrase: string | undefined): KeyObject {
  const key = textOf(pem, 'key');
  if (!key.includes('-----BEGIN ')) throw wrong('key', `holds no PEM key; ${NOT_A_PATH}`);
  if (passphrase === undefined && key.includes('ENCRYPTED')) {
    throw wrong('passphrase', 'is missing: tls.key is encrypted');
  }
  try {
    return createPrivateKey({ key, passphrase });
  } catch (error) {
    // The text is OpenSSL's own and holds nothing of the key.
    const perhaps = passphrase === undefined ? '' : '; is tls.passphrase right?';
    throw wrong('key', `cannot be read: ${(error as Error).message}${perhaps}`);
  }
}

function known(options: true | TlsOptions): TlsOptions {
  if (options === true) return {};
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new UsageError('ILLEGAL_OPTION', 'option tls must be true, false or an object', 'tls');
  }
  const unknown = Object.keys(options).find((name) => !FIELDS.some((field) => field === name));
  if (unknown !== undefined) throw wrong(unknown, `is unknown; there are ${FIELDS.join(', ')}`);
  return options;
}

function textOf(pem: unknown, field = 'ca'): string {
  if (typeof pem === 'string') return pem;
  if (Buffer.isBuffer(pem)) return pem.toString('utf8');
  throw wrong(field, 'must be the text of a PEM file, or a Buffer of it');
}

function assertText(field: string, value: unknown): void {
  if (typeof value !== 'string' || value.trim() === '') throw wrong(field, 'must be a non-empty text');
}

function assertFlag(field: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw wrong(field, 'must be true or false');
}

function wrong(field: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_OPTION', `option tls.${field} ${problem}`, `tls.${field}`);
}
