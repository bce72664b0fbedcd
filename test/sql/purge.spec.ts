// Deleting old rows in a real database, beside others that use the table.

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { poolDatabase, schemaSql, TransactionLog } from 'nestjs-rocketmq/sql';
import pg from 'pg';
import { describeWithPostgres, Postgres } from '../support/postgres.js';

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
});
