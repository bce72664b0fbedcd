// Suites that run on each database server that is installed.

import { describe } from '@jest/globals';
import { DATABASE_SERVERS, type DatabaseServerKind } from '../../support/database-server.js';

/** Like `describe`, once for each kind of server. Those that are not installed are skipped with a notice. */
export function describeOnServers(title: string, suite: (kind: DatabaseServerKind) => void): void {
  for (const kind of Object.values<DatabaseServerKind>(DATABASE_SERVERS)) {
    const full = `${title} on ${kind.title}`;
    if (kind.isInstalled()) {
      describe(full, () => suite(kind));
      continue;
    }
    process.stderr.write(
      `${kind.title} is not installed (on Debian: ${kind.installedBy}), so this did not run: ${full}\n`,
    );
    describe.skip(full, () => suite(kind));
  }
}
