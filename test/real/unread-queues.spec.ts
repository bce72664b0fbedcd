// A topic with more queues to write than to read, as `mqadmin updateTopic -r 2 -w 4` leaves it: brokers store what nobody can read.
// The topics of an embedded broker have as many queues to read as to write.

import { describe, expect } from '@jest/globals';
import { REQUEST_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import { contractSuite } from '../contract/support/contract.js';
import { rawRequest } from '../contract/support/raw-store.js';
import type { World } from '../contract/support/world.js';
import { call } from '../fixtures/command-line.js';

const contract = contractSuite();
const [READ, WRITTEN] = [2, 4];

/** A topic with one message in each queue that is written. */
async function unevenTopic(world: World): Promise<string> {
  const topic = await world.topic();
  const numbers = { readQueueNums: String(READ), writeQueueNums: String(WRITTEN) };
  const rest = { perm: '6', topicFilterType: 'SINGLE_TAG', topicSysFlag: '0', order: 'false', attributes: '' };
  const fields = { topic, defaultTopic: 'TBW102', ...numbers, ...rest };
  await rawRequest(world, topic, { code: REQUEST_CODES.updateAndCreateTopic, fields });
  const producer = await world.producer();
  const seen = new Set<number>();
  await world.until('each queue has a message', async () => {
    await producer.send({ topic, body: 'x' });
    const { queues } = await world.admin().topicOffsets(topic);
    for (const { queueId, maxOffset } of queues) if (maxOffset > 0) seen.add(queueId);
    return seen.size === WRITTEN;
  });
  return topic;
}

describe('queues that are written and not read', () => {
  contract('count as lag of the groups of their topic', async (world) => {
    const topic = await unevenTopic(world);
    const consumerGroup = await world.group();
    const { deliveries } = await world.record({ topic, consumerGroup });
    const admin = world.admin();
    const { queues } = await admin.topicOffsets(topic);
    const waiting = queues.filter(({ queueId }) => queueId >= READ).reduce((sum, { maxOffset }) => sum + maxOffset, 0);
    const readable = queues.filter(({ queueId }) => queueId < READ).reduce((sum, { maxOffset }) => sum + maxOffset, 0);
    await world.until('what can be read is received', () => deliveries.length === readable);
    await world.until('the rest is the lag', async () => (await admin.groupLag(consumerGroup)).lag === waiting);
  });

  contract('are named where messages are browsed, and the others are returned', async (world) => {
    const topic = await unevenTopic(world);
    const admin = world.admin();
    for (const order of ['oldest-first', 'newest-first'] as const) {
      const { messages, failures, next } = await admin.browseMessages(topic, { order, limit: 100 });
      expect([...new Set(messages.map(({ queueId }) => queueId))].sort()).toEqual([0, 1]);
      expect(next).toBeUndefined();
      expect(failures).toMatchObject([{ error: { code: 'QUEUE_UNREADABLE' } }]);
    }
    const queue = { broker: (await admin.topicOffsets(topic)).queues[0]?.broker ?? '', queueId: READ };
    await expect(admin.browseMessages(topic, { queue })).rejects.toMatchObject({ code: 'QUEUE_UNREADABLE' });
  });

  contract('are reported by the doctor, with the command that makes them readable', async (world) => {
    const topic = await unevenTopic(world);
    const { endpoints, nameServer } = world.backend;
    const line = ['doctor', endpoints, '--admin', nameServer, '--topic', topic, '--json'];
    const { out } = await call(line);
    const { checks } = JSON.parse(out) as { checks: { name: string; status: string; advice?: string }[] };
    const found = checks.find(({ name }) => name === 'topic');
    expect(found).toMatchObject({ status: 'warning' });
    expect(found?.advice).toContain(`topic create ${topic} --queues ${WRITTEN} --yes`);
    const command = ['topic', 'create', topic, '--queues', String(WRITTEN), '--yes', '--name-server', nameServer];
    expect(await call(command)).toMatchObject({ code: 0 });
    const { failures } = await world.admin().browseMessages(topic);
    expect(failures).toEqual([]);
  });
});
