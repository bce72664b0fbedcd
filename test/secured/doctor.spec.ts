// The command line with a server that requires TLS and signatures.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect } from '@jest/globals';
import type { BrokerPermission } from 'nestjs-rocketmq/broker';
import type { Check } from '../../libs/rocketmq/src/cli/doctor/check.js';
import { isBefore } from '../contract/support/backend.js';
import { contractSuite } from '../contract/support/contract.js';
import type { World } from '../contract/support/world.js';
import { call } from '../fixtures/command-line.js';
import { type SecuredBackend, startSecured } from './support/secured-backend.js';

const contract = contractSuite(startSecured);
const folder = mkdtempSync(join(tmpdir(), 'doctor-'));

afterAll(() => rmSync(folder, { recursive: true }));

interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
}

function run(world: World, keys: Keys | undefined, ...args: string[]) {
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, (world.backend as SecuredBackend).ca);
  const env = keys && { ROCKETMQ_ACCESS_KEY: keys.accessKey, ROCKETMQ_SECRET_KEY: keys.secretKey };
  return call([...args, '--json', '--tls-ca', ca], env);
}

async function doctor(world: World, keys: Keys | undefined, ...args: string[]) {
  const { code, out } = await run(world, keys, 'doctor', `https://${world.backend.proxy}`, ...args);
  if (keys !== undefined) expect(out).not.toContain(keys.secretKey);
  const { checks } = JSON.parse(out) as { checks: readonly Check[] };
  const of = (name: string) => checks.filter((one) => one.name === name).map(({ status, seen }) => ({ status, seen }));
  return { code, checks, of };
}

async function user(world: World, ...permissions: BrokerPermission[]): Promise<Keys> {
  const keys = { accessKey: world.name(), secretKey: 'its-own-secret' };
  await (world.backend as SecuredBackend).declareUser({ ...keys, permissions });
  return keys;
}

const seen = (part: string) => expect.stringContaining(part);
const administrator = (world: World): Keys => (world.backend as SecuredBackend).administrator;

describe('the doctor on a secured server', () => {
  contract('is let in with the right keys and the right authority', async (world) => {
    const topic = await world.topic();
    const group = await world.group();
    const args = ['--admin', world.backend.nameServer, '--topic', topic, '--group', group, '--send'];
    const { code, of } = await doctor(world, administrator(world), ...args);
    expect(of('tls')).toEqual([{ status: expect.stringMatching(/ok|warning/), seen: seen('is valid until') }]);
    expect(of('credentials')).toEqual([
      { status: 'ok', seen: 'accepted; the server rejects clients without credentials' },
    ]);
    const version = isBefore('5.4.0') ? 'warning' : 'ok';
    const expected = { topic: 'ok', address: 'ok', group: 'ok', permission: 'ok', send: 'ok', version, clock: 'ok' };
    for (const [name, status] of Object.entries(expected))
      expect({ name, checks: of(name) }).toEqual({ name, checks: [expect.objectContaining({ status })] });
    expect(code).toBe(0);
  });

  contract('says why it is not let in', async (world) => {
    const wrong = await doctor(world, { ...administrator(world), secretKey: 'not-the-secret' });
    expect(wrong.code).toBe(1);
    expect(wrong.of('credentials')).toEqual([{ status: 'failed', seen: seen('the secret key does not match') }]);
    const unknown = await doctor(world, { accessKey: 'nobody', secretKey: 'x-and-y' });
    expect(unknown.of('credentials')).toEqual([
      { status: 'failed', seen: seen('does not know the access key "nobody"') },
    ]);
    const none = await doctor(world, undefined);
    expect(none.of('credentials')).toEqual([
      { status: 'failed', seen: seen('the server requires credentials and none were sent') },
    ]);
  });

  contract('says which permission is missing to ask brokers', async (world) => {
    const topic = await world.topic();
    const group = await world.group();
    const keys = await user(world, { resource: `Topic:${topic}`, actions: ['Pub', 'Sub'] });
    const args = ['--admin', world.backend.nameServer, '--topic', topic, '--group', group];
    const { code, checks, of } = await doctor(world, keys, ...args);
    expect(code).toBe(1);
    expect(of('credentials')).toEqual([
      { status: 'ok', seen: 'accepted; the server rejects clients without credentials' },
    ]);
    // Servers differ in which requests they deny to users who are not administrators; each denial is reported.
    const rejected = checks.filter(({ status }) => status === 'failed').map(({ seen: said }) => said);
    expect(rejected).toContainEqual(seen('a permission is missing'));
  });
});

describe('the commands on a secured server', () => {
  contract('succeed for an administrator, and report to others what is missing', async (world) => {
    const topic = await world.topic();
    const access = ['--name-server', world.backend.nameServer];
    const shown = await run(world, administrator(world), 'topic', 'show', topic, ...access);
    expect(shown).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(shown.out)).toMatchObject({ topic, type: 'normal' });
    const keys = await user(world);
    const rejected = await run(world, keys, 'topic', 'create', world.name(), ...access);
    expect(rejected).toMatchObject({ code: 1, out: '' });
    expect(JSON.parse(rejected.err)).toMatchObject({ error: { code: 'NO_PERMISSION', outcome: 'rejected' } });
  });
});
