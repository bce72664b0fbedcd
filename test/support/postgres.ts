// Suites that need a PostgreSQL of their own. Where it is not installed they say so and are skipped. The server is
// postgres-server.ts, which runs without jest.

import { describe } from '@jest/globals';
import { postgresFolder } from './postgres-server.js';

export { Postgres, type PostgresAddress, postgresFolder } from './postgres-server.js';

/** Like `describe`; where PostgreSQL is not installed the suite is skipped, and a line says so. */
export function describeWithPostgres(title: string, suite: () => void): void {
  if (postgresFolder() !== undefined) {
    describe(title, suite);
    return;
  }
  process.stderr.write(
    `PostgreSQL is not installed (Debian: apt-get install postgresql), so this did not run: ${title}\n`,
  );
  describe.skip(title, suite);
}
