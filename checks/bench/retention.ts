// What a transaction log of ten million rows costs: its size, a record with and without a purge beside it, and how fast a purge deletes the
// half that is old. Prints a row of a Markdown table for each database that is installed. The same holds for the inbox, whose rows are smaller.

import mysql from 'mysql2/promise';
import {
  mysql2Database,
  poolDatabase,
  type SqlDatabase,
  schemaSql,
  schemaStatements,
  TransactionLog,
} from 'nestjs-rocketmq/sql';
import pg from 'pg';
import { hasMySql, MySqlServer } from '../../tools/servers/mysql-server.ts';
import { Postgres, postgresFolder } from '../../tools/servers/postgres-server.ts';
import type { Counts, Tools } from '../check.js';

const TABLE = 'rocketmq_transaction_log';
const CHUNK_ROWS = 250_000;
const BASELINE_MS = 20_000;

interface Measured {
  readonly title: string;
  readonly database: SqlDatabase;
  /** Inserts numbered rows; of two one is 8 days old. */
  fill(from: number, to: number): Promise<unknown>;
  /** Of the table with its indexes. */
  bytes(): Promise<number>;
  close(): Promise<unknown>;
}

const KINDS = {
  postgresql: async () => (postgresFolder() === undefined ? undefined : onPostgres()),
  mariadb: async () => (hasMySql('MariaDB') ? onMySql('MariaDB') : undefined),
  mysql: async () => (hasMySql('MySQL') ? onMySql('MySQL') : undefined),
};
type Kind = keyof typeof KINDS;
const HEAD = ['database', 'rows', 'size', 'a record', 'a record beside a purge', 'a purge deletes'];

export async function measureRetention(
  { rows, only = Object.keys(KINDS) as Kind[] }: { readonly rows: number; readonly only?: readonly Kind[] | undefined },
  { print }: Tools,
): Promise<Counts> {
  print(`| ${HEAD.join(' | ')} |`);
  print(`|${HEAD.map(() => ' --- ').join('|')}|`);
  let passed = 0;
  for (const name of only) {
    const measured = await KINDS[name]();
    if (measured === undefined) {
      print(`${name} is not installed, so it was not measured`);
      continue;
    }
    try {
      print(await rowOf(measured, rows));
      passed++;
    } finally {
      await measured.close();
    }
  }
  return { passed, failed: 0 };
}

async function rowOf({ title, database, fill, bytes }: Measured, rows: number): Promise<string> {
  for (let from = 0; from < rows; from += CHUNK_ROWS) await fill(from, Math.min(rows, from + CHUNK_ROWS));
  const size = await bytes();
  const log = new TransactionLog({ database });
  const alone = await records(log, database, new Promise((resolve) => setTimeout(resolve, BASELINE_MS)));
  const beganAt = performance.now();
  const purging = log.purge();
  const beside = await records(log, database, purging);
  const perSecond = (await purging) / ((performance.now() - beganAt) / 1_000);
  return `| ${title} | ${millions(rows)} | ${(size / 2 ** 30).toFixed(1)} GiB | ${alone} | ${beside} | ${Math.round(perSecond / 100) * 100} rows/s |`;
}

/** One transaction after another, as an application would begin them. */
async function records(log: TransactionLog, database: SqlDatabase, end: Promise<unknown>): Promise<string> {
  let isOver = false;
  const over = end.finally(() => {
    isOver = true;
  });
  const timesMs: number[] = [];
  for (let number = 0; !isOver; number++) {
    const beganAt = performance.now();
    const transactionId = `${beganAt}-${number}`;
    await database.transaction((tx) => log.record(tx, { transactionId, topic: 'orders' }));
    timesMs.push(performance.now() - beganAt);
  }
  await over;
  timesMs.sort((one, other) => one - other);
  const at = (share: number) => `${(timesMs[Math.floor(timesMs.length * share)] ?? 0).toFixed(1)} ms`;
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(0.999999)}`;
}

async function onPostgres(): Promise<Measured> {
  const server = await Postgres.start(['shared_buffers=1GB', 'max_wal_size=8GB']);
  const pool = new pg.Pool(server.address);
  await pool.query(schemaSql());
  return {
    title: 'PostgreSQL 15',
    database: poolDatabase(pool),
    fill: (from, to) =>
      pool.query(
        `INSERT INTO ${TABLE} (transaction_id, topic, resolution, created_at)
           SELECT md5(n::text), 'orders', 'commit', now() - (n % 2) * interval '8 days' FROM generate_series(${from}, ${to - 1}) n`,
      ),
    bytes: async () => {
      const { rows: found } = await pool.query(`SELECT pg_total_relation_size('${TABLE}') AS bytes`);
      return Number(found[0].bytes);
    },
    close: async () => {
      await pool.end();
      await server.stop();
    },
  };
}

async function onMySql(product: 'MariaDB' | 'MySQL'): Promise<Measured> {
  const server = await MySqlServer.start(product, ['innodb-buffer-pool-size=1G']);
  const pool = mysql.createPool({ ...server.address, connectionLimit: 5 });
  for (const statement of schemaStatements({ dialect: 'mysql' })) await pool.query(statement);
  await pool.query('CREATE TABLE digits (d int PRIMARY KEY)');
  await pool.query('INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)');
  const number = ['a', 'b', 'c', 'd', 'e', 'f'].map((name, index) => `${name}.d * ${10 ** index}`).join(' + ');
  const tables = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `digits ${name}`).join(', ');
  return {
    title: product === 'MySQL' ? 'MySQL 9.7' : 'MariaDB 10.11',
    database: mysql2Database(pool),
    fill: (from, to) =>
      pool.query(
        `INSERT INTO ${TABLE} (transaction_id, topic, resolution, created_at)
           SELECT LEFT(SHA2(n, 256), 32), 'orders', 'commit', UTC_TIMESTAMP(3) - INTERVAL ((n % 2) * 8) DAY
           FROM (SELECT ${from} + ${number} AS n FROM ${tables}) numbers WHERE n < ${to}`,
      ),
    bytes: async () => {
      await pool.query(`ANALYZE TABLE ${TABLE}`);
      const [found] = await pool.query(
        'SELECT DATA_LENGTH + INDEX_LENGTH AS bytes FROM information_schema.TABLES WHERE TABLE_NAME = ?',
        [TABLE],
      );
      return Number((found as { bytes: unknown }[])[0]?.bytes);
    },
    close: async () => {
      await pool.end();
      await server.stop();
    },
  };
}

function millions(count: number): string {
  return count % 1e6 === 0 ? `${count / 1e6} million` : String(count);
}
