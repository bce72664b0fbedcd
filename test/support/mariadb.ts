// Suites that need a MariaDB server. If MariaDB is not installed they are skipped with a notice. The server itself is mariadb-server.ts,
// which runs without jest.

import { describe } from '@jest/globals';
import { hasMariaDb } from './mariadb-server.js';

export { MariaDb, type MariaDbAddress } from './mariadb-server.js';

/** Like `describe`; if MariaDB is not installed, logs a line and skips the suite. */
export function describeWithMariaDb(title: string, suite: () => void): void {
  if (hasMariaDb()) {
    describe(title, suite);
    return;
  }
  process.stderr.write(
    `MariaDB is not installed (Debian: apt-get install mariadb-server), so this did not run: ${title}\n`,
  );
  describe.skip(title, suite);
}
