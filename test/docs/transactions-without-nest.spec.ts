// The examples of docs/guide/transactions-without-nest.md, run.

import { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, MINUTE_MS, type Producer, type TransactionChecker } from 'nestjs-rocketmq/client';
import { schemaSql, TransactionLog } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { book, bookByHand, bookingProducer, checkedBy } from '../../docs/examples/plain-transactions.js';

/** Longer than a local transaction may take. */
const LATER_MS = 6 * MINUTE_MS;

describe('the examples of transactions without Nest', () => {
  let broker: TestBroker;
  let connection: Connection;
  let database: PGlite;
  let log: TransactionLog;
  let producer: Producer;

  beforeAll(async () => {
    database = await PGlite.create();
    await database.exec(`${schemaSql()}; CREATE TABLE booking (seat text PRIMARY KEY)`);
    log = new TransactionLog({ database });
  });
  afterAll(() => database.close());

  beforeEach(async () => {
    await database.exec('DELETE FROM booking');
    broker = await TestBroker.start({ manualClock: true, topics: [{ name: 'seat-booked', type: 'transaction' }] });
    connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    await start((check) => log.check(check));
  });
  afterEach(async () => {
    await producer.close();
    connection.close();
    await broker.stop();
  });

  async function start(checker: TransactionChecker): Promise<void> {
    await producer?.close();
    producer = bookingProducer(connection, checker);
    await producer.start();
  }

  const announced = () => broker.messages('seat-booked').map(({ keys }) => keys[0]);

  it('transact: a free seat is announced, a taken one is not', async () => {
    expect(await book(producer, database, log, '12A')).toBe(true);
    expect(await book(producer, database, log, '12A')).toBe(false);
    await broker.idle();
    expect([announced(), broker.halfMessages()]).toEqual([['12A'], []]);
  });

  it('beginTransaction: a booking that fails is left to the check, which rolls back', async () => {
    expect(await bookByHand(producer, database, log, '12A')).toBe('accepted');
    await expect(bookByHand(producer, database, log, '12A')).rejects.toThrow('duplicate key');
    expect(broker.halfMessages()).toHaveLength(1);
    await broker.advance(LATER_MS);
    expect([announced(), broker.halfMessages()]).toEqual([['12A'], []]);
  });

  it.each([
    { state: 'booked' as const, visible: ['12A'], open: 0 },
    { state: 'refused' as const, visible: [], open: 0 },
    { state: undefined, visible: [], open: 1 },
  ])('a checker of your own: $state', async ({ state, visible, open }) => {
    await start(checkedBy({ find: async () => state }));
    await producer.beginTransaction({ topic: 'seat-booked', keys: ['12A'], body: '{"seat":"12A"}' });
    await broker.advance(LATER_MS);
    expect(announced()).toEqual(visible);
    expect(broker.halfMessages()).toHaveLength(open);
  });
});
