// Deleting old rows in a real database, beside others that use the table.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import mysql from 'mysql2/promise';
import {
  Inbox,
  mysql2Database,
  mysql2Executor,
  Outbox,
  poolDatabase,
  type SqlDatabase,
  type SqlExecutor,
  schemaSql,
  schemaStatements,
  TransactionLog,
} from 'nestjs-rocketmq/sql';
import pg from 'pg';
import { describeWithMySql, MySqlServer } from '../fixtures/mysql.js';
import { describeWithPostgres, Postgres } from '../fixtures/postgres.js';

describeWithPostgres('a purge on PostgreSQL', () => {
  let server: Postgres;
  let pool: pg.Pool;

  beforeAll(async () => {
    server = await Postgres.start();
    pool = new pg.Pool(server.address);
    await pool.query(schemaSql());
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });

  const idsIn = async (table: string): Promise<string[]> =>
    (await pool.query(`SELECT transaction_id FROM ${table} ORDER BY 1`)).rows.map((row) => row.transaction_id);

  it('deletes only old rows of a partitioned log', async () => {
    await pool.query(`CREATE TABLE parts (LIKE rocketmq_transaction_log INCLUDING DEFAULTS, PRIMARY KEY (transaction_id))
        PARTITION BY HASH (transaction_id);
      CREATE TABLE part0 PARTITION OF parts FOR VALUES WITH (modulus 2, remainder 0);
      CREATE TABLE part1 PARTITION OF parts FOR VALUES WITH (modulus 2, remainder 1);
      INSERT INTO parts SELECT 'T' || n, 'steps', 'commit' FROM generate_series(1, 40) n;
      UPDATE parts SET created_at = now() - interval '8 days' WHERE tableoid = 'part0'::regclass`);
    // So that rows of both partitions have the same places.
    await pool.query('VACUUM FULL part0');
    await pool.query('VACUUM FULL part1');
    const [old, fresh] = [await idsIn('part0'), await idsIn('part1')];
    const log = new TransactionLog({ database: poolDatabase(pool), tableName: 'parts' });
    expect(await log.purge()).toBe(old.length);
    expect(await idsIn('parts')).toEqual(fresh);
  });

  it('has an index for each of several tables with long names', async () => {
    const base = 'the_long_prefix_of_a_team_that_names_all_of_its_tables_';
    const names = { transactionLogTable: `${base}log`, inboxTable: `${base}inbox`, outboxTable: `${base}outb` };
    await pool.query(schemaSql(names));
    await pool.query(schemaSql(names));
    const { rows } = await pool.query(
      `SELECT tablename, count(*)::int FROM pg_indexes WHERE tablename LIKE $1 GROUP BY 1 ORDER BY 1`,
      [`${base}%`],
    );
    expect(rows).toEqual([
      { tablename: `${base}inbox`, count: 2 },
      { tablename: `${base}log`, count: 2 },
      { tablename: `${base}outb`, count: 6 },
    ]);
  });

  it('deletes nothing if rows are kept for longer than dates reach', async () => {
    const database = poolDatabase(pool);
    expect(await new Inbox({ retentionMs: Number.MAX_SAFE_INTEGER }).purge(database)).toBe(0);
    expect(await new Inbox({ retentionMs: 500 * 365 * 24 * 3_600_000 }).purge(database)).toBe(0);
  });
});

describeWithMySql('a purge on', (product) => {
  describe.each(['REPEATABLE-READ', 'SERIALIZABLE'])('under %s', (level) => {
    let server: MySqlServer;
    let pool: mysql.Pool;

    beforeAll(async () => {
      const settings = [`transaction-isolation=${level}`, 'innodb-lock-wait-timeout=1'];
      server = await MySqlServer.start(product, settings);
      pool = mysql.createPool(server.address);
      for (const statement of schemaStatements({ dialect: 'mysql' })) await pool.query(statement);
    });
    afterAll(async () => {
      await pool?.end();
      await server?.stop();
    });

    const inbox = new Inbox();
    const outbox = new Outbox();
    const log = (): TransactionLog => new TransactionLog({ database: mysql2Database(pool) });
    const kinds = [
      {
        table: 'rocketmq_inbox',
        row: (id: string, age: string) => `('${id}', ${age})`,
        use: (tx: SqlExecutor, id: string) => inbox.once(tx, id, async () => {}),
        purge: (database: SqlDatabase) => inbox.purge(database),
      },
      {
        table: 'rocketmq_transaction_log',
        row: (id: string, age: string) => `('${id}', 'steps', 'commit', ${age})`,
        use: (tx: SqlExecutor, id: string) => log().record(tx, { transactionId: id, topic: 'steps' }),
        purge: (database: SqlDatabase) => log().purge(database),
      },
      {
        table: 'rocketmq_outbox',
        row: (id: string, age: string) =>
          `(DEFAULT, '${id}', 'steps', NULL, '{}', 'x', ${age}, 'sent', 0, NULL, 0, NULL, ${age})`,
        use: (tx: SqlExecutor) => outbox.add(tx, { topic: 'steps', body: 'x' }),
        purge: (database: SqlDatabase) => outbox.purge(database),
      },
    ];

    // How many are old decides on the plan.
    it.each(
      kinds.flatMap((kind) =>
        [
          [5, 3],
          [300, 50],
          [2_500, 10],
        ].map(([old = 0, fresh = 0]) => ({ ...kind, old, fresh })),
      ),
    )(
      'of $table deletes $old rows beside $fresh others, and beside transactions that add',
      async ({ table, row, use, purge, old, fresh }) => {
        await pool.query(`DELETE FROM ${table}`);
        const rows = (count: number, name: string, age: string): string[] =>
          Array.from({ length: count }, (_, index) => row(`${name}${index}`, age));
        const all = [
          ...rows(old, 'old', 'UTC_TIMESTAMP(3) - INTERVAL 8 DAY'),
          ...rows(fresh, 'fresh', 'UTC_TIMESTAMP(3)'),
        ];
        await pool.query(`INSERT INTO ${table} VALUES ${all.join(', ')}`);
        await pool.query(`ANALYZE TABLE ${table}`);
        const open = await pool.getConnection();
        try {
          await open.query('START TRANSACTION');
          await use(mysql2Executor(open), 'open');
          let isWaited = false;
          const during = async (work: (tx: SqlExecutor) => Promise<unknown>): Promise<void> => {
            if (isWaited) return;
            isWaited = true;
            await mysql2Database(pool).transaction(work);
          };
          // Another transaction adds while the purge holds its locks.
          const watched: SqlDatabase = {
            dialect: 'mysql',
            transaction: (work) =>
              mysql2Database(pool).transaction(async (tx) => {
                const result = await work(tx);
                if (typeof result === 'number') await during((other) => use(other, 'old1x'));
                return result;
              }),
          };
          expect(await purge(watched)).toBe(old);
        } finally {
          await open.query('ROLLBACK');
          open.release();
        }
        const [left] = await pool.query<mysql.RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${table}`);
        expect(left[0]?.n).toBe(fresh + 1);
      },
    );

    it('does not delete a key that was inserted again after another purge had deleted it', async () => {
      const database = mysql2Database(pool);
      await pool.query('DELETE FROM rocketmq_inbox');
      const once = () => database.transaction((tx) => inbox.once(tx, 'again', async () => {}));
      await pool.query(`INSERT INTO rocketmq_inbox VALUES ('again', UTC_TIMESTAMP(3) - INTERVAL 8 DAY)`);
      let transactions = 0;
      const slow: SqlDatabase = {
        dialect: 'mysql',
        transaction: async (work) => {
          transactions++;
          if (transactions === 2) {
            await inbox.purge(database);
            await once();
          }
          return database.transaction(work);
        },
      };
      expect(await inbox.purge(slow)).toBe(0);
      expect(await once()).toEqual({ first: false });
    });
  });
});
