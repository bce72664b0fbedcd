import { describe, expect, it } from '@jest/globals';
import { adminOptionsOf } from './admin-access.js';

const values = { 'name-server': 'ns:9876', tls: false };

describe('the access of a command to a cluster', () => {
  it('is plain and unsigned unless told otherwise', async () => {
    expect(await adminOptionsOf(values, {})).toEqual({ nameServer: 'ns:9876', tls: false, credentials: undefined });
  });

  it('has its keys from the environment', async () => {
    const environment = { ROCKETMQ_ACCESS_KEY: 'admin', ROCKETMQ_SECRET_KEY: 'secret' };
    const { credentials } = await adminOptionsOf(values, environment);
    expect(credentials).toEqual({ accessKey: 'admin', secretKey: 'secret' });
    await expect(adminOptionsOf(values, { ROCKETMQ_SECRET_KEY: 'secret' })).rejects.toThrow('one of them is missing');
  });

  it('is over TLS, with the authority of a file or those of the machine', async () => {
    expect(await adminOptionsOf({ ...values, tls: true }, {})).toMatchObject({ tls: true });
    expect(await adminOptionsOf({ ...values, 'tls-ca': 'package.json' }, {})).toMatchObject({
      tls: { ca: expect.any(Buffer) },
    });
    await expect(adminOptionsOf({ ...values, 'tls-ca': 'no/such.pem' }, {})).rejects.toThrow('--tls-ca: cannot read');
  });
});
