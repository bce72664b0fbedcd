// A broker of 4.9.7 that loses the end of its log, as one may that does not flush each message and loses power. The test uses its own server.

import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, type MessageView, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { offsetInMessageId } from '../../libs/rocketmq/src/protocol/remoting/stored-message.js';
import { silentLogger } from '../../libs/rocketmq/src/support/logger.js';
import { startRocketMQ } from '../../tools/servers/rocketmq/server.js';
import { until } from '../../tools/until.js';
import { testTransport } from '../fixtures/transport.js';

const TEST_MS = 240_000;
const START = { timeoutMs: 30_000 };
/** Larger than what is written after a message in a test. */
const TAIL = Buffer.alloc(1024 * 1024);
const byNameServer = testTransport === 'remoting' ? it : it.skip;

/** The first file of the log is blank from here on, as if nothing behind had been written. */
function cutLog(runFolder: string, offset: number): void {
  const folder = join(runFolder, 'store', 'commitlog');
  const [first = ''] = readdirSync(folder).sort();
  const file = openSync(join(folder, first), 'r+');
  writeSync(file, TAIL, 0, TAIL.length, offset);
  closeSync(file);
}

describe('a broker of 4.9.7 that loses its last messages', () => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  byNameServer.each([
    ['in any order', false],
    ['in order', true],
  ])(
    'has those handled that it stored in their places, %s',
    async (_, requireFifo) => {
      const server = await startRocketMQ({ version: '4.9.7' });
      ends.push(() => server.stop());
      const admin = new RocketMQAdmin({ nameServer: server.nameServer, timeoutMs: 15_000 });
      ends.push(() => admin.close());
      await admin.createTopic({ topic: 'orders', type: 'normal', queues: 1 });
      await admin.createGroup({ consumerGroup: 'readers' });
      const connection = new Connection({ endpoints: `name-server:${server.nameServer}`, logger: silentLogger });
      ends.push(() => connection.close());
      const handled: MessageView[] = [];
      const handler = (message: MessageView) => void handled.push(message);
      const subscriptions = [{ topic: 'orders' }];
      const consumer = new PushConsumer(connection, { consumerGroup: 'readers', subscriptions, handler, requireFifo });
      ends.push(() => consumer.close({ shutdownGraceMs: 1_000 }));
      await consumer.start(START);
      const producer = new Producer(connection);
      ends.push(() => producer.close());
      const send = async (count: number, what: string): Promise<string[]> => {
        const bodies = Array.from({ length: count }, (__, index) => `${what} ${index}`);
        for (const body of bodies) await producer.send({ topic: 'orders', body }, START);
        return bodies;
      };
      const texts = () => handled.map(({ body }) => body.toString());

      const early = await send(20, 'early');
      await until(() => handled.length === early.length);
      const lost = handled.find(({ body }) => body.toString() === 'early 12');
      await server.killBroker();
      cutLog(server.runFolder, offsetInMessageId(lost?.offsetMessageId ?? '') ?? 0);
      await server.reviveBroker();
      const late = await send(30, 'late');
      await until(() => late.every((body) => texts().includes(body)));
      expect(texts().sort()).toEqual([...early, ...late].sort());
      const { queueOffset } = handled.find(({ body }) => body.toString() === 'late 0') ?? {};
      expect(Number(queueOffset)).toBe(12);
    },
    TEST_MS,
  );
});
