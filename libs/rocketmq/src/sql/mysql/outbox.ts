// The outbox on MySQL, which changes rows without returning them. A relay chooses rows without locks and claims them by their primary keys;
// the change itself decides whether the claim holds, so it waits for no one but another relay that claims the same rows.

import { createHash } from 'node:crypto';
import type { ClaimedRow, ClaimOptions, FailedRow, LagRow, OutboxStatements, ParkedRow } from '../dialect.js';
import { firstBytes, keptRows, type RowPlace } from '../outbox/claimed-rows.js';
import type { OutboxColumns } from '../outbox-message.js';
import { numbersOf } from '../rows.js';
import { runAlone, type SqlDatabase, type SqlExecutor } from '../sql-port.js';
import { quoted } from '../table-name.js';
import { notReady } from '../transaction-guards.js';
import { affectedRows, hexOf, marks, ofHex, readsOnly, textOf } from './statements.js';

export const outbox: OutboxStatements = {
  lockGroup,
  tryLockGroups,
  insert,
  lag,
  parked,
  retryParked,
  take,
  sent,
  failed,
  release,
};

/** How many rows to lock for message groups; groups that share one wait for each other. MySQL has no locks that end with a transaction. */
export const GROUP_LOCKS = 1_024;

/** The table of the locks, quoted. */
export function groupLocksOf(outboxTable: string): string {
  return quoted(`${outboxTable}_lock`, '`');
}

async function lockGroup(tx: SqlExecutor, table: string, messageGroup: string): Promise<void> {
  const slot = slotOf(messageGroup);
  const locked = await lockSlots(tx, table, [slot], 'FOR UPDATE');
  if (!locked.has(slot)) throw notReady(`table ${table}_lock has no row ${slot}`);
}

/** A row that is missing counts as locked: to look for it without a lock would wait under SERIALIZABLE. `assertReady` finds it. */
async function tryLockGroups(
  tx: SqlExecutor,
  table: string,
  messageGroups: readonly string[],
): Promise<ReadonlySet<string>> {
  const locked = await lockSlots(tx, table, [...new Set(messageGroups.map(slotOf))], 'FOR UPDATE SKIP LOCKED');
  return new Set(messageGroups.filter((messageGroup) => locked.has(slotOf(messageGroup))));
}

async function lockSlots(
  tx: SqlExecutor,
  table: string,
  slots: readonly number[],
  lock: string,
): Promise<ReadonlySet<number>> {
  const text = `SELECT \`slot\` FROM ${groupLocksOf(table)} FORCE INDEX (PRIMARY) WHERE \`slot\` IN (${marks(slots)}) ${lock}`;
  const { rows } = await tx.query(text, [...slots]);
  return new Set((rows as readonly { readonly slot: unknown }[]).map(({ slot }) => Number(slot)));
}

function slotOf(messageGroup: string): number {
  return createHash('sha256').update(messageGroup).digest().readUInt16BE() % GROUP_LOCKS;
}

async function insert(tx: SqlExecutor, table: string, id: string, columns: OutboxColumns): Promise<void> {
  const { topic, messageGroup, fields, body } = columns;
  const text =
    `INSERT INTO ${quoted(table, '`')} (\`id\`, \`topic\`, \`message_group\`, \`fields\`, \`body\`, \`created_at\`) ` +
    'VALUES (?, ?, UNHEX(?), UNHEX(?), FROM_BASE64(?), UTC_TIMESTAMP(3))';
  await tx.query(text, [id, topic, hexOf(messageGroup), hexOf(fields), body]);
}

async function lag(tx: SqlExecutor, name: string): Promise<LagRow> {
  const table = quoted(name, '`');
  const count = (state: string): string => `(SELECT COUNT(*) FROM ${table} WHERE \`state\` = '${state}')`;
  const age = 'TIMESTAMPDIFF(MICROSECOND, MIN(`created_at`), UTC_TIMESTAMP(3)) / 1000';
  const text =
    `SELECT ${count('unsent')} AS \`unsent\`, ${count('parked')} AS \`parked\`, ` +
    `(SELECT ${age} FROM ${table} WHERE \`state\` = 'unsent') AS \`oldest\``;
  return numbersOf<LagRow>((await tx.query(text, [])).rows, ['unsent', 'parked', 'oldest']);
}

async function parked(tx: SqlExecutor, table: string, limit: number): Promise<readonly ParkedRow[]> {
  const text =
    'SELECT `id`, `topic`, HEX(`message_group`) AS `messageGroup`, `attempts`, HEX(`last_error`) AS `lastError` ' +
    `FROM ${quoted(table, '`')} FORCE INDEX (\`state_position\`) WHERE \`state\` = 'parked' ORDER BY \`position\` LIMIT ${limit}`;
  const rows = (await tx.query(text, [])).rows as readonly ParkedRow[];
  return rows.map((row) => ({
    ...row,
    messageGroup: ofHex(row.messageGroup),
    attempts: Number(row.attempts),
    lastError: ofHex(row.lastError),
  }));
}

/** The rows are chosen without locks, and each statement changes a bounded number of them. */
async function retryParked(tx: SqlExecutor, name: string, ids: readonly string[] | undefined): Promise<number> {
  if (ids?.length === 0) return 0;
  const table = quoted(name, '`');
  const among = ids === undefined ? '' : ` AND \`id\` IN (${marks(ids)})`;
  const choose = `SELECT \`position\` FROM ${table} FORCE INDEX (\`state_position\`) WHERE \`state\` = 'parked'${among}`;
  const positions = positionsOf(await tx.query(choose, [...(ids ?? [])]));
  let count = 0;
  for (let start = 0; start < positions.length; start += MAX_AT_ONCE) {
    const some = positions.slice(start, start + MAX_AT_ONCE);
    const set = "`state` = 'unsent', `attempts` = 0, `due_at` = 0, `settled_at` = NULL";
    await tx.query(`${updateOf(table)} ${set} WHERE ${positionIn(some)} AND \`state\` = 'parked'`, some);
    count += await affectedRows(tx);
  }
  return count;
}

const MAX_AT_ONCE = 500;

/**
 * By any other index, InnoDB would also lock rows next to those that change, at REPEATABLE READ: it would wait for each open transaction that has
 * added a message.
 */
function updateOf(table: string): string {
  return `UPDATE ${table} FORCE INDEX (PRIMARY) SET`;
}

function positionIn(positions: readonly number[]): string {
  return `\`position\` IN (${marks(positions)})`;
}

async function take(database: SqlDatabase, name: string, options: ClaimOptions): Promise<readonly ClaimedRow[]> {
  const table = quoted(name, '`');
  const chosen = await database.transaction(async (tx) => {
    await readsOnly(tx);
    return choose(tx, table, options);
  });
  if (chosen.length === 0) return [];
  const { claim, nowMs, endsAtMs } = options;
  const positions = chosen.map(({ position }) => position);
  return database.transaction(async (tx) => {
    const set = `\`claim\` = ?, \`due_at\` = ${endsAtMs}`;
    const condition = `${positionIn(positions)} AND \`state\` = 'unsent' AND \`due_at\` <= ${nowMs}`;
    await tx.query(`${updateOf(table)} ${set} WHERE ${condition} ORDER BY \`position\``, [claim, ...positions]);
    const claimed = await claimedRows(tx, table, claim, positions);
    const isClaimed = new Set(claimed.map(({ position }) => position));
    const [kept, behind] = keptRows(
      claimed,
      chosen.filter(({ position }) => !isClaimed.has(position)),
    );
    if (behind.length > 0) await release(tx, name, claim, behind);
    return kept;
  });
}

/**
 * In the order of their positions. By statistics, MySQL sometimes reads all unsent rows to find the earlier ones of each: with 100,000 rows of one
 * group for 20 s.
 */
async function choose(
  tx: SqlExecutor,
  table: string,
  { nowMs, limit, groupRows, bytes }: ClaimOptions,
): Promise<readonly ChosenRow[]> {
  const due = `SELECT \`o\`.\`position\` FROM ${table} \`o\`
  WHERE \`o\`.\`state\` = 'unsent' AND \`o\`.\`due_at\` <= ? AND (\`o\`.\`message_group\` IS NULL OR NOT EXISTS (
    SELECT 1 FROM ${table} \`e\` FORCE INDEX (\`state_group\`) WHERE \`e\`.\`state\` = 'unsent'
      AND \`e\`.\`message_group\` = \`o\`.\`message_group\` AND \`e\`.\`position\` < \`o\`.\`position\`))
  ORDER BY \`o\`.\`position\` LIMIT ${limit}`;
  const heads = positionsOf(await tx.query(due, [nowMs]));
  if (heads.length === 0) return [];
  const following = `SELECT \`position\` FROM (
  SELECT \`n\`.\`position\`, ROW_NUMBER() OVER (PARTITION BY \`n\`.\`message_group\` ORDER BY \`n\`.\`position\`) AS \`place\`
  FROM ${table} \`h\` JOIN ${table} \`n\` ON \`n\`.\`state\` = 'unsent' AND \`n\`.\`message_group\` = \`h\`.\`message_group\`
  WHERE \`h\`.\`position\` IN (${marks(heads)})) \`ranked\`
WHERE \`place\` BETWEEN 2 AND ${groupRows} ORDER BY \`position\` LIMIT ${Math.max(0, limit - heads.length)}`;
  const next = positionsOf(await tx.query(following, heads));
  const all = [...new Set([...heads, ...next])];
  const text =
    'SELECT `position`, HEX(`message_group`) AS `messageGroup`, LENGTH(`body`) AS `bytes`, `due_at` AS `dueAtMs` ' +
    `FROM ${table} WHERE ${positionIn(all)} ORDER BY \`position\``;
  const rows = ((await tx.query(text, all)).rows as readonly Readonly<Record<keyof ChosenRow, unknown>>[]).map(
    (row) => ({
      position: Number(row.position),
      messageGroup: ofHex(row.messageGroup as string | null),
      bytes: Number(row.bytes),
      dueAtMs: Number(row.dueAtMs),
    }),
  );
  const [kept] = keptRows(
    rows,
    rows.filter(({ dueAtMs }) => dueAtMs > nowMs),
  );
  return firstBytes(kept, bytes);
}

interface ChosenRow extends RowPlace {
  readonly bytes: number;
  readonly dueAtMs: number;
}

async function claimedRows(
  tx: SqlExecutor,
  table: string,
  claim: string,
  positions: readonly number[],
): Promise<readonly ClaimedRow[]> {
  const text =
    'SELECT `position`, `id`, `topic`, HEX(`message_group`) AS `messageGroup`, HEX(`fields`) AS `fields`, TO_BASE64(`body`) AS `body`, `attempts` ' +
    `FROM ${table} FORCE INDEX (PRIMARY) WHERE ${positionIn(positions)} AND \`claim\` = ? AND \`state\` = 'unsent' ORDER BY \`position\``;
  const rows: ClaimedRow[] = [];
  for (const row of (await tx.query(text, [...positions, claim])).rows as readonly ClaimedRow[]) {
    const { id, topic } = row;
    const [position, attempts] = [Number(row.position), Number(row.attempts)];
    const [messageGroup, fields] = [ofHex(row.messageGroup), ofHex(row.fields)];
    const body = row.body === null ? await bodyInHalves(tx, table, position) : textOf(row.body);
    rows.push({ position, id, topic, messageGroup, fields, body, attempts });
  }
  return rows;
}

/**
 * `TO_BASE64` inserts line breaks, so a body that fitted into a packet (`max_allowed_packet`) when it was added may be too long for one.
 * Each half is not.
 */
async function bodyInHalves(tx: SqlExecutor, table: string, position: number): Promise<string | null> {
  // The first half has whole groups of three bytes, so the texts can be joined.
  const half = 'CEILING(LENGTH(`body`) / 6) * 3';
  const halves = [`SUBSTRING(\`body\`, 1, ${half})`, `SUBSTRING(\`body\`, ${half} + 1)`];
  let body = '';
  for (const bytes of halves) {
    const text = `SELECT TO_BASE64(${bytes}) AS \`half\` FROM ${table} WHERE \`position\` = ?`;
    const [row] = (await tx.query(text, [position])).rows as readonly { readonly half: string | null }[];
    if (row?.half == null) return null;
    body += textOf(row.half);
  }
  return body;
}

function positionsOf({ rows }: { readonly rows: readonly object[] }): number[] {
  return (rows as readonly { readonly position: unknown }[]).map(({ position }) => Number(position));
}

async function sent(database: SqlDatabase, table: string, positions: readonly number[]): Promise<void> {
  const set = "`state` = 'sent', `claim` = NULL, `last_error` = NULL, `settled_at` = UTC_TIMESTAMP(3)";
  const condition = `${positionIn(positions)} AND \`state\` <> 'sent'`;
  await runAlone(database, `${updateOf(quoted(table, '`'))} ${set} WHERE ${condition}`, [...positions]);
}

async function failed(
  tx: SqlExecutor,
  table: string,
  claim: string,
  { position, error, attempts, retryAtMs }: FailedRow,
): Promise<boolean> {
  const end =
    retryAtMs === undefined
      ? "`state` = 'parked', `settled_at` = UTC_TIMESTAMP(3)"
      : `\`due_at\` = ${Math.round(retryAtMs)}`;
  const text =
    `${updateOf(quoted(table, '`'))} ${end}, \`attempts\` = ?, ` +
    '`last_error` = CONVERT(UNHEX(?) USING utf8mb4), `claim` = NULL ' +
    "WHERE `position` = ? AND `claim` = ? AND `state` = 'unsent'";
  await tx.query(text, [attempts, hexOf(error), position, claim]);
  return (await affectedRows(tx)) > 0;
}

async function release(tx: SqlExecutor, table: string, claim: string, positions: readonly number[]): Promise<void> {
  const condition = `${positionIn(positions)} AND \`claim\` = ? AND \`state\` = 'unsent'`;
  const text = `${updateOf(quoted(table, '`'))} \`claim\` = NULL, \`due_at\` = 0 WHERE ${condition}`;
  await tx.query(text, [...positions, claim]);
}
