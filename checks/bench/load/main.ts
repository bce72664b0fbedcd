// Orders per second that the two demos sustain, and how long it takes from POST to reserved: README.md.

import { join } from 'node:path';
import { build } from '../../../scripts/build/build.js';
import { postgresFolder } from '../../../tools/servers/postgres-server.ts';
import { type Counts, type Tools, verdictOf } from '../../check.js';
import { type LoadValues, planOf } from './plan.js';
import { runLoad } from './run.js';

const root = join(import.meta.dirname, '../../..');

export async function runLoadCheck(values: LoadValues, { folder, print, signal }: Tools): Promise<Counts> {
  const plan = planOf(values, { hasPostgres: postgresFolder() !== undefined });
  await build();
  return verdictOf(await runLoad(plan, { root, home: folder, log: print, signal }));
}
