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
 * Reads what is committed, without locks, as the only statement of its transaction: at SERIALIZABLE, a read in a transaction waits for
 * everybody who changes or adds rows of the range. The transaction that the client has begun is ended, and nothing begins another one.
 */
export async function readUnlocked(
  tx: SqlExecutor,
  text: string,
  parameters: unknown[],
): ReturnType<SqlExecutor['query']> {
  await tx.query('COMMIT AND NO CHAIN', []);
  return tx.query(text, parameters);
}
