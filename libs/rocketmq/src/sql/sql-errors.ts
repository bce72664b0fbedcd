// Recognizes the errors of databases, by their codes, in what drivers and ORMs make of them.

const UNIQUE_VIOLATION = ['23505', 'ER_DUP_ENTRY', 1062, '1062'];
const LOCK_NOT_AVAILABLE = ['55P03'];
const NO_SAVEPOINT = ['ER_SP_DOES_NOT_EXIST', 1305, '1305'];
const NOT_PREPARED = ['ER_UNSUPPORTED_PS', 1295, '1295'];
const UNTRANSLATABLE = ['22P05'];
const IN_TRANSACTION = ['ER_CANT_CHANGE_TX_CHARACTERISTICS', 1568, '1568'];
/** MySQL's lock wait timeout undoes the statement only, so its transaction must be repeated as after a deadlock. */
const CONFLICTS = {
  'a serialization failure': ['40001', 'ER_CHECKREAD', 1020, '1020'],
  'a deadlock': ['40P01', 'ER_LOCK_DEADLOCK', 1213, '1213'],
  'a lock wait timeout': ['ER_LOCK_WAIT_TIMEOUT', 1205, '1205'],
  'a locked row': ['ER_LOCK_NOWAIT', 3572, '3572'],
} as const;

/** The maximum depth of wrapped errors; more only occurs in cycles. */
const MAX_CAUSES = 16;

/** Thrown by a statement that did not wait any longer for a row, and undid nothing but itself. */
export class RowLockedError extends Error {
  constructor() {
    super('another transaction holds the row');
    this.name = 'RowLockedError';
  }
}

/** Whether a row with the same key was there. */
export function isDuplicate(error: unknown): boolean {
  return hasCode(error, UNIQUE_VIOLATION);
}

/** Whether another transaction held a row for too long. */
export function isRowLocked(error: unknown): boolean {
  return error instanceof RowLockedError || hasCode(error, LOCK_NOT_AVAILABLE);
}

/** Whether MySQL knows no savepoint of that name. */
export function isNoSavepoint(error: unknown): boolean {
  return hasCode(error, NO_SAVEPOINT);
}

/** Whether MySQL takes the statement as text only, and the client prepares it. */
export function isNotPrepared(error: unknown): boolean {
  return hasCode(error, NOT_PREPARED);
}

/** Whether the encoding of the database has no such character. */
export function isUntranslatable(error: unknown): boolean {
  return hasCode(error, UNTRANSLATABLE);
}

/** Whether MySQL rejected a statement because a transaction runs. */
export function isInTransaction(error: unknown): boolean {
  return hasCode(error, IN_TRANSACTION);
}

/** Which conflict with another transaction the error means; undefined for none. Nothing of the transaction is committed. */
export function conflictOf(error: unknown): string | undefined {
  // MySQL has the SQLSTATE of serialization failures for deadlocks, too, so the more precise number comes first.
  for (const [name, codes] of Object.entries(CONFLICTS).reverse()) if (hasCode(error, codes)) return name;
  return undefined;
}

function hasCode(error: unknown, codes: readonly (string | number)[]): boolean {
  let cause = error;
  for (let depth = 0; typeof cause === 'object' && cause !== null && depth < MAX_CAUSES; depth++) {
    const { code, errno, originalCode, ...wrapped } = fieldsOf(cause);
    if ([code, errno, originalCode].some((one) => codes.includes(one as string | number))) return true;
    cause = wrapped.cause ?? wrapped.original ?? wrapped.meta?.driverAdapterError;
  }
  return false;
}

/** The number or the SQLSTATE, and what the error wraps: `cause` of most libraries, `original` of Sequelize, `meta` of Prisma. */
interface Coded {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly originalCode?: unknown;
  readonly cause?: unknown;
  readonly original?: unknown;
  readonly meta?: { readonly driverAdapterError?: unknown } | undefined;
}

function fieldsOf(error: object): Coded {
  const { code, errno, originalCode, cause, original, meta } = error as Coded;
  return { code, errno, originalCode, cause, original, meta };
}
