// What this folder asks of a database. The dialect is PostgreSQL's; PGlite is such a database too.

/** One transaction or connection of a database. `PGlite`, `pg.Client` and what they hand to a transaction are such already. */
export interface SqlExecutor {
  /** Runs one statement with `$1`, `$2` … in its text. */
  query(text: string, parameters: unknown[]): Promise<{ readonly rows: readonly object[] }>;
}

/** A database that can run a transaction. A `PGlite` is one already. */
export interface SqlDatabase {
  /** Commits when `work` resolves, rolls back when it rejects, and ends as `work` does. */
  transaction<T>(work: (tx: SqlExecutor) => Promise<T>): Promise<T>;
}
