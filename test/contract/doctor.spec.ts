// The doctor on both servers: it finds the problems that a client would have, and changes nothing.

import { describe, expect } from '@jest/globals';
import type { Check } from '../../libs/rocketmq/src/cli/doctor/check.js';
import { call } from '../fixtures/command-line.js';
import { REQUEST_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { buried } from './support/dead-letters.js';
import type { World } from './support/world.js';

const contract = contractSuite();

async function doctor(world: World, ...args: string[]) {
  const { proxy, nameServer } = world.backend;
  const reach = ['--admin', nameServer, '--timeout', `${REQUEST_MS}`];
  const { code, out, err } = await call(['doctor', proxy, ...reach, '--json', ...args]);
  expect(err).toBe('');
  const { checks } = JSON.parse(out) as { checks: readonly Check[] };
  const of = (name: string) => checks.filter((one) => one.name === name).map(({ status, seen }) => ({ status, seen }));
  return { code, of };
}

const seen = (part: string) => expect.stringContaining(part);

describe('the doctor', () => {
  contract('finds a server in order', async (world) => {
    const topic = await world.topic('fifo');
    const group = await world.group({ fifo: true, maxDeliveryAttempts: 5 });
    const { code, of } = await doctor(world, '--topic', topic, '--group', group);
    expect({ code, failed: of('broker') }).toEqual({ code: 0, failed: [] });
    expect(of('protocol')).toEqual([{ status: 'ok', seen: seen('answers in') }]);
    expect(of('credentials')).toEqual([{ status: 'ok', seen: 'none given, and none required' }]);
    expect(of('topic')).toEqual([{ status: 'ok', seen: seen('type fifo; 8 queues') }]);
    expect(of('address')).toEqual([{ status: 'ok', seen: seen('a proxy answers there') }]);
    expect(of('group')).toEqual([{ status: 'ok', seen: seen('ordered, 5 attempts') }]);
    expect(of('permission')).toEqual([{ status: 'ok', seen: seen('may receive') }]);
    expect(of('dead letters')).toEqual([{ status: 'ok', seen: 'none' }]);
    expect(of('version')).toHaveLength(1);
  });

  contract('creates neither topic nor group, and moves no group', async (world) => {
    const topic = await world.topic();
    const group = await world.group();
    const admin = world.admin();
    const all = async () => ({
      topics: (await admin.listTopics({ includeSystem: true })).topics.map((one) => one.topic),
      groups: (await admin.listGroups({ includeSystem: true })).groups.map((one) => one.consumerGroup),
    });
    // Other suites may use the same server, so only the names of this suite count.
    const own = ({ topics, groups }: Awaited<ReturnType<typeof all>>) =>
      [...topics, ...groups].filter((name) => name.includes(topic.slice(0, -2)));
    const before = own(await all());
    const [noTopic, noGroup] = [world.name(), world.name()];
    const args = ['--topic', topic, '--topic', noTopic, '--group', group, '--group', noGroup];
    const { code, of } = await doctor(world, ...args);
    expect(code).toBe(1);
    expect(of('topic')).toContainEqual({ status: 'failed', seen: seen('does not exist') });
    expect(of('group')).toContainEqual({ status: 'failed', seen: seen('does not exist') });
    expect(own(await all())).toEqual(before);
    expect(await admin.topicOffsets(topic)).toMatchObject({ total: 0 });
    expect(await admin.groupClients(group)).toMatchObject({ clients: [] });
  });

  contract('sends when it is asked to', async (world) => {
    const normal = await world.topic();
    const transactional = await world.topic('transaction');
    const { code, of } = await doctor(world, '--topic', normal, '--topic', transactional, '--send');
    expect(code).toBe(0);
    expect(of('send')).toEqual([
      { status: 'ok', seen: seen('was stored in') },
      { status: 'ok', seen: seen('rolled back') },
    ]);
    expect(await world.admin().topicOffsets(normal)).toMatchObject({ total: 1 });
  });

  contract('reports dead letters', async (world) => {
    const topic = await world.topic();
    const group = await world.group({ maxDeliveryAttempts: 1 });
    await buried(world, group, [{ topic, body: 'poison' }]);
    const { code, of } = await doctor(world, '--topic', topic, '--group', group);
    expect(code).toBe(0);
    expect(of('dead letters')).toEqual([{ status: 'warning', seen: '1 dead letter' }]);
  });
});
