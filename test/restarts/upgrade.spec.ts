// A broker of 4.9.7 that is upgraded to 5.5.0 on its store, under load. The recipe is docs/guide/connecting.md. The test uses its own server.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, type MessageView, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { silentLogger } from '../../libs/rocketmq/src/support/logger.js';
import { takePortBlock } from '../../tools/ports.js';
import { startRocketMQ } from '../../tools/servers/rocketmq/server.js';
import { until } from '../../tools/until.js';
import { testTransport } from '../fixtures/transport.js';

const TEST_MS = 240_000;
const KEYS = 8;
/** Of the load: one message. */
const EVERY_MS = 10;
/** What was settled and not stored yet when the broker stopped: a second of the load, and no more. */
const MAX_REPEATED = 100;
const START = { timeoutMs: 30_000 };
const byNameServer = testTransport === 'remoting' ? it : it.skip;

/** What one group has handled. */
class Handled {
  readonly bodies: string[] = [];
  /** Those of a message group that came first after later ones. */
  readonly late: string[] = [];
  private readonly latest = new Map<string, number>();
  private readonly seen = new Set<string>();

  readonly handler = ({ body }: MessageView): void => {
    const text = body.toString();
    this.bodies.push(text);
    if (this.seen.has(text)) return;
    this.seen.add(text);
    const [key = '', count] = text.split(' ');
    if (Number(count) < (this.latest.get(key) ?? -1)) this.late.push(text);
    this.latest.set(key, Math.max(Number(count), this.latest.get(key) ?? -1));
  };

  lost(sent: Iterable<string>): string[] {
    return [...sent].filter((text) => !this.seen.has(text));
  }

  get repeated(): number {
    return this.bodies.length - this.seen.size;
  }
}

describe('a broker of 4.9.7 that becomes one of 5.5.0', () => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  byNameServer(
    'loses nothing under load, and no message group its order',
    async () => {
      const runDir = mkdtempSync(join(tmpdir(), 'upgrade-'));
      ends.push(() => rmSync(runDir, { recursive: true, force: true }));
      const { first, release } = await takePortBlock();
      ends.push(release);
      const ports = { grpc: first, remoting: first + 1, nameServer: first + 2, broker: first + 6 };
      const old = await startRocketMQ({ version: '4.9.7', ports, runDir });
      ends.push(() => old.stop());
      const admin = new RocketMQAdmin({ nameServer: old.nameServer, timeoutMs: 15_000 });
      ends.push(() => admin.close());
      await admin.createTopic({ topic: 'steps', type: 'fifo', queues: 4 });
      const connection = new Connection({ endpoints: `name-server:${old.nameServer}`, logger: silentLogger });
      ends.push(() => connection.close());
      const groups = { readers: new Handled(), ordered: new Handled() };
      for (const [consumerGroup, { handler }] of Object.entries(groups)) {
        await admin.createGroup({ consumerGroup });
        const requireFifo = consumerGroup === 'ordered';
        const subscriptions = [{ topic: 'steps' }];
        const consumer = new PushConsumer(connection, { consumerGroup, subscriptions, handler, requireFifo });
        ends.push(() => consumer.close({ shutdownGraceMs: 1_000 }));
        await consumer.start(START);
      }
      const producer = new Producer(connection);
      ends.push(() => producer.close());

      const sent = new Set<string>();
      let isOver = false;
      const load = Array.from({ length: KEYS }, async (_, key) => {
        for (let count = 0; !isOver; count++) {
          const body = `key-${key} ${count}`;
          // A step is sent until it is stored, as the one behind it must not pass it.
          for (let isStored = false; !isStored; ) {
            isStored = await producer.send({ topic: 'steps', body, messageGroup: `key-${key}` }, START).then(
              () => true,
              () => false,
            );
          }
          sent.add(body);
          await new Promise((resolve) => setTimeout(resolve, EVERY_MS * KEYS));
        }
      });
      await until(() => sent.size > 500);

      await old.stop();
      const renewed = await startRocketMQ({ version: '5.5.0', ports, runDir });
      ends.push(() => renewed.stop());
      const before = sent.size;
      const orderedBefore = groups.ordered.bodies.length;
      await until(() => sent.size > before + 300);
      // It is not ordered on the new broker yet, so its consumer waits.
      expect(groups.ordered.bodies.length).toBe(orderedBefore);
      await admin.createGroup({ consumerGroup: 'ordered', fifo: true }, { ifExists: 'update' });
      await until(() => sent.size > before + 600);
      isOver = true;
      await Promise.all(load);
      for (const handled of Object.values(groups)) await until(() => handled.lost(sent).length === 0);
      expect(groups.ordered.late).toEqual([]);
      for (const { repeated } of Object.values(groups)) expect(repeated).toBeLessThan(MAX_REPEATED);
    },
    TEST_MS,
  );
});
