// The port on Prisma with PostgreSQL, MySQL or MariaDB. Structurally typed, so that Prisma is not a dependency of this package.

import { rowsOf } from '../rows.js';
import { alone, type DialectName, type SqlDatabase, type SqlExecutor } from '../sql-port.js';
import { noTransaction } from '../transaction-guards.js';

/** An interactive transaction of Prisma. */
export interface PrismaTransaction {
  $queryRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown>;
}

/** A Prisma client. */
export interface PrismaDatabase extends PrismaTransaction {
  $transaction<T>(work: (tx: PrismaTransaction) => Promise<T>): Promise<T>;
}

/**
 * An interactive transaction of Prisma as the port. Prisma ends it after its `timeout`, 5 s by default, and then nothing of it is committed.
 * @throws UsageError `NO_TRANSACTION` for a client: its statements would run on any connection
 */
export function prismaExecutor(tx: PrismaTransaction): SqlExecutor {
  // A transaction is a client without those methods that are about connections.
  if (Reflect.get(tx, '$connect') !== undefined)
    throw noTransaction('this Prisma client', 'prisma.$transaction()', 'tx');
  return executorOf(tx);
}

function executorOf(tx: PrismaTransaction): SqlExecutor {
  const dialect = dialectOf(tx);
  return {
    dialect,
    query: async (text, parameters) => {
      const rows = await tx.$queryRawUnsafe(text, ...parameters);
      return { rows: rowsOf(rows, dialect, text) };
    },
  };
}

/** A Prisma client as the port. */
export function prismaDatabase(prisma: PrismaDatabase): SqlDatabase {
  const { dialect, query } = executorOf(prisma);
  return {
    dialect,
    transaction: (work) => prisma.$transaction((tx) => work(prismaExecutor(tx))),
    ...alone(dialect, query),
  };
}

function dialectOf(prisma: object): DialectName {
  const { _activeProvider: provider } = prisma as { readonly _activeProvider?: unknown };
  return provider === 'mysql' ? 'mysql' : 'postgresql';
}
