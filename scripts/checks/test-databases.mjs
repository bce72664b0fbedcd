// npm run test:databases [-- --seed S] [--transactions N]: the race between local transactions, checks and kills, on PostgreSQL and MariaDB at each
// isolation level, on servers of its own. Prints the seed; the last line is `N passed, N failed`. A server that is not installed is left out with a notice.

import { parseArgs } from 'node:util';
import { race } from '../../test/sql/support/race.ts';
import { MARIADB, POSTGRESQL } from '../../test/sql/support/servers.ts';
import { hasMariaDb } from '../../test/support/mariadb-server.ts';
import { postgresFolder } from '../../test/support/postgres-server.ts';
import { Checks } from '../support/checks.mjs';

const { values } = parseArgs({ options: { seed: { type: 'string' }, transactions: { type: 'string' } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const transactions = Number(values.transactions ?? 20_000);
process.stdout.write(`seed ${seed}, ${transactions} transactions at each level\n`);

const checks = new Checks();
for (const [name, server, isInstalled] of /** @type {const} */ ([
  ['PostgreSQL', POSTGRESQL, postgresFolder() !== undefined],
  ['MariaDB', MARIADB, hasMariaDb()],
])) {
  if (!isInstalled) {
    process.stdout.write(`${name} is not installed, so its races did not run\n`);
    continue;
  }
  for (const [level, isolation] of Object.entries(server.isolation)) {
    await checks.check(`the race on ${name} under ${level}`, async () => {
      const { violations, ...counts } = await race({ server, isolation, seed, transactions });
      process.stdout.write(`       ${JSON.stringify(counts)}\n`);
      if (violations.length > 0) throw new Error(violations.slice(0, 20).join('\n'));
      if (counts.kills === 0 || counts.repeated === 0 || (counts.answers.rollback ?? 0) === 0)
        throw new Error('nobody was killed, nothing conflicted, or no check came first: nothing is proved');
    });
  }
}
process.exitCode = checks.report() === 0 ? 0 : 1;
