// Creates certificates for tests with the installed `openssl`: a CA and the certificates that it signs.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, as PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** For instance `DNS:localhost` or `IP:127.0.0.1`. Default: both. */
  readonly names?: readonly string[];
  /** Whether it expired a day ago. */
  readonly isExpired?: boolean;
}

/** A name that no address has, so that clients need `tls.serverName`. */
export const OTHER_NAME = 'rocketmq.test';

/** A CA. */
export class CertificateAuthority {
  private readonly folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  private count = 0;
  readonly cert: string;

  constructor(name = 'authority of a test') {
    this.openssl(...newKey('ca.key'), '-x509', '-days', '2', '-subj', `/CN=${name}`, '-out', 'ca.crt');
    this.cert = this.read('ca.crt');
  }

  /** Creates a certificate signed by this CA, and its key. */
  issue({ names = ['DNS:localhost', 'IP:127.0.0.1'], isExpired = false }: CertificateRequest = {}): Identity {
    const name = `identity-${++this.count}`;
    writeFileSync(join(this.folder, `${name}.ext`), `subjectAltName=${names.join(',')}\n`);
    this.openssl(...newKey(`${name}.key`), '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    this.openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      isExpired ? '-1' : '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.crt`,
    );
    return { cert: this.read(`${name}.crt`), key: this.read(`${name}.key`) };
  }

  /** Encrypts the key with a passphrase. */
  encrypted(key: string, passphrase: string): string {
    const input = join(this.folder, 'plain.key');
    writeFileSync(input, key);
    this.openssl('pkey', '-in', 'plain.key', '-aes256', '-passout', `pass:${passphrase}`, '-out', 'encrypted.key');
    return this.read('encrypted.key');
  }

  /** Removes its files. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  private read(file: string): string {
    return readFileSync(join(this.folder, file), 'utf8');
  }
}

/** Elliptic curve keys are fast to generate. */
function newKey(file: string): string[] {
  return ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}
