// PostgreSQL's error codes (SQLSTATE), found through whatever a driver or an ORM wraps around them.

export const UNIQUE_VIOLATION = '23505';
export const LOCK_NOT_AVAILABLE = '55P03';

/** Whether the error, or what caused it, carries this code. */
export function hasSqlState(error: unknown, sqlState: string): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as { code?: unknown }).code === sqlState) return true;
  }
  return false;
}
