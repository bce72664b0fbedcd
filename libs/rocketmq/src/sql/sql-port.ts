// The port to a database.

/** `postgresql`: PostgreSQL, PGlite. `mysql`: MySQL 8 and MariaDB 10.6, with InnoDB. */
export type DialectName = 'postgresql' | 'mysql';

/**
 * A transaction or connection of a database. `PGlite`, `pg.Client` and the objects they pass to a transaction implement it; for other
 * clients there are adapters.
 */
export interface SqlExecutor {
  /** What the database understands. Default `postgresql`. */
  readonly dialect?: DialectName;
  /**
   * For a client that cannot end a transaction when a savepoint of it is gone, as TypeORM on MySQL: whether it is in a savepoint. Default:
   * false.
   */
  readonly isInSavepoint?: boolean;
  /** For a client that may have begun no transaction, or ended it: whether it is in one. Default: true. */
  readonly hasTransaction?: boolean;
  /** Runs one statement, with the placeholders `$1`, `$2` … of PostgreSQL, or `?` of MySQL. */
  query(text: string, parameters: unknown[]): Promise<{ readonly rows: readonly object[] }>;
}

/** A database that can run a transaction. `PGlite` implements it. */
export interface SqlDatabase {
  /** What the database understands, and its transactions. Default `postgresql`. */
  readonly dialect?: DialectName;
  /** Commits when `work` resolves, rolls back when it rejects, and settles like `work`. */
  transaction<T>(work: (tx: SqlExecutor) => Promise<T>): Promise<T>;
  /** Runs one statement outside of a transaction, in one round trip instead of three. Default: `transaction` runs it. */
  queryAlone?(text: string, parameters: unknown[]): Promise<{ readonly rows: readonly object[] }>;
}

/** What an adapter has for a statement outside of a transaction. A connection of MySQL can have `autocommit` off. */
export function alone(dialect: DialectName | undefined, query: SqlExecutor['query']): Pick<SqlDatabase, 'queryAlone'> {
  return dialect === 'postgresql' ? { queryAlone: query } : {};
}

/** Runs one statement that commits by itself. */
export function runAlone(
  database: SqlDatabase,
  text: string,
  parameters: unknown[],
): Promise<{ readonly rows: readonly object[] }> {
  return database.queryAlone?.(text, parameters) ?? database.transaction((tx) => tx.query(text, parameters));
}
