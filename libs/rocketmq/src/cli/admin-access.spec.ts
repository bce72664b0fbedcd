import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { TransportError } from '../support/errors.js';
import { adminOptionsOf, commandOn, withAdmin } from './admin-access.js';
import type { CommandIo } from './command.js';

const values = { nameServer: 'ns:9876', timeout: 500 };

describe('the access of a command to a cluster', () => {
  it('uses neither TLS nor credentials by default', async () => {
    expect(await adminOptionsOf(values, {})).toEqual({ nameServer: 'ns:9876', timeoutMs: 500 });
  });

  it('takes credentials from the environment', async () => {
    const environment = { ROCKETMQ_ACCESS_KEY: 'admin', ROCKETMQ_SECRET_KEY: 'secret' };
    const { credentials } = await adminOptionsOf(values, environment);
    expect(credentials).toEqual({ accessKey: 'admin', secretKey: 'secret' });
    await expect(adminOptionsOf(values, { ROCKETMQ_SECRET_KEY: 'secret' })).rejects.toThrow('one of them is missing');
  });

  it('takes credentials from a file, and never quotes the file in an error', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keys-'));
    const credentials = join(folder, 'keys.json');
    await writeFile(credentials, '{"accessKey": "a", "secretKey": "s"}');
    expect((await adminOptionsOf({ ...values, credentials }, {})).credentials).toEqual({
      accessKey: 'a',
      secretKey: 's',
    });
    await writeFile(credentials, 'secretKey=hidden');
    const rejected = adminOptionsOf({ ...values, credentials }, {});
    await expect(rejected).rejects.toThrow('must be JSON: {"accessKey"');
    await expect(rejected).rejects.not.toThrow('hidden');
    await rm(folder, { recursive: true });
  });

  it('uses TLS with the CA certificates of a file or of the system', async () => {
    expect(await adminOptionsOf({ ...values, tls: true }, {})).toMatchObject({ tls: true });
    expect(await adminOptionsOf({ ...values, tlsCa: 'package.json' }, {})).toMatchObject({
      tls: { ca: expect.any(Buffer) },
    });
    await expect(adminOptionsOf({ ...values, tlsCa: 'no/such.pem' }, {})).rejects.toThrow('--tls-ca: cannot read');
  });

  it('is part of the commands that it prints, quoted for a shell', () => {
    const given = {
      tlsCa: 'my ca.pem',
      tlsCert: 'c.pem',
      tlsKey: 'k.pem',
      tlsServerName: 'mq',
      credentials: 'keys.json',
    };
    const access = { nameServer: 'ns1:9876;ns2:9876', cluster: 'main', tls: true, tlsAnyCertificate: true, ...given };
    expect(commandOn(access, 'group', 'list')).toBe(
      "npx nestjs-rocketmq group list --name-server 'ns1:9876;ns2:9876' --cluster main --tls --tls-ca 'my ca.pem' --tls-cert c.pem --tls-key k.pem --tls-server-name mq --tls-any-certificate --credentials keys.json",
    );
  });

  it.each([
    ['127.0.0.1:9876', 'nobody there; if the name server has another address, add --name-server HOST:PORT'],
    ['ns:9876', 'nobody there'],
  ])('says how to name a name server where none was named and nobody listens: %s', async (nameServer, text) => {
    const nobody = (): Promise<never> =>
      Promise.reject(new TransportError('UNAVAILABLE', 'nobody there', 'not-sent', true));
    const error = await withAdmin({ nameServer, timeout: 500 }, { env: {} } as CommandIo, nobody).catch((one) => one);
    expect(error).toMatchObject({ message: `[UNAVAILABLE] ${text}`, outcome: 'not-sent', retryable: true });
  });
});
