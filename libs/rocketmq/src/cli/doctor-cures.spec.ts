// The commands that the doctor prints, pasted into a shell as they are.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Called, call } from '../../../../test/fixtures/command-line.js';
import { startScriptedServer } from '../../../../test/fixtures/scripted-remoting-server.js';
import { Connection, Producer, SimpleConsumer } from '../entries/client.js';
import { TestBroker } from '../entries/testing.js';
import type { Check } from './doctor/check.js';

const USER = { accessKey: 'app', secretKey: 'its secret' };
let broker: TestBroker;
let folder: string;
let keys: string;

beforeEach(async () => {
  broker = await TestBroker.start({ nameServerPort: 0, strict: true, users: [{ ...USER, isSuper: true }] });
  folder = mkdtempSync(join(tmpdir(), 'the doctor '));
  keys = join(folder, 'keys.json');
  writeFileSync(keys, JSON.stringify(USER));
});

afterEach(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true });
});

async function checksOf(...options: readonly string[]): Promise<readonly Check[]> {
  const { out } = await call(['doctor', broker.endpoints, '--admin', broker.nameServerEndpoint, '--json', ...options]);
  return (JSON.parse(out) as { checks: Check[] }).checks;
}

const adviceOn = (checks: readonly Check[], name: string): string =>
  checks.find((one) => one.name === name)?.advice ?? '';

/** Runs a printed command with the words that a shell reads in it. */
function pasted(command: string): Promise<Called> {
  const read = execFileSync('sh', ['-c', `set -- ${command}; printf '%s\\0' "$@"`], { encoding: 'utf8' });
  const [npx, program, ...args] = read.split('\0').slice(0, -1);
  expect([npx, program]).toEqual(['npx', 'nestjs-rocketmq']);
  return call(args);
}

describe('the commands that the doctor prints', () => {
  it('create the topic and the group, with the access of the call and with names that a shell would interpret', async () => {
    const access = ['--credentials', keys, '--cluster', 'DefaultCluster'];
    const missing = await checksOf('--topic', 'a|reboot', '--group', 'g|id', ...access);
    for (const name of ['topic', 'group']) {
      const { code, err } = await pasted(adviceOn(missing, name));
      expect({ code, err }).toEqual({ code: 0, err: '' });
    }
    const found = await checksOf('--topic', 'a|reboot', '--group', 'g|id', ...access);
    expect(found.filter(({ status }) => status === 'failed')).toEqual([]);
  });

  it('read the dead letters of a group whose name the server reported', async () => {
    broker.declareTopic({ name: 'orders', type: 'normal' });
    broker.declareGroup({ name: 'g|id', maxDeliveryAttempts: 1 });
    const connection = new Connection({ endpoints: broker.endpoints, credentials: USER });
    const producer = new Producer(connection);
    await producer.start();
    await producer.send({ topic: 'orders', body: 'one' });
    await producer.close();
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'g|id', subscriptions: [{ topic: 'orders' }] });
    await consumer.start();
    const [received] = await consumer.receive({ longPollingTimeoutMs: 5_000 });
    if (received !== undefined) await consumer.forwardToDeadLetterQueue(received);
    await consumer.close();
    connection.close();
    const advice = adviceOn(await checksOf('--credentials', keys), 'dead letters');
    const [, list, replay] = /^(npx .*), then preview: (npx .*); the same with --yes replays them$/.exec(advice) ?? [];
    expect((await pasted(list ?? '')).out).toContain('1 of 1 dead letter');
    expect((await pasted(replay ?? '')).out).toContain('nothing was sent; add --yes to replay them');
    expect((await pasted(`${replay} --yes`)).out).toContain('1 dead letter replayed');
  });
});

describe('the advice about a name server', () => {
  it('is about credentials when it denies access, and not about its address', async () => {
    const denied = (await checksOf()).find(({ name }) => name === 'name server');
    expect(denied).toMatchObject({ status: 'failed', advice: 'use the credentials of an administrator (super user)' });
  });

  it('is about the cluster when the name server knows several', async () => {
    const brokers = ['east', 'west'].map(
      (name) => `"${name}":{"brokerAddrs":{0:"a:1"},"brokerName":"${name}","cluster":"${name}"}`,
    );
    const server = await startScriptedServer(() => ({ body: `{"brokerAddrTable":{${brokers.join(',')}}}` }));
    const ambiguous = await checksOf('--admin', server.address);
    await server.close();
    expect(adviceOn(ambiguous, 'name server')).toBe('choose the cluster with --cluster');
  });
});
