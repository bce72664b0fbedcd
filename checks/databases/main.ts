// The race between local transactions, checks and kills, on servers of its own. A server that is not installed is left out with a notice.

import { Checks } from '../../tools/checks.js';
import { hasMySql, MYSQL_PRODUCTS } from '../../tools/servers/mysql-server.js';
import { postgresFolder } from '../../tools/servers/postgres-server.js';
import { MYSQL, POSTGRESQL, type Server } from '../../tools/servers/sql-servers.js';
import type { Counts, Tools } from '../check.js';
import { newSeed } from '../options.js';
import { race } from './race.js';

const MAX_SHOWN = 20;

interface DatabasesValues {
  readonly transactions: number;
  readonly seed: number | undefined;
  readonly only: readonly string[] | undefined;
}

export async function runDatabases(values: DatabasesValues, { signal, print }: Tools): Promise<Counts> {
  const { transactions, seed = newSeed(), only } = values;
  print(`seed ${seed}, ${transactions} transactions at each level`);
  const checks = new Checks();
  const seen = { kills: 0, conflicts: 0, fences: 0 };

  /** The levels of a server, one after another. */
  const racesOn = async (name: string, server: Server): Promise<void> => {
    for (const [level, isolation] of Object.entries(server.isolation)) {
      if (signal.aborted) return;
      await checks.check(`the race on ${name} under ${level}`, async () => {
        const { violations, ...counts } = await race({ server, isolation, seed, transactions, signal });
        print(`       ${name}, ${level}: ${JSON.stringify(counts)}`);
        if (violations.length > 0) throw new Error(violations.slice(0, MAX_SHOWN).join('\n'));
        seen.kills += counts.kills;
        seen.conflicts += counts.repeated;
        seen.fences += counts.answers.rollback ?? 0;
      });
    }
  };

  const servers = [
    { name: 'PostgreSQL', server: POSTGRESQL, isInstalled: postgresFolder() !== undefined },
    ...MYSQL_PRODUCTS.map((name) => ({ name, server: MYSQL[name], isInstalled: hasMySql(name) })),
  ];
  const chosen = servers.filter(({ name }) => only === undefined || only.some((one) => one === name.toLowerCase()));
  const races = chosen.map(({ name, server, isInstalled }) => {
    if (isInstalled) return racesOn(name, server);
    print(`${name} is not installed, so its races did not run`);
    return undefined;
  });
  await Promise.all(races);
  signal.throwIfAborted();
  // Without these the races would prove nothing.
  for (const [what, count] of Object.entries(seen)) {
    await checks.check(`there were ${what}`, () => {
      if (count === 0) throw new Error('none');
    });
  }
  return checks.counts;
}
