// npm run test:databases [-- --seed S] [--transactions N]: the race between local transactions, checks and kills, on PostgreSQL, MariaDB and MySQL at
// each isolation level, on servers of its own. Prints the seed; the last line is `N passed, N failed`. A server that is not installed is left out with a notice.

import { parseArgs } from 'node:util';
import { Checks } from '../../tools/checks.mjs';
import { hasMySql, MYSQL_PRODUCTS } from '../../tools/servers/mysql-server.ts';
import { postgresFolder } from '../../tools/servers/postgres-server.ts';
import { MYSQL, POSTGRESQL } from '../../tools/servers/sql-servers.ts';
import { race } from './race.ts';

const { values } = parseArgs({ options: { seed: { type: 'string' }, transactions: { type: 'string' } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const transactions = Number(values.transactions ?? 20_000);
process.stdout.write(`seed ${seed}, ${transactions} transactions at each level\n`);

const checks = new Checks();
const seen = { kills: 0, conflicts: 0, fences: 0 };

/** Its levels, one after another. @param {string} name @param {import('../../tools/servers/sql-servers.ts').Server} server */
async function racesOn(name, server) {
  for (const [level, isolation] of Object.entries(server.isolation)) {
    await checks.check(`the race on ${name} under ${level}`, async () => {
      const { violations, ...counts } = await race({ server, isolation, seed, transactions });
      process.stdout.write(`       ${name}, ${level}: ${JSON.stringify(counts)}\n`);
      if (violations.length > 0) throw new Error(violations.slice(0, 20).join('\n'));
      seen.kills += counts.kills;
      seen.conflicts += counts.repeated;
      seen.fences += counts.answers.rollback ?? 0;
    });
  }
}

const races = /** @type {const} */ ([
  ['PostgreSQL', POSTGRESQL, postgresFolder() !== undefined],
  ...MYSQL_PRODUCTS.map((product) => /** @type {const} */ ([product, MYSQL[product], hasMySql(product)])),
]).map(([name, server, isInstalled]) => {
  if (isInstalled) return racesOn(name, server);
  process.stdout.write(`${name} is not installed, so its races did not run\n`);
  return undefined;
});
await Promise.all(races);
// Without these the races would prove nothing.
for (const [what, count] of Object.entries(seen)) {
  await checks.check(`there were ${what}`, () => {
    if (count === 0) throw new Error('none');
  });
}
process.exitCode = checks.report() === 0 ? 0 : 1;
