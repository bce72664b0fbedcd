// Suites that need a PostgreSQL server. If PostgreSQL is not installed they are skipped with a notice. The server itself is
// postgres-server.ts, which runs without jest.

import { describe } from '@jest/globals';
import { postgresFolder } from '../../tools/servers/postgres-server.js';

export { Postgres, type PostgresAddress, postgresFolder } from '../../tools/servers/postgres-server.js';

/** Like `describe`; if PostgreSQL is not installed, logs a line and skips the suite. */
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
