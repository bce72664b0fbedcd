// The port to a database. The dialect is PostgreSQL; PGlite works, too.

/** A transaction or connection of a database. `PGlite`, `pg.Client` and the objects they pass to a transaction implement it. */
export interface SqlExecutor {
  /** Runs one statement with the placeholders `$1`, `$2` … */
  query(text: string, parameters: unknown[]): Promise<{ readonly rows: readonly object[] }>;
}

/** A database that can run a transaction. `PGlite` implements it. */
export interface SqlDatabase {
  /** Commits when `work` resolves, rolls back when it rejects, and settles like `work`. */
  transaction<T>(work: (tx: SqlExecutor) => Promise<T>): Promise<T>;
}
