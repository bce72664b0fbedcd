// Processes that are killed during a transaction, or while they relay an outbox. Afterwards another process completes everything.
// Processes and database are real; only the broker uses a manual clock.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Connection, MINUTE_MS, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { Outbox, OutboxRelay, TransactionLog } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { column, type DatabasePlace, type OpenDatabase, openDatabase } from '../../tools/servers/sql-databases.js';
import { agreementViolations } from '../../tools/transaction-agreement.js';
import { describeWithMySql, MySqlServer } from '../fixtures/mysql.js';
import { describeWithPostgres, Postgres } from '../fixtures/postgres.js';
import { relayViolations } from '../fixtures/relay-history.js';
import { groupOf, ORDERS, runUntilKilled, STEP_NAMES, STEPS } from './support/crash-job.js';

const FAULTS = [
  { point: 'before-half', isKept: false },
  { point: 'half-sent', isKept: false },
  { point: 'in-local-transaction', isKept: false },
  { point: 'local-transaction-done', isKept: true },
  { point: 'transaction-ended', isKept: true },
];

const RELAY_FAULTS = ['claimed', 'sent-before-mark', 'marked'];

/** First all processes are killed, one after the other; then this one completes everything. */
function suite(placed: () => DatabasePlace, relayFaults: readonly string[] = RELAY_FAULTS): void {
  const ends: (() => Promise<unknown>)[] = [];
  const delivered: string[] = [];
  let broker: TestBroker;
  let database: OpenDatabase;
  let relay: OutboxRelay;

  beforeAll(async () => {
    broker = await TestBroker.start({ manualClock: true });
    ends.push(() => broker.stop());
    broker.declareTopic({ name: ORDERS, type: 'transaction' });
    broker.declareTopic({ name: STEPS, type: 'fifo' });
    const common = { endpoints: broker.endpoints, place: placed() };
    for (const { point } of FAULTS) await runUntilKilled({ ...common, work: 'order', subject: point, point });
    for (const point of relayFaults) await runUntilKilled({ ...common, work: 'relay', subject: point, point });
    database = await openDatabase(placed());
    ends.push(() => database.close());
    await bringToAnEnd();
  }, 240_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  async function bringToAnEnd(): Promise<void> {
    const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    ends.push(async () => connection.close());
    const handler = ({ body }: { body: Buffer }): void => void delivered.push(body.toString());
    const subscriptions = [{ topic: ORDERS }];
    const consumer = new PushConsumer(connection, { consumerGroup: 'stock', subscriptions, handler });
    ends.push(() => consumer.close());
    const log = new TransactionLog({ database: database.port });
    const producer = new Producer(connection, { transactionCheckers: { [ORDERS]: (check) => log.check(check) } });
    ends.push(() => producer.close());
    await Promise.all([consumer.start(), producer.start()]);
    await broker.advance(3 * MINUTE_MS);
    // A slow check counts as unanswered, and the server checks again.
    for (let round = 0; round < 10 && broker.halfMessages().length > 0; round++) await broker.advance(MINUTE_MS);
    const send = producer.send.bind(producer);
    relay = new OutboxRelay({ outbox: new Outbox(), database: database.port, clock: broker.clock, send });
    while ((await relay.runOnce()) > 0);
  }

  it.each(FAULTS)('agrees with its consumers after a kill at $point', async ({ point, isKept }) => {
    const ofThis = (texts: readonly string[]): string[] => texts.filter((text) => text === point);
    const inDatabase = ofThis(await column(database.port, 'SELECT id FROM orders'));
    const undecided = ofThis(broker.halfMessages().map(({ body }) => body.toString()));
    const ends = { begun: [point], returned: [], inDatabase, delivered: ofThis(delivered), undecided };
    expect(agreementViolations(ends)).toEqual([]);
    expect(inDatabase).toEqual(isKept ? [point] : []);
  });

  it.each(relayFaults)('sends every message in order after a kill of the relay at %s', async (point) => {
    const rows = `SELECT id FROM rocketmq_outbox WHERE message_group LIKE '${point}-%' ORDER BY position`;
    const ids = await column(database.port, rows);
    const stored = broker.messages(STEPS).filter(({ messageGroup }) => messageGroup?.startsWith(`${point}-`));
    const added = STEP_NAMES.map((step, index) => ({ id: ids[index] ?? '', messageGroup: groupOf(point, step) }));
    const sent = stored.map(({ messageId }) => messageId);
    expect(relayViolations(added, sent)).toEqual([]);
    expect(new Set(sent).size).toBe(STEP_NAMES.length);
    expect(await relay.metrics()).toMatchObject({ unsent: 0, parked: 0 });
  });
}

describe('a killed process, with PGlite in a folder', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kills-'));
  });
  // Opening PGlite takes seconds, and relays behave as with PostgreSQL.
  suite(() => ({ kind: 'pglite', folder }), ['sent-before-mark']);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
});

describeWithPostgres('a killed process, with PostgreSQL', () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.start();
  });
  suite(() => ({ kind: 'postgres', address: postgres.address }));
  afterAll(() => postgres?.stop());
});

describeWithMySql('a killed process, with', (product) => {
  let server: MySqlServer;
  beforeAll(async () => {
    server = await MySqlServer.start(product);
  });
  suite(() => ({ kind: 'mysql', address: server.address }));
  afterAll(() => server?.stop());
});
