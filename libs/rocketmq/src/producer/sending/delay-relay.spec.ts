import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GROUP, gatewayWorld, TOPIC as RELAYED, RELEASES, STORED } from '../../../../../test/fixtures/gateway-world.js';
import { PulledBroker, stored } from '../../../../../test/fixtures/pulled-broker.js';
import { until } from '../../../../../tools/until.js';
import { Connection } from '../../client/connection.js';
import { DELAYED_TOPIC_PROPERTY, DELAYED_UNTIL_PROPERTY } from '../../protocol/model/delay-chain.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { HOUR_MS } from '../../support/clock.js';
import { TestBroker } from '../../testing/test-broker.js';
import { Producer } from '../producer.js';
import type { ProducerOptions } from '../producer-options.js';

const [TOPIC, WAITING] = ['orders', 'delays'];
const delayLevels = { topic: WAITING, consumerGroup: WAITING };

describe('the relay of a producer, with a message that another producer has accepted', () => {
  let broker: TestBroker;
  let connection: Connection;
  const producers: Producer[] = [];

  beforeEach(async () => {
    broker = await TestBroker.start({ nameServerPort: 0, strict: true });
    broker.broker.inside.stateRelease(RELEASES.v497);
    broker.declareTopic({ name: TOPIC, type: 'delay' });
    broker.declareTopic({ name: WAITING, type: 'normal' });
    broker.declareGroup({ name: WAITING });
    // Under another name than in routes: what clients know as a name server is no broker for them.
    const nameServer = broker.nameServerEndpoint.replace('127.0.0.1', 'localhost');
    connection = new Connection({ endpoints: `name-server:${nameServer}` });
  });
  afterEach(async () => {
    for (const producer of producers.splice(0)) await producer.close();
    await connection.close();
    await broker.stop();
  });

  function newProducer(options: ProducerOptions): Producer {
    const producer = new Producer(connection, options);
    producers.push(producer);
    return producer;
  }

  /** Lets a message wait in the topic of the relay that is started. */
  async function waits(options: ProducerOptions, dueInMs: number, body: string): Promise<void> {
    await newProducer({ delayLevels, ...options }).start();
    const properties = { [DELAYED_TOPIC_PROPERTY]: TOPIC, [DELAYED_UNTIL_PROPERTY]: String(Date.now() + dueInMs) };
    await newProducer({ compression: {} }).send({ topic: WAITING, body, messageId: 'THE-ID', properties });
  }

  const delivered = () => broker.messages(TOPIC);

  it('sends on a body that is too large without compression', async () => {
    const body = 'x'.repeat(5 * 1024 * 1024);
    await waits({}, 0, body);
    await until(() => delivered().length === 1);
    expect(delivered()[0]?.text() === body).toBe(true);
  });

  it('sends on a delay beyond its own limit', async () => {
    await waits({ maxDelayMs: 1 }, 2 * HOUR_MS, 'later');
    await until(() => broker.waiting().length > 0 || broker.deadLetters(WAITING).length > 0);
    // A second later it is not due at a level, and waits for the next one first.
    const topic = expect.stringMatching(`^(${TOPIC}|${WAITING})$`);
    expect(broker.waiting()).toMatchObject([{ kind: 'delayed', topic, messageId: 'THE-ID' }]);
  });

  it('says which option needs its topic when that is missing, and how to create it', async () => {
    const starting = newProducer({ delayLevels: { topic: 'missing', consumerGroup: WAITING } }).start();
    await expect(starting).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
      message: expect.stringMatching(
        /"missing" .* option delayLevels .* run: npx nestjs-rocketmq topic create missing/,
      ),
    });
  });

  it('shows it to no interceptor a second time', async () => {
    const seen: string[] = [];
    await waits(
      {
        interceptors: [
          (message, next) => {
            seen.push(message.topic);
            return next(message);
          },
        ],
      },
      0,
      'now',
    );
    await until(() => delivered().length === 1);
    expect(seen).toEqual([]);
  });
});

describe('the relay of a producer that requires durable messages', () => {
  const { closers, connected } = gatewayWorld();

  it('sends a message on once when its broker stores it less safely', async () => {
    const pulled = new PulledBroker();
    const waiting = new Map([[DELAYED_TOPIC_PROPERTY, 'billing'] as const, [DELAYED_UNTIL_PROPERTY, '1'] as const]);
    pulled.messages = [stored(0, { properties: waiting })];
    pulled.answers[CODES.sendMessageV2] = () => ({ ...STORED, code: RESPONSE_CODES.slaveNotAvailable });
    const { connection, sent } = await connected([pulled.script]);
    const relayed = { topic: RELAYED, consumerGroup: GROUP };
    const producer = new Producer(connection, { delayLevels: relayed, requireDurable: true });
    closers.push(() => producer.close());
    await producer.start();
    await until(() => pulled.position === 1);
    expect(sent(CODES.sendMessageV2)).toHaveLength(1);
    expect(sent(CODES.consumerSendMessageBack)).toEqual([]);
  });
});
