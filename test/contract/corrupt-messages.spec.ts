import { afterEach, describe, expect } from '@jest/globals';
import { type Connection, deadLetterTopicOf, PushConsumer, SECOND_MS, SimpleConsumer } from 'nestjs-rocketmq/client';
import type { TcpForwarder } from '../fixtures/tcp-forwarder.js';
import { contractSuite } from './support/contract.js';
import { forwarded } from './support/forwarded.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();

/** The same number of bytes, so that only the digest reveals the change. */
const SENT = 'pay 100 to Ada';
const ALTERED = 'pay 999 to Eve';

describe('messages that were altered in transit', () => {
  const forwarders: TcpForwarder[] = [];
  const ends: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    for (const forwarder of forwarders.splice(0)) await forwarder.close();
  });

  async function behindForger(world: World): Promise<Connection> {
    const { forwarder, through } = await forwarded(world, (bytes) =>
      Buffer.from(bytes.toString('latin1').replaceAll(SENT, ALTERED), 'latin1'),
    );
    forwarders.push(forwarder);
    return world.connection(through);
  }

  contract('are set aside with an event, and the others of their batch are handled', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    const producer = await world.producer();
    await producer.sendBatch([SENT, 'fine', SENT, 'fine, too'].map((body) => ({ topic, body })));
    const handled: string[] = [];
    const events: string[] = [];
    await world.begin(consumerGroup, [topic]);
    const consumer = new PushConsumer(await behindForger(world), {
      consumerGroup,
      subscriptions: [{ topic }],
      events: { onDeadLetter: (_message, reason) => void events.push(reason) },
      handler: ({ body }) => void handled.push(body.toString()),
    });
    ends.push(() => consumer.close());
    await consumer.start();
    await world.until('all four have an end', () => handled.length + events.length === 4);
    await world.backend.quiet();
    expect([handled.sort(), events]).toEqual([
      ['fine', 'fine, too'],
      ['corrupt-body', 'corrupt-body'],
    ]);
    const grave = await world.record({ topic: deadLetterTopicOf(consumerGroup) });
    await world.until('the dead letters are read', () => grave.deliveries.length === 2);
    expect(texts(grave.deliveries)).toEqual([SENT, SENT]);
  });

  contract('are shown as such to who receives on demand', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    await producer.sendBatch([SENT, 'fine'].map((body) => ({ topic, body })));
    const subscriptions = [{ topic }];
    const consumerGroup = await world.group();
    await world.begin(consumerGroup, [topic]);
    const consumer = new SimpleConsumer(await behindForger(world), {
      consumerGroup,
      subscriptions,
    });
    ends.push(() => consumer.close());
    await consumer.start();
    const received = [];
    for (let poll = 0; received.length < 2 && poll < 10; poll++) {
      received.push(...(await consumer.receive({ longPollingTimeoutMs: 5 * SECOND_MS })));
    }
    const seen = received.map(({ body, bodyProblem }) => [body.toString(), bodyProblem]).sort();
    expect(seen).toEqual([
      ['fine', undefined],
      [ALTERED, 'the digest does not match the body'],
    ]);
    await consumer.ackBatch(received);
  });
});
