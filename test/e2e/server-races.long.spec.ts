// Payment against time-out on a database server: two instances of order-demo, two connections, one row.

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { TOPICS } from '../../libs/demo-kit/src/topics.js';
import type { DatabaseServer } from '../../tools/servers/database-server.js';
import { Barriers } from './support/barriers.js';
import { describeOnServers } from './support/database-servers.js';
import { DemoOnServer } from './support/demo-on-server.js';
import { stockViolations } from './support/demo-pair.js';

const ROUNDS = 50;
const TIMEOUT_MS = 240_000;
const PAYMENT_TIMEOUT_MS = MINUTE_MS;
/** A product with as much stock as there are rounds. */
const SKU = 'book';

describeOnServers('payment and time-out that meet', (kind) => {
  const barriers = new Barriers();
  let server: DatabaseServer;
  let broker: TestBroker;
  let demo: DemoOnServer;

  beforeAll(async () => {
    server = await kind.start();
    const topics = TOPICS.map(({ name, type }) => ({ name, type }));
    const groups = [{ name: 'order-service' }, { name: 'inventory-service' }];
    broker = await TestBroker.start({ manualClock: true, strict: true, recallEnabled: true, topics, groups });
    const { endpoints, clock } = broker;
    demo = await DemoOnServer.start({
      server,
      endpoints,
      clock,
      barriers,
      paymentTimeoutMs: PAYMENT_TIMEOUT_MS,
    });
  }, TIMEOUT_MS);
  afterAll(async () => {
    await demo?.stop();
    await broker?.stop();
    await server?.stop();
  }, TIMEOUT_MS);

  /** An order whose payment and time-out have both sent their half messages, and then start their database transactions together. */
  async function race(round: number): Promise<'PAID' | 'CANCELED'> {
    const { body } = await demo.place(round % 2, SKU);
    await broker.idle();
    await broker.advance(PAYMENT_TIMEOUT_MS - SECOND_MS);
    const paying = barriers.hold('half-sent', 'order-paid');
    const canceling = barriers.hold('half-sent', 'stock-return');
    const answer = demo.pay(round % 2, body.id);
    const passing = broker.advance(SECOND_MS);
    await Promise.all([paying.reached, canceling.reached]);
    // They take turns in starting first; the connections decide which one gets the row first.
    const sides = round % 2 === 0 ? [paying, canceling] : [canceling, paying];
    for (const side of sides) side.release();
    await Promise.all([answer, passing]);
    await broker.idle();
    const { status } = await demo.order((round + 1) % 2, body.id);
    expect((await answer).status).toBe(status === 'PAID' ? 200 : 409);
    const sent = (topic: string) => broker.messages(topic).filter(({ keys }) => keys.includes(body.id)).length;
    const messages = { paid: sent('order-paid'), returned: sent('stock-return') };
    expect(messages).toEqual(status === 'PAID' ? { paid: 1, returned: 0 } : { paid: 0, returned: 1 });
    return status as 'PAID' | 'CANCELED';
  }

  it(
    'lets exactly one of them win, each of them sometimes, and no piece of stock come or go',
    async () => {
      const wins = { PAID: 0, CANCELED: 0 };
      const whole = (await demo.stockOf(SKU)).available;
      for (let round = 0; round < ROUNDS; round++) {
        wins[await race(round)]++;
        expect(stockViolations(await demo.stock())).toEqual([]);
        expect(await demo.stockOf(SKU)).toMatchObject({
          available: whole - wins.PAID,
          reserved: 0,
          sold: wins.PAID,
        });
      }
      expect(wins.PAID).toBeGreaterThan(0);
      expect(wins.CANCELED).toBeGreaterThan(0);
      expect(wins.PAID + wins.CANCELED).toBe(ROUNDS);
    },
    TIMEOUT_MS,
  );
});
