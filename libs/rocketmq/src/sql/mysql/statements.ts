// Pieces of MySQL statements.

import type { SqlExecutor } from '../sql-port.js';

/** A parameter in microseconds as an interval. */
export const AGE = 'INTERVAL ? MICROSECOND';

/** As many placeholders as values. */
export function marks(values: readonly unknown[], mark = '?'): string {
  return values.map(() => mark).join(', ');
}

/** The rows that the statement before has changed. */
export async function affectedRows(tx: SqlExecutor): Promise<number> {
  const { rows } = await tx.query('SELECT ROW_COUNT() AS `count`', []);
  // Drivers return large integers as numbers, bigints or strings.
  return Number((rows as readonly { readonly count: unknown }[])[0]?.count ?? 0);
}

/**
 * Ends the transaction that the client has begun, so that each read is a transaction of its own, without locks: at SERIALIZABLE, a read in a
 * transaction waits for everybody who changes or adds rows of its range. The first read sees only what is committed, even at READ UNCOMMITTED.
 */
export async function readsOnly(tx: SqlExecutor): Promise<void> {
  await tx.query('COMMIT AND NO CHAIN', []);
  await tx.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED', []);
}

/**
 * Strings of others are passed as hexadecimal digits: a connection with the character set latin1 would change or lose characters, and drivers escape quotes
 * with backslashes that the mode NO_BACKSLASH_ESCAPES stores.
 */
export function hexOf(text: string | null): string | null {
  return text === null ? null : Buffer.from(text).toString('hex');
}

/** What `HEX` has made of a string. */
export function ofHex<T extends string | null>(hex: T): T | string {
  return hex === null ? hex : Buffer.from(textOf(hex), 'hex').toString();
}

/** Clients can be set to return texts as bytes. */
export function textOf<T>(value: T): T | string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : value;
}
