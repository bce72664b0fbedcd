// Finds PostgreSQL's error codes (SQLSTATE) in errors that drivers and ORMs wrap.

export const UNIQUE_VIOLATION = '23505';
export const LOCK_NOT_AVAILABLE = '55P03';
export const SERIALIZATION_FAILURE = '40001';
export const DEADLOCK_DETECTED = '40P01';

/** The maximum depth of wrapped errors; more only occurs in cycles. */
const MOST_CAUSES = 16;

/** Whether the error or one of its causes has this code. */
export function hasSqlState(error: unknown, sqlState: string): boolean {
  return sqlStateOf(error, [sqlState]) !== undefined;
}

/** Which of these codes the error or one of its causes has; undefined for none of them. */
export function sqlStateOf(error: unknown, sqlStates: readonly string[]): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < MOST_CAUSES; cause = cause.cause, depth++) {
    const { code } = cause as { readonly code?: unknown };
    if (typeof code === 'string' && sqlStates.includes(code)) return code;
  }
  return undefined;
}
