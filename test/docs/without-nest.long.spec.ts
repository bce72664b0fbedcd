// The examples of docs/guide/without-nest.md, run.

import type { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createPglite } from 'demo-kit';
import { Connection, MINUTE_MS, Producer } from 'nestjs-rocketmq/client';
import { schemaSql, TransactionLog } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { bookByHand, checkedBy } from '../../docs/examples/fragments.js';
import { book, bookingProducer } from '../../docs/examples/plain-transactions.js';

/** Longer than the timeout of a local transaction. */
const LATER_MS = 6 * MINUTE_MS;

describe('the examples of transactions without Nest', () => {
  let broker: TestBroker;
  let connection: Connection;
  let database: PGlite;
  let log: TransactionLog;
  let producer: Producer;

  beforeAll(async () => {
    database = await createPglite();
    await database.exec(`${schemaSql()}; CREATE TABLE booking (seat text PRIMARY KEY)`);
    log = new TransactionLog({ database });
  });
  afterAll(() => database.close());

  beforeEach(async () => {
    await database.exec('DELETE FROM booking');
    broker = await TestBroker.start({ manualClock: true, topics: [{ name: 'seat-booked', type: 'transaction' }] });
    connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    producer = bookingProducer(connection, log);
    await producer.start();
  });
  afterEach(async () => {
    await producer.close();
    connection.close();
    await broker.stop();
  });

  const announced = () => broker.messages('seat-booked').map(({ keys }) => keys[0]);

  it('transact: a free seat is announced, a taken one is not', async () => {
    expect(await book(producer, database, log, '12A')).toBe(true);
    expect(await book(producer, database, log, '12A')).toBe(false);
    await broker.idle();
    expect([announced(), broker.halfMessages()]).toEqual([['12A'], []]);
  });

  it('beginTransaction: a failed booking is left to the check, which rolls back', async () => {
    expect(await bookByHand(producer, database, log, '12A')).toBe('accepted');
    await expect(bookByHand(producer, database, log, '12A')).rejects.toThrow('duplicate key');
    expect(broker.halfMessages()).toHaveLength(1);
    await broker.advance(LATER_MS);
    expect([announced(), broker.halfMessages()]).toEqual([['12A'], []]);
  });

  it.each([
    { state: 'booked' as const, visible: ['12A'], open: 0 },
    { state: 'rejected' as const, visible: [], open: 0 },
    { state: undefined, visible: [], open: 1 },
  ])('a checker of your own: $state', async ({ state, visible, open }) => {
    const transactionCheckers = { 'seat-booked': checkedBy({ find: async () => state }) };
    const checked = new Producer(connection, { transactionCheckers });
    await checked.start();
    await checked.beginTransaction({ topic: 'seat-booked', keys: ['12A'], body: '{"seat":"12A"}' });
    await broker.advance(LATER_MS);
    expect(announced()).toEqual(visible);
    expect(broker.halfMessages()).toHaveLength(open);
    await checked.close();
  });
});
