// The guarantees of `TransactionLog.record` for transactions, savepoints and connections outside transactions, with every client.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, currentLocalTransaction, MINUTE_MS, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { retryTransaction, type SqlDatabase, type SqlExecutor, TransactionLog } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { column } from '../../../tools/servers/sql-databases.js';
import { ORDERS } from './crash-job.js';
import type { Nested, TransactionKind } from './transaction-kinds.js';

const neverAborted = new AbortController().signal;

/** The tests for every kind of transaction, on {@link TABLES}. */
export function recordSuite(kind: () => TransactionKind): void {
  let broker: TestBroker;
  let producer: Producer;
  let log: TransactionLog;
  const ends: (() => unknown)[] = [];
  const delivered: string[] = [];

  beforeEach(async () => {
    const { database, outside } = kind();
    await outside.query('DELETE FROM orders', []);
    await outside.query('DELETE FROM rocketmq_transaction_log', []);
    delivered.length = 0;
    broker = await TestBroker.start({ manualClock: true });
    broker.declareTopic({ name: ORDERS, type: 'transaction' });
    log = new TransactionLog({ database, lockTimeoutMs: 500 });
    const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    producer = new Producer(connection, { transactionCheckers: { [ORDERS]: (check) => log.check(check) } });
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'stock',
      subscriptions: [{ topic: ORDERS }],
      handler: ({ body }) => void delivered.push(body.toString()),
    });
    ends.push(
      () => broker.stop(),
      () => connection.close(),
      () => producer.close(),
      () => consumer.close(),
    );
    await Promise.all([producer.start(), consumer.start()]);
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  const order = (tx: SqlExecutor, id = 'order-1') => tx.query(`INSERT INTO orders VALUES ('${id}')`, []);
  const isMysql = (): boolean => kind().database.dialect === 'mysql';
  /** MySQL does not distinguish the rollback of a savepoint from that of its transaction. */
  const rolledBack = (): string => (isMysql() ? 'RECORD_ROLLED_BACK' : 'NOT_COMMITTED');
  const place = (work: () => Promise<void>) => producer.transact({ message: { topic: ORDERS, body: 'order-1' } }, work);

  /** Runs in a transaction that is rolled back, and catches its error. */
  const recordInVain = () =>
    kind()
      .transaction(async (tx) => {
        await log.record(tx);
        throw new Error('no aeroplane');
      })
      .catch(() => {});

  /** The check of another process comes first. */
  const checkNow = () =>
    log.check({ transactionId: currentLocalTransaction().transactionId, topic: ORDERS, signal: neverAborted });

  /** The answer of another process to a check of the latest transaction. */
  async function checkOfAnother(): Promise<string> {
    const [transactionId = ''] = await column(
      kind().database,
      'SELECT transaction_id AS id FROM rocketmq_transaction_log',
    );
    return log.check({ transactionId, topic: ORDERS, signal: neverAborted });
  }

  /** The rows in the database and the messages of the consumers, once the broker knows how everything ended. */
  async function outcome(): Promise<unknown> {
    await broker.idle();
    for (let round = 0; round < 10 && broker.halfMessages().length > 0; round++) await broker.advance(MINUTE_MS);
    await broker.idle();
    expect(broker.halfMessages()).toEqual([]);
    return { orders: await column(kind().database, 'SELECT id FROM orders'), delivered };
  }

  it('rejects a connection outside a transaction, and writes nothing', async () => {
    const { outside } = kind();
    const placed = place(async () => {
      await log.record(outside);
      throw new Error('out of paper');
    });
    await expect(placed).rejects.toMatchObject({ code: 'NO_TRANSACTION', field: 'tx' });
    expect(await outcome()).toEqual({ orders: [], delivered: [] });
  });

  it('fails the method that swallowed this error', async () => {
    const placed = place(() => log.record(kind().outside).catch(() => {}));
    await expect(placed).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    expect(await outcome()).toEqual({ orders: [], delivered: [] });
  });

  it('accepts the row of a transaction after it has rejected a connection', async () => {
    await place(async () => {
      await log.record(kind().outside).catch(() => {});
      await kind().transaction(async (tx) => {
        await order(tx);
        await log.record(tx);
      });
    });
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: ['order-1'] });
  });

  it.each(['record first', 'record last'])('accepts a transaction, %s', async (when) => {
    await place(() =>
      kind().transaction(async (tx) => {
        if (when === 'record first') await log.record(tx);
        await order(tx);
        if (when === 'record last') await log.record(tx);
      }),
    );
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: ['order-1'] });
  });

  it.each(['its end arrives', 'its end is lost'])(
    'drops the message of a transaction that calls rollback() after record(); %s',
    async (end) => {
      if (end === 'its end is lost') {
        broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'INTERNAL_ERROR' }, times: 1 });
      }
      await place(async () => {
        await kind().transaction((tx) => log.record(tx));
        currentLocalTransaction().rollback();
      });
      expect(await checkOfAnother()).toBe('rollback');
      expect(await outcome()).toEqual({ orders: [], delivered: [] });
    },
  );

  it('accepts a savepoint that is released', async () => {
    await place(() => kind().transaction((tx, nested) => order(tx).then(() => nested((inner) => log.record(inner)))));
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: ['order-1'] });
  });

  it.each(['its end arrives', 'its end is lost'])(
    'fails the method whose savepoint with the row was rolled back and caught, and drops the message; %s',
    async (end) => {
      if (end === 'its end is lost') {
        broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'INTERNAL_ERROR' }, times: 1 });
      }
      const placed = place(() =>
        kind().transaction(async (tx, nested) => {
          await order(tx);
          await nested(async (inner) => {
            await log.record(inner);
            throw new Error('no aeroplane');
          }).catch(() => {});
        }),
      );
      await expect(placed).rejects.toMatchObject({ code: 'RECORD_ROLLED_BACK', outcome: 'unknown' });
      expect(await outcome()).toEqual({ orders: ['order-1'], delivered: [] });
    },
  );

  it('fails the method that hid in a savepoint that the row could not be written', async () => {
    // There a failed statement does not prevent the next one.
    if (isMysql()) return;
    const placed = place(() =>
      kind().transaction(async (tx, nested) => {
        await order(tx);
        await nested(async (inner) => {
          await inner.query('SELECT nothing', []).catch(() => {});
          await log.record(inner);
        }).catch(() => {});
      }),
    );
    await expect(placed).rejects.toThrow(/current transaction is aborted|Failed query/);
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: [] });
  });

  it('lets the method decide that the message of such a savepoint is dropped', async () => {
    await place(() =>
      kind().transaction(async (tx, nested) => {
        await order(tx);
        await nested(async (inner) => {
          await log.record(inner);
          throw new Error('no aeroplane');
        }).catch(() => currentLocalTransaction().rollback());
      }),
    );
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: [] });
  });

  it('accepts a row that is written after its savepoint was rolled back', async () => {
    await place(() =>
      kind().transaction(async (tx, nested) => {
        await nested(async (inner) => {
          await log.record(inner);
          throw new Error('try another way');
        }).catch(() => {});
        await order(tx);
        await log.record(tx);
      }),
    );
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: ['order-1'] });
  });

  it('uses the last run of a retried transaction, even if only an earlier run wrote the row', async () => {
    let runs = 0;
    await place(() =>
      retryTransaction(() =>
        kind().transaction(async (tx) => {
          runs++;
          await order(tx);
          if (runs > 1) return;
          await log.record(tx);
          throw Object.assign(new Error('could not serialize access'), { code: '40001' });
        }),
      ),
    );
    expect(runs).toBe(2);
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: ['order-1'] });
  });

  it('still finds the row that was written before a retried transaction', async () => {
    let runs = 0;
    const placed = place(async () => {
      await recordInVain();
      await retryTransaction(async () => {
        runs++;
        if (runs === 1) throw Object.assign(new Error('could not serialize access'), { code: '40001' });
      });
    });
    await expect(placed).rejects.toMatchObject({ code: rolledBack() });
    expect(await outcome()).toEqual({ orders: [], delivered: [] });
  });

  it('reports that other transactions of a method may be committed when the one with the row was rolled back', async () => {
    const placed = place(async () => {
      await recordInVain();
      await kind().transaction(async (tx) => void (await order(tx)));
    });
    await expect(placed).rejects.toThrow(
      isMysql() ? 'outside of that are committed' : 'committed in other transactions',
    );
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: [] });
  });

  describe.each([false, true])('when the row is in a savepoint: %s', (isInSavepoint) => {
    const record = (tx: SqlExecutor, nested: Nested) =>
      isInSavepoint ? nested((inner) => log.record(inner)) : log.record(tx);

    it('fails the method whose transaction was rolled back as a whole and caught, and drops the message', async () => {
      const placed = place(() =>
        kind()
          .transaction(async (tx, nested) => {
            await order(tx);
            await record(tx, nested);
            throw new Error('no aeroplane');
          })
          .catch(() => {}),
      );
      await expect(placed).rejects.toMatchObject({ code: rolledBack() });
      expect(await outcome()).toEqual({ orders: [], delivered: [] });
    });

    it('fails the method that swallowed the error of a later statement, and drops the message', async () => {
      if (isMysql()) return;
      const placed = place(() =>
        kind().transaction(async (tx, nested) => {
          await order(tx);
          await record(tx, nested);
          await order(tx).catch(() => {});
        }),
      );
      await expect(placed).rejects.toThrow(/rolled back/);
      expect(await outcome()).toEqual({ orders: [], delivered: [] });
    });

    it('lets a method drop its message before the row is written, and before its transaction is rolled back', async () => {
      await place(() => {
        currentLocalTransaction().rollback();
        return kind().transaction(async (tx, nested) => {
          await order(tx, 'without a message');
          await record(tx, nested);
        });
      });
      await place(() =>
        kind()
          .transaction(async (tx, nested) => {
            await order(tx);
            await record(tx, nested);
            throw new Error('no aeroplane');
          })
          .catch(() => currentLocalTransaction().rollback()),
      );
      expect(await outcome()).toEqual({ orders: ['without a message'], delivered: [] });
    });
  });

  it('answers the check of another process with rollback, when record() came after rollback()', async () => {
    let transactionId = '';
    await place(() => {
      currentLocalTransaction().rollback();
      transactionId = currentLocalTransaction().transactionId;
      return kind().transaction(async (tx) => {
        await order(tx, 'without a message');
        await log.record(tx);
      });
    });
    expect(await log.check({ transactionId, topic: ORDERS, signal: neverAborted })).toBe('rollback');
    expect(await outcome()).toEqual({ orders: ['without a message'], delivered: [] });
  });

  it('accepts a transaction that is retried after a rollback', async () => {
    await place(async () => {
      for (const attempt of [1, 2]) {
        await kind()
          .transaction(async (tx) => {
            await order(tx);
            await log.record(tx);
            if (attempt === 1) throw new Error('try again');
          })
          .catch(() => {});
      }
    });
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: ['order-1'] });
  });

  it('leaves the end to the check when the database does not respond', async () => {
    const { dialect = 'postgresql' } = kind().database;
    const silent: SqlDatabase = {
      dialect,
      transaction: (work) =>
        kind().database.transaction((tx) =>
          work({
            query: async (text, values) => {
              if (text.includes('txid_status') || text.includes('NOWAIT')) throw new Error('the connection was lost');
              return tx.query(text, values);
            },
          }),
        ),
    };
    const other = new TransactionLog({ database: silent });
    await place(() =>
      kind().transaction(async (tx) => {
        await order(tx);
        await other.record(tx);
      }),
    );
    expect([broker.messages(ORDERS).length, broker.halfMessages().length]).toEqual([0, 1]);
    expect(await outcome()).toEqual({ orders: ['order-1'], delivered: ['order-1'] });
  });

  it('fails the method that hid in a savepoint that a check came first', async () => {
    const placed = place(async () => {
      await checkNow();
      await kind().transaction(async (tx, nested) => {
        await order(tx);
        await nested((inner) => log.record(inner)).catch(() => {});
      });
    });
    const fenced = { code: 'TRANSACTION_FENCED' };
    await expect(placed).rejects.toMatchObject(isMysql() ? fenced : { code: 'RECORD_ROLLED_BACK', cause: fenced });
    // MySQL undoes the whole transaction.
    expect(await outcome()).toEqual({ orders: isMysql() ? [] : ['order-1'], delivered: [] });
  });

  it('lets a method return if a check has prevented its commit', async () => {
    const placed = place(async () => {
      await checkNow();
      await kind()
        .transaction(async (tx) => {
          await order(tx);
          await log.record(tx);
        })
        .catch(() => {});
    });
    if (isMysql()) await expect(placed).rejects.toMatchObject({ code: 'TRANSACTION_FENCED' });
    else await placed;
    expect(await outcome()).toEqual({ orders: [], delivered: [] });
  });

  it('commits the message if only a second row, in a savepoint, was rejected', async () => {
    const placed = place(() =>
      kind().transaction(async (tx, nested) => {
        await order(tx);
        await log.record(tx);
        await nested((inner) => log.record(inner)).catch(() => {});
      }),
    );
    if (isMysql()) await expect(placed).rejects.toMatchObject({ code: 'TRANSACTION_FENCED' });
    else await placed;
    const kept = isMysql() ? [] : ['order-1'];
    expect(await outcome()).toEqual({ orders: kept, delivered: kept });
  });
}
