// MySQL 8 and MariaDB 10.6 with InnoDB: the tables, the inbox, and the deletion of old rows. The rest is in files of its own.

import { UsageError } from '../../support/errors.js';
import type { Dialect, OldRows, TableFacts, TableNames } from '../dialect.js';
import { namedRows } from '../rows.js';
import { isDuplicate } from '../sql-errors.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';
import { entryStatesOf, quoted } from '../table-name.js';
import { limits } from './limits.js';
import { log } from './log.js';
import { GROUP_LOCKS, groupLocksOf, outbox } from './outbox.js';
import { schedule } from './schedule.js';
import { AGE, affectedRows, hexOf, marks, readsOnly } from './statements.js';

export const mysql: Dialect = {
  schema,
  inspect,
  locksOf: (table) => ({ table: groupLocksOf(table), rows: GROUP_LOCKS }),
  readsOnly,
  log,
  outbox,
  schedule,
  limits,
  insertKey,
  deleteOld,
};

/** Names that others choose are bytes, since character types take strings for equal that differ in case or in spaces at the end. */
const KEY_BYTES = 1_020;

function schema(tables: TableNames): string[][] {
  return [version1(tables), version2(tables), version3(tables)];
}

function version1({ log, inbox, outbox }: TableNames): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${quoted(log, '`')} (
  \`transaction_id\` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  \`topic\` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  \`resolution\` varchar(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL CHECK (\`resolution\` IN ('commit', 'rollback')),
  \`created_at\` datetime(3) NOT NULL,
  KEY \`created_at\` (\`created_at\`)
) ENGINE = InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${quoted(inbox, '`')} (
  \`key\` varbinary(${KEY_BYTES}) NOT NULL PRIMARY KEY,
  \`created_at\` datetime(3) NOT NULL,
  KEY \`created_at\` (\`created_at\`)
) ENGINE = InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${quoted(outbox, '`')} (
  \`position\` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  \`id\` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  \`topic\` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  \`message_group\` varbinary(255),
  \`fields\` mediumtext CHARACTER SET utf8mb4 NOT NULL,
  \`body\` mediumblob NOT NULL,
  \`created_at\` datetime(3) NOT NULL,
  \`state\` varchar(6) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'unsent' CHECK (\`state\` IN ('unsent', 'sent', 'parked')),
  \`due_at\` bigint NOT NULL DEFAULT 0,
  \`claim\` varchar(64) CHARACTER SET ascii COLLATE ascii_bin,
  \`attempts\` int NOT NULL DEFAULT 0,
  \`last_error\` text CHARACTER SET utf8mb4,
  \`settled_at\` datetime(3),
  KEY \`state_position\` (\`state\`, \`position\`),
  KEY \`state_group\` (\`state\`, \`message_group\`, \`position\`),
  KEY \`state_settled\` (\`state\`, \`settled_at\`)
) ENGINE = InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${groupLocksOf(outbox)} (
  \`slot\` smallint NOT NULL PRIMARY KEY
) ENGINE = InnoDB`,
    `INSERT IGNORE INTO ${groupLocksOf(outbox)} (\`slot\`) VALUES ${Array.from({ length: GROUP_LOCKS }, (_, slot) => `(${slot})`).join(', ')}`,
  ];
}

function version2({ schedule: name }: TableNames): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${quoted(name, '`')} (
  \`key\` varbinary(255) NOT NULL PRIMARY KEY,
  \`id\` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  \`topic\` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  \`message_group\` varbinary(255),
  \`fields\` mediumtext CHARACTER SET utf8mb4 NOT NULL,
  \`body\` mediumblob NOT NULL,
  \`due_at\` bigint NOT NULL,
  \`cron\` varchar(255) CHARACTER SET ascii COLLATE ascii_bin,
  \`time_zone\` varchar(64) CHARACTER SET ascii COLLATE ascii_bin,
  KEY \`due_at\` (\`due_at\`)
) ENGINE = InnoDB`,
  ];
}

function version3({ limit: name, schedule }: TableNames): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${quoted(entryStatesOf(schedule), '`')} (
  \`key\` varbinary(255) NOT NULL PRIMARY KEY,
  \`last_tick_at\` bigint,
  \`paused_at\` bigint,
  \`reason\` text CHARACTER SET utf8mb4
) ENGINE = InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${quoted(name, '`')} (
  \`key\` varbinary(${KEY_BYTES}) NOT NULL PRIMARY KEY,
  \`version\` bigint NOT NULL,
  \`state\` mediumtext CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB`,
  ];
}

async function inspect(tx: SqlExecutor, table: string): Promise<TableFacts | undefined> {
  const [name, schemaName = null] = table.split('.').reverse();
  const isTable = (of: string) => `${of}.\`table_schema\` = COALESCE(?, DATABASE()) AND ${of}.\`table_name\` = ?`;
  const columns =
    'SELECT `c`.`column_name` AS `name`, `c`.`collation_name` AS `collation`, `c`.`data_type` AS `type`, `t`.`engine` AS `engine` ' +
    `FROM \`information_schema\`.\`columns\` \`c\` JOIN \`information_schema\`.\`tables\` \`t\` ON ${isTable('`t`')} WHERE ${isTable('`c`')}`;
  const rows = namedRows<Column>((await tx.query(columns, [schemaName, name, schemaName, name])).rows);
  const [first] = rows;
  if (first === undefined) return undefined;
  const keys =
    'SELECT `s`.`column_name` AS `name`, `s`.`index_name` AS `index`, `s`.`sub_part` AS `prefix` ' +
    `FROM \`information_schema\`.\`statistics\` \`s\` WHERE ${isTable('`s`')} AND \`s\`.\`non_unique\` = 0 AND \`s\`.\`column_name\` IS NOT NULL`;
  const parts = namedRows<IndexPart>((await tx.query(keys, [schemaName, name])).rows);
  return {
    // A view has no engine and no index, but its table has.
    wrongEngine: first.engine === null || /^innodb$/i.test(first.engine) ? undefined : first.engine,
    columns: new Map(
      rows.map((column) => [
        column.name,
        {
          uniqueWith: first.engine === null ? 1 : smallestIndexOf(column.name, parts),
          looseCollation: isExact(column) ? undefined : (column.collation ?? undefined),
        },
      ]),
    ),
  };
}

/** Whether different values are never equal. The keys of the inbox, which others choose, can differ by a space at the end. */
function isExact({ name, collation, type }: Column): boolean {
  if (collation === null) return true;
  if (name !== 'key') return /bin$/i.test(collation);
  return /(_0900|nopad)_bin$/i.test(collation) && !/^char$/i.test(type);
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly collation: string | null;
  readonly engine: string | null;
}

interface IndexPart {
  readonly name: string;
  readonly index: string;
  /** How many characters of the column are in the index; null for all. */
  readonly prefix: unknown;
}

function smallestIndexOf(column: string, parts: readonly IndexPart[]): number | undefined {
  const sizes = parts
    .filter(({ name, prefix }) => name === column && prefix === null)
    .map(({ index }) => parts.filter((part) => part.index === index).length);
  return sizes.length === 0 ? undefined : Math.min(...sizes);
}

async function insertKey(tx: SqlExecutor, table: string, key: string): Promise<boolean> {
  if (Buffer.byteLength(key) > KEY_BYTES) {
    const text = `the key of an inbox step has ${Buffer.byteLength(key)} bytes; the limit on MySQL is ${KEY_BYTES}; nothing was done`;
    throw new UsageError('ILLEGAL_KEY', text, 'key');
  }
  try {
    await tx.query(`INSERT INTO ${quoted(table, '`')} (\`key\`, \`created_at\`) VALUES (UNHEX(?), UTC_TIMESTAMP(3))`, [
      hexOf(key),
    ]);
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

/**
 * The rows are chosen without locks and deleted by their primary keys. By any other way InnoDB would also lock gaps between rows, into which others
 * insert. It takes an index hint only in the form of DELETE for several tables. The age is checked again, because of two purges at once
 * the slower one can find a new row with the key of one that the other has deleted.
 */
async function deleteOld(
  database: SqlDatabase,
  { table: name, column, key, state, retentionMs }: OldRows,
  limit: number,
): Promise<number> {
  const table = quoted(name, '`');
  const condition = state === undefined ? '' : ` AND \`state\` = '${state}'`;
  const age = `\`${column}\` < UTC_TIMESTAMP(3) - ${AGE}${condition}`;
  const ageUs = retentionMs * 1_000;
  const { read, mark } = KEYS[key];
  const choose = `SELECT ${read} AS \`key\` FROM ${table} WHERE ${age} LIMIT ${limit}`;
  const { rows: chosen } = await database.transaction(async (tx) => {
    await readsOnly(tx);
    return tx.query(choose, [ageUs]);
  });
  if (chosen.length === 0) return 0;
  return database.transaction(async (tx) => {
    const keys = (chosen as readonly { readonly key: unknown }[]).map((row) => String(row.key));
    const among = `\`${key}\` IN (${marks(keys, mark)})`;
    await tx.query(`DELETE \`t\` FROM ${table} AS \`t\` FORCE INDEX (PRIMARY) WHERE ${among} AND ${age}`, [
      ...keys,
      ageUs,
    ]);
    return affectedRows(tx);
  });
}

/** How primary keys are read and passed: what others choose is bytes, as hexadecimal digits. */
const KEYS = {
  transaction_id: { read: '`transaction_id`', mark: '?' },
  key: { read: 'HEX(`key`)', mark: 'UNHEX(?)' },
  position: { read: 'CAST(`position` AS CHAR)', mark: 'CAST(? AS SIGNED)' },
} as const;
