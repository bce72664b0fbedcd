import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../../test/fixtures/certificates.js';
import { type Logger, silentLogger } from './logger.js';
import { resolveTls, type TlsOptions } from './tls.js';

const authority = new CertificateAuthority();
const { cert, key } = authority.issue();
const other = authority.issue();
const encrypted = authority.encrypted(key, 'open sesame');

describe('TLS options', () => {
  afterAll(() => authority.remove());

  it('are none for undefined and false', () => {
    expect([resolveTls(undefined, silentLogger), resolveTls(false, silentLogger)]).toEqual([undefined, undefined]);
  });

  it('check certificates by default, and the name of the host', () => {
    expect(resolveTls(true, silentLogger)).toMatchObject({ serverName: undefined, acceptsAnyCertificate: false });
  });

  it.each<[string, TlsOptions]>([
    ['strings', { ca: authority.cert, cert, key }],
    ['buffers', { ca: Buffer.from(authority.cert), cert: Buffer.from(cert), key: Buffer.from(key) }],
    ['several authorities', { ca: `${authority.cert}\n${other.cert}` }],
    ['an encrypted key', { cert, key: encrypted, passphrase: 'open sesame' }],
  ])('accept %s', (_, options) => {
    expect(resolveTls(options, silentLogger)?.secureContext()).toBeDefined();
  });

  it.each<[string, string, object]>([
    ['tls.key', 'is missing', { cert }],
    ['tls.cert', 'is a function that has thrown: ENOENT', { cert: () => readFileSync('/no/such/file'), key }],
    ['tls.ca', "pass the file's content", { ca: () => '/etc/ssl/ca.pem' }],
    ['tls.ca', 'must be the content of a PEM file', { ca: async () => authority.cert }],
    ['tls.cert', 'is missing', { key }],
    ['tls.key', 'is not the private key of tls.cert', { cert, key: other.key }],
    ['tls.ca', "pass the file's content", { ca: '/etc/ssl/ca.pem' }],
    ['tls.ca', 'cannot be read', { ca: authority.cert.replace(/\n[^\n]{20}/, '\n') }],
    ['tls.ca', 'must be the content of a PEM file', { ca: 7 }],
    ['tls.cert', "pass the file's content", { cert: 'client.crt', key }],
    ['tls.key', "pass the file's content", { cert, key: 'client.key' }],
    ['tls.key', 'cannot be read', { cert, key: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n' }],
    ['tls.passphrase', 'is missing', { cert, key: encrypted }],
    ['tls.key', 'is tls.passphrase correct?', { cert, key: encrypted, passphrase: 'wrong words' }],
    ['tls.passphrase', 'must be a string', { cert, key, passphrase: 1 }],
    ['tls.serverName', 'must be a non-empty string', { serverName: '' }],
    ['tls.dangerouslyAcceptAnyCertificate', 'contradicts tls.ca', { ca: cert, dangerouslyAcceptAnyCertificate: true }],
    ['tls.dangerouslyAcceptAnyCertificate', 'must be true or false', { dangerouslyAcceptAnyCertificate: 'no' }],
    ['tls.rejectUnauthorized', 'is unknown', { rejectUnauthorized: false }],
  ])('are rejected by name: %s %s', (field, problem, options) => {
    const resolve = (): unknown => resolveTls(options as TlsOptions, silentLogger);
    expect(resolve).toThrow(expect.objectContaining({ code: 'ILLEGAL_OPTION', field, outcome: 'not-sent' }));
    expect(resolve).toThrow(`option ${field}`);
    expect(resolve).toThrow(problem);
    expect(resolve).not.toThrow(/wrong words|AAAA/);
  });

  it('must be an object or a boolean', () => {
    expect(() => resolveTls('yes' as unknown as boolean, silentLogger)).toThrow(
      'option tls must be true, false or an object',
    );
  });

  describe('with functions', () => {
    const lines: string[] = [];
    const line = (level: string) => (text: string, fields?: object) => {
      lines.push([level, text, ...Object.values(fields ?? {})].join(' '));
    };
    const logger: Logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };

    it('are read for each connection, and logged when they have changed', () => {
      let identity = { cert, key };
      const tls = resolveTls({ cert: () => identity.cert, key: () => identity.key }, logger);
      const first = tls?.secureContext();
      expect(tls?.secureContext()).toBe(first);
      expect(lines).toEqual([]);
      identity = other;
      const second = tls?.secureContext();
      expect(second).not.toBe(first);
      expect(tls?.secureContext()).toBe(second);
      expect(lines.splice(0)).toEqual([expect.stringMatching(/^info the TLS certificates have changed/)]);
    });

    it('stay the previous ones while they cannot be read or do not fit; that is logged once', () => {
      let read = (): string => cert;
      let readKey = (): string => key;
      const tls = resolveTls({ cert: () => read(), key: () => readKey() }, logger);
      const first = tls?.secureContext();
      const unreadable = (): never => {
        throw new Error('EACCES');
      };
      for (const source of [unreadable, () => 'half a fi', () => other.cert]) {
        read = source;
        expect(tls?.secureContext()).toBe(first);
      }
      expect(lines.splice(0)).toEqual([
        expect.stringMatching(/^warn the TLS certificates cannot be read again.*EACCES/),
      ]);
      readKey = () => other.key;
      expect(tls?.secureContext()).not.toBe(first);
      read = unreadable;
      tls?.secureContext();
      expect(lines.splice(0).map((text) => text.split(' ')[0])).toEqual(['info', 'warn']);
    });
  });
});
