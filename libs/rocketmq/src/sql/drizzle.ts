// The port on a Drizzle database of the PostgreSQL dialect. Structurally typed, so that Drizzle is not a dependency of this package.

import type { SqlDatabase, SqlExecutor } from './sql-port.js';

/** Drizzle's `sql` tag. */
export type DrizzleSqlTag = (strings: TemplateStringsArray, ...parameters: never[]) => unknown;

/** A Drizzle database or transaction. */
export interface DrizzleExecutor {
  execute(query: never): PromiseLike<unknown>;
}

/** A Drizzle database. */
export interface DrizzleDatabase {
  transaction<T>(work: (tx: DrizzleExecutor) => Promise<T>): Promise<T>;
}

/** A Drizzle transaction, or a database outside of one, as the port. Pass Drizzle's own `sql`. */
export function drizzleExecutor(tx: DrizzleExecutor, sql: DrizzleSqlTag): SqlExecutor {
  return {
    query: async (text, parameters) => {
      const result = await tx.execute(bind(sql, text, parameters) as never);
      // postgres-js returns the rows themselves, the other drivers an object that contains them.
      if (Array.isArray(result)) return { rows: result as object[] };
      return { rows: (result as { readonly rows: readonly object[] }).rows };
    },
  };
}

/** A Drizzle database as the port. Pass Drizzle's own `sql`. */
export function drizzleDatabase(database: DrizzleDatabase, sql: DrizzleSqlTag): SqlDatabase {
  return { transaction: (work) => database.transaction((tx) => work(drizzleExecutor(tx, sql))) };
}

/** Converts `$2` in the statement to the second parameter of a template. */
function bind(sql: DrizzleSqlTag, text: string, parameters: readonly unknown[]): unknown {
  const pieces: string[] = [];
  const values: unknown[] = [];
  let from = 0;
  for (const { 0: placeholder, 1: number, index } of text.matchAll(/\$(\d+)/g)) {
    pieces.push(text.slice(from, index));
    values.push(parameters[Number(number) - 1]);
    from = index + placeholder.length;
  }
  pieces.push(text.slice(from));
  return sql(Object.assign(pieces, { raw: pieces }), ...(values as never[]));
}
