// Suites that run on database servers.

import { describe } from '@jest/globals';
import { DATABASE_SERVERS, type DatabaseServerKind } from '../../../tools/servers/database-server.js';

/** Like `describe`, on PostgreSQL, and on MariaDB or MySQL; chaos runs on each. What is not installed is skipped with a notice. */
export function describeOnServers(title: string, suite: (kind: DatabaseServerKind) => void): void {
  const { postgresql, mariadb, mysql } = DATABASE_SERVERS;
  for (const kind of [postgresql, mariadb.isInstalled() ? mariadb : mysql]) {
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
