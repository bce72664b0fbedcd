// Transaction log and outbox between a real Apache RocketMQ and a real PostgreSQL, in real time. Runs with `npm run test:rocketmq`
// only.

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Connection, Producer, PushConsumer, SECOND_MS } from 'nestjs-rocketmq/client';
import {
  Inbox,
  OUTBOX_ID_PROPERTY,
  Outbox,
  OutboxRelay,
  TransactionFencedError,
  TransactionLog,
} from 'nestjs-rocketmq/sql';
import { column, type OpenDatabase, openDatabase } from '../../tools/servers/sql-databases.js';
import { agreementViolations } from '../../tools/transaction-agreement.js';
import { Arrivals } from '../fixtures/arrivals.js';
import { describeWithPostgres, Postgres } from '../fixtures/postgres.js';
import { serverAdmin } from '../fixtures/real-server.js';
import { relayViolations } from '../fixtures/relay-history.js';

const [ORDERS, STEPS, GROUP] = ['sql-orders', 'sql-steps', 'sql-readers'];
const wait = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs));

describeWithPostgres('PostgreSQL and a real server', () => {
  const ends: (() => unknown)[] = [];
  const arrivals = new Arrivals();
  const seen: { readonly id: string; readonly text: string; readonly property: string | undefined }[] = [];
  let database: OpenDatabase;
  let producers: Producer[];

  beforeAll(async () => {
    const postgres = await Postgres.start();
    ends.push(() => postgres.stop());
    database = await openDatabase({ kind: 'postgres', address: postgres.address });
    ends.push(() => database.close());
    const admin = serverAdmin();
    await admin.createTopic({ topic: ORDERS, type: 'transaction' });
    await admin.createTopic({ topic: STEPS, type: 'fifo' });
    for (const name of ['a', 'b']) await admin.createGroup({ consumerGroup: `${GROUP}-${name}`, fifo: name === 'b' });
    await admin.close();
    const log = new TransactionLog({ database: database.port });
    // Two processes: each can be checked for transactions of the other.
    producers = [1, 2].map(() => producer({ transactionCheckers: { [ORDERS]: (check) => log.check(check) } }));
    const consumers = [consumer(`${GROUP}-a`, ORDERS), consumer(`${GROUP}-b`, STEPS)];
    await Promise.all([...producers, ...consumers].map((one) => one.start()));
  }, 60_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  function connection(): Connection {
    const made = new Connection({ endpoints: process.env.ROCKETMQ_TEST_ENDPOINTS ?? '' });
    ends.push(() => made.close());
    return made;
  }

  function producer(options: ConstructorParameters<typeof Producer>[1]): Producer {
    const made = new Producer(connection(), options);
    ends.push(() => made.close());
    return made;
  }

  function consumer(consumerGroup: string, topic: string): PushConsumer {
    const made = new PushConsumer(connection(), {
      consumerGroup,
      subscriptions: [{ topic }],
      handler: ({ messageId, body, properties }) => {
        seen.push({ id: messageId, text: body.toString(), property: properties[OUTBOX_ID_PROPERTY] });
        arrivals.add(body.toString());
      },
    });
    ends.push(() => made.close({ shutdownGraceMs: SECOND_MS }));
    return made;
  }

  it('agree about local transactions of 8 s, with the row of the log first or last', async () => {
    const log = new TransactionLog({ database: database.port });
    const place = (order: string, isRowFirst: boolean): Promise<unknown> =>
      (producers[0] as Producer).transact({ message: { topic: ORDERS, body: order } }, () =>
        database.port.transaction(async (tx) => {
          await tx.query('INSERT INTO orders VALUES ($1)', [order]);
          if (isRowFirst) await log.record(tx);
          await wait(8 * SECOND_MS);
          if (!isRowFirst) await log.record(tx);
        }),
      );
    const begun = ['first', 'last-1', 'last-2', 'last-3'];
    const results = await Promise.allSettled(begun.map((order) => place(order, order === 'first')));
    const returned = begun.filter((_, index) => results[index]?.status === 'fulfilled');
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(TransactionFencedError);
    expect(returned).toContain('first');
    await arrivals.of(...returned);
    // Fenced messages would have been delivered by now.
    await wait(6 * SECOND_MS);
    const inDatabase = await column(database.port, 'SELECT id FROM orders');
    const delivered = seen.map(({ text }) => text);
    expect(agreementViolations({ begun, returned, inDatabase, delivered, undecided: [] })).toEqual([]);
  });

  it('keep the order of groups and the id of each message, although a relay sends some messages twice', async () => {
    const outbox = new Outbox();
    const added: { id: string; messageGroup: string }[] = [];
    for (let step = 1; step <= 12; step++) {
      const messageGroup = `group-${step % 3}`;
      const message = { topic: STEPS, body: `step-${step}`, messageGroup };
      added.push({ id: await database.port.transaction((tx) => outbox.add(tx, message)), messageGroup });
    }
    const send = (...given: Parameters<Producer['send']>) => (producers[0] as Producer).send(...given);
    let failures = 3;
    const relay = new OutboxRelay({
      outbox,
      database: database.port,
      send: async (message, options) => {
        await send(message, options);
        if (failures-- > 0) throw new Error('the answer was lost');
      },
      backoff: 1,
    });
    relay.start();
    await arrivals.of(...added.map((_, index) => `step-${index + 1}`));
    await arrivals.until(() => seen.filter(({ text }) => text.startsWith('step-')).length >= added.length + 3);
    await relay.stop();
    const steps = seen.filter(({ text }) => text.startsWith('step-'));
    expect(
      relayViolations(
        added,
        steps.map(({ id }) => id),
      ),
    ).toEqual([]);
    expect(steps.every(({ id, property }) => id === property)).toBe(true);
    const inbox = new Inbox();
    let done = 0;
    for (const { id: messageId } of steps) {
      const key = { consumerGroup: GROUP ?? '', messageId };
      await database.port.transaction((tx) => inbox.once(tx, key, async () => done++));
    }
    expect(done).toBe(added.length);
  });
});
