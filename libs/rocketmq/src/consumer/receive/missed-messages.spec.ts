import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../../../../tools/until.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import { EmbeddedBroker } from '../../entries/broker.js';
import { Connection, Producer, PushConsumer } from '../../entries/client.js';
import { EVERY_MESSAGE, type Filter } from '../../protocol/model/filter.js';
import { SECOND_MS } from '../../support/clock.js';
import { silentLogger } from '../../support/logger.js';
import { MissedMessages } from './missed-messages.js';

const TAG: Filter = { kind: 'tag', expression: 'a' };
const SQL: Filter = { kind: 'sql', expression: 'a = 1' };

describe('messages that a server has kept back', () => {
  it.each([
    ['all are received', undefined, 10],
    ['all are received', EVERY_MESSAGE, 10],
    ['a tag is received', TAG, 30],
    ['an SQL filter is applied', SQL, 30],
  ])('have the settings asked for again where %s, not too often', async (_, filter, seconds) => {
    let nowMs = 0;
    let asked = 0;
    const missed = new MissedMessages({ monotonicMs: () => nowMs }, async () => {
      asked++;
      throw new Error('no server answers');
    });
    missed.noticed(filter);
    nowMs = seconds * SECOND_MS - 1;
    missed.noticed(filter);
    expect(asked).toBe(1);
    nowMs++;
    missed.noticed(filter);
    expect(asked).toBe(2);
  });

  it.each([
    ['everything', EVERY_MESSAGE],
    ['a tag', TAG],
    ['an SQL filter', SQL],
  ])('show that an operator has lowered the attempts of the group, where %s is received', async (_, filter) => {
    const broker = new EmbeddedBroker({ topics: [{ name: 'n' }], groups: [{ name: 'g' }], nameServerPort: 0 });
    await broker.start();
    const connection = new Connection({ endpoints: broker.endpoints, logger: silentLogger });
    const producer = new Producer(connection);
    const kept: string[] = [];
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'g',
      subscriptions: [{ topic: 'n', filter }],
      maxAttempts: 5,
      backoff: { kind: 'customized', nextMs: [100] },
      handler: () => {
        throw new Error('fails');
      },
      deadLetterTo: async ({ message }) => void kept.push(message.body.toString()),
    });
    const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint as string });
    try {
      await Promise.all([producer.start(), consumer.start()]);
      await admin.createGroup({ consumerGroup: 'g', maxDeliveryAttempts: 2 }, { ifExists: 'update' });
      const lost = async (): Promise<number> => (await admin.listDeadLetters('g')).total;
      await producer.send({ topic: 'n', tag: 'a', properties: { a: '1' }, body: 'first' });
      await eventually(lost, (count) => count === 1);
      // What the server dead-lettered by itself has shown it.
      const second = async (): Promise<number> => {
        await producer.send({ topic: 'n', tag: 'a', properties: { a: '1' }, body: 'later' });
        return kept.length;
      };
      expect(await eventually(second, (count) => count > 0)).toBeGreaterThan(0);
      expect(await lost()).toBeLessThan(20);
    } finally {
      await consumer.close({ shutdownGraceMs: 0 });
      await producer.close();
      await admin.close();
      connection.close();
      await broker.stop();
    }
  });
});
