// Processes that are killed in the middle of a transaction, or while they relay an outbox. Afterwards another process has to bring
// everything to its end. The processes and the database are real; only the broker's time is moved.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Connection, MINUTE_MS, Producer, PushConsumer, SECOND_MS } from 'nestjs-rocketmq/client';
import { Outbox, OutboxRelay, TransactionLog } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { describeWithPostgres, Postgres } from '../support/postgres.js';
import { relayViolations } from '../support/relay-history.js';
import { agreementViolations } from '../support/transaction-agreement.js';
import { ORDERS, runUntilKilled, STEPS } from './support/crash-job.js';
import { column, type DatabasePlace, openDatabase } from './support/databases.js';

const FAULTS = [
  { point: 'before-half', isKept: false },
  { point: 'half-sent', isKept: false },
  { point: 'in-local-transaction', isKept: false },
  { point: 'local-transaction-done', isKept: true },
  { point: 'transaction-ended', isKept: true },
];

function suite(placed: () => DatabasePlace): void {
  let broker: TestBroker;
  let connection: Connection;
  let consumer: PushConsumer;
  const delivered: string[] = [];

  beforeAll(async () => {
    broker = await TestBroker.start({ manualClock: true });
    broker.declareTopic({ name: ORDERS, type: 'transaction' });
    broker.declareTopic({ name: STEPS, type: 'fifo' });
    connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    consumer = new PushConsumer(connection, {
      consumerGroup: 'stock',
      subscriptions: [{ topic: ORDERS }],
      handler: ({ body }) => void delivered.push(body.toString()),
    });
    await consumer.start();
  });
  afterAll(async () => {
    await consumer?.close();
    await connection?.close();
    await broker?.stop();
  });

  it.each(FAULTS)('agrees with its consumers after a kill at $point', async ({ point, isKept }) => {
    await runUntilKilled({ work: 'order', endpoints: broker.endpoints, place: placed(), subject: point, point });
    const { port, close } = await openDatabase(placed());
    const log = new TransactionLog({ database: port });
    const producer = new Producer(connection, { transactionCheckers: { [ORDERS]: (check) => log.check(check) } });
    try {
      await producer.start();
      await broker.advance(10 * SECOND_MS);
      // A check that takes its time counts as unanswered; it comes again.
      for (let round = 0; round < 10 && broker.halfMessages().length > 0; round++) await broker.advance(MINUTE_MS);
      const undecided = broker.halfMessages().map(({ body }) => body.toString());
      const inDatabase = await column(port, `SELECT id FROM orders WHERE id = '${point}'`);
      const ofThis = delivered.filter((text) => text === point);
      expect(agreementViolations({ begun: [point], returned: [], inDatabase, delivered: ofThis, undecided })).toEqual(
        [],
      );
      expect(inDatabase).toEqual(isKept ? [point] : []);
    } finally {
      await producer.close();
      await close();
    }
  });

  it.each(['claimed', 'sent-before-mark', 'marked'])(
    'sends every message of the outbox, in order, after a kill of its relay at %s',
    async (point) => {
      const group = (name: string): string => `${name}-${point}`;
      const texts = ['a1', 'b1', 'a2', 'a3', 'b2'];
      const outbox = new Outbox();
      let opened = await openDatabase(placed());
      for (const text of texts) {
        const message = { topic: STEPS, body: text, messageGroup: group(text.slice(0, 1)) };
        await opened.port.transaction((tx) => outbox.add(tx, message));
      }
      await opened.close();
      await runUntilKilled({ work: 'relay', endpoints: broker.endpoints, place: placed(), subject: 'a2', point });
      opened = await openDatabase(placed());
      const { port, close } = opened;
      const producer = new Producer(connection);
      const [send, clock] = [producer.send.bind(producer), broker.clock];
      const relay = new OutboxRelay({ outbox, database: port, clock, send });
      try {
        await broker.advance(3 * MINUTE_MS);
        while ((await relay.runOnce()) > 0);
        const ids = await column(
          port,
          `SELECT id FROM rocketmq_outbox WHERE message_group LIKE '%-${point}' ORDER BY position`,
        );
        const stored = broker.messages(STEPS).filter(({ messageGroup }) => messageGroup?.endsWith(point));
        const added = texts.map((text, index) => ({ id: ids[index] ?? '', messageGroup: group(text.slice(0, 1)) }));
        expect(
          relayViolations(
            added,
            stored.map(({ messageId }) => messageId),
          ),
        ).toEqual([]);
        expect(await relay.metrics()).toMatchObject({ unsent: 0, parked: 0 });
      } finally {
        await producer.close();
        await close();
      }
    },
  );
}

describe('a killed process, with PGlite in a folder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kills-'));
    await (await openDatabase({ kind: 'pglite', folder })).close();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  suite(() => ({ kind: 'pglite', folder }));
});

describeWithPostgres('a killed process, with PostgreSQL', () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.start();
  });
  afterAll(() => postgres?.stop());
  suite(() => ({ kind: 'postgres', address: postgres.address }));
});
