// A handler that blocks the event loop with a real Apache RocketMQ, which continues meanwhile. Runs with `npm run test:rocketmq` only.

import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { type NewGroup, RocketMQAdmin, type TopicType } from 'nestjs-rocketmq/admin';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { isBefore, REQUEST_MS, startLiteBackend } from '../contract/support/backend.js';
import { BLOCKED_LOOP_MS, blockThread, playBlockedLoop } from '../fixtures/blocked-loop.js';
import { withAdmin } from '../fixtures/real-server.js';
import { afterSuspension, playSuspension, SUSPENSION_MS } from '../fixtures/suspension.js';
import { testTransport, transport } from '../fixtures/transport.js';

describe('a handler that blocks the event loop', () => {
  it(
    'for longer than its lease does not ack silently: it is reported, and the message is redelivered; a longer lease lasts',
    async () => {
      const name = `blocked-${randomBytes(4).toString('hex')}`;
      const groups = { short: `${name}-short`, byDefault: `${name}-default` };
      await withAdmin(async (admin) => {
        await admin.createTopic({ topic: name, type: 'normal' });
        for (const consumerGroup of Object.values(groups)) await admin.createGroup({ consumerGroup });
      });
      expect(await playBlockedLoop(process.env.ROCKETMQ_TEST_ENDPOINTS ?? '', name, groups)).toEqual({
        short: ['delivery', 'unsettled ack', 'redelivery'],
        byDefault: ['delivery'],
      });
    },
    BLOCKED_LOOP_MS,
  );
});

// The deadlines of grpc-js are its own: its timers run first.
const byOurTimers = testTransport === 'grpc-js' ? it.skip : it;

describe('a send whose answer comes while the event loop is blocked', () => {
  byOurTimers('succeeds, although its time is over when it is read', async () => {
    const topic = `blocked-send-${randomBytes(4).toString('hex')}`;
    await withAdmin((admin) => admin.createTopic({ topic, type: 'normal' }));
    const connection = new Connection({ endpoints: process.env.ROCKETMQ_TEST_ENDPOINTS ?? '', transport });
    const producer = new Producer(connection, {});
    try {
      await producer.start();
      await producer.send({ topic, body: 'the first takes longest' });
      const sent = producer.send({ topic, body: 'answered in time' }, { timeoutMs: 2_000 });
      // It is written when this turn of the event loop ends.
      await nextTurn();
      blockThread(4_000);
      expect(await sent).toMatchObject({ messageId: expect.any(String) });
    } finally {
      await producer.close();
      connection.close();
    }
  });
});

describe('a process that is suspended', () => {
  it(
    'handles and returns nothing of what its polls brought meanwhile when the leases are over: others have handled it',
    async () => {
      const [ordinary, ordered, received, batched, lite] = ['a', 'b', 'c', 'd', 'e'].map(
        (name) => `suspended-${name}`,
      ) as [string, string, string, string, string];
      const hasLiteTopics = !isBefore('5.5.0');
      const names = { ordinary, ordered, received, batched, ...(hasLiteTopics ? { lite } : {}) };
      // Lite topics are off on the server of the other suites.
      const { endpoints, nameServer, stop } = await startLiteBackend();
      const admin = new RocketMQAdmin({ nameServer, timeoutMs: REQUEST_MS });
      try {
        const create = async (topic: string, type: TopicType, group: Partial<NewGroup>): Promise<void> => {
          await admin.createTopic({ topic, type });
          await admin.createGroup({ consumerGroup: topic, ...group });
        };
        for (const topic of [ordinary, received, batched]) await create(topic, 'normal', {});
        await create(ordered, 'fifo', { fifo: true });
        if (hasLiteTopics) await create(lite, 'lite', { lite: { topic: lite } });
        expect(await playSuspension(endpoints, names)).toEqual(afterSuspension(names));
      } finally {
        await admin.close();
        await stop();
      }
    },
    SUSPENSION_MS,
  );
});
