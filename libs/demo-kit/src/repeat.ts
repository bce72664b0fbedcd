// Running a transaction again that PostgreSQL has given up for the sake of another. PGlite, with its single connection, never does.

const SERIALIZATION_FAILURE = '40001';
const DEADLOCK_DETECTED = '40P01';
const ATTEMPTS = 5;

/** Runs a whole transaction, again when it lost to another one: then nothing of it is left in the database. */
export async function repeatWhenLost<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction();
    } catch (error) {
      if (attempt === ATTEMPTS || !isLostToAnother(error)) throw error;
    }
  }
}

/** Drizzle wraps what the driver throws. */
function isLostToAnother(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown };
    if (code === SERIALIZATION_FAILURE || code === DEADLOCK_DETECTED) return true;
  }
  return false;
}
