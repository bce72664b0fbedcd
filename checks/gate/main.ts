// Chooses the stages of the gate, has them run, and adds what they count.

import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { hasMySql } from '../../tools/servers/mysql-server.ts';
import { postgresFolder } from '../../tools/servers/postgres-server.ts';
import type { Check, Counts, Tools } from '../check.js';
import { OptionError } from '../options.js';
import { affectedStages, readImports } from './affected.js';
import { Gate } from './gate.js';
import { type About, type Stage, stagesInTurn, stagesOf } from './stages.js';

const root = join(import.meta.dirname, '../..');
/** Nothing may hang: what takes this long is ended, and has failed. */
const MAX_STAGE_SECONDS = { usual: 2_700, full: 14_400 };
/** The gate is made for two cores. */
const LANES = 2;

interface GateValues {
  readonly full: boolean;
  readonly since: string | undefined;
  readonly plan: boolean;
}

/** @param checks what the stages run */
export async function runGate(
  { full, plan, since }: GateValues,
  checks: readonly Check[],
  tools: Tools,
): Promise<Counts> {
  const given = about(full);
  const all = stagesOf(given);
  const stages =
    since === undefined
      ? all
      : affectedStages(all, {
          changed: changedSince(since),
          specs: given.specs,
          imports: readImports(),
          checks,
          inTurn: stagesInTurn(given).flat(),
          full: stagesOf({ ...given, full: true }),
        });
  if (plan) {
    for (const stage of stages) tools.print(lineOf(stage));
    return { passed: 0, failed: 0 };
  }
  const gate = new Gate(tools, MAX_STAGE_SECONDS[full ? 'full' : 'usual'] * 1_000);
  const total = { passed: 0, failed: 0 };
  const broken: string[] = [];
  await inLanes(stages, async (stage) => {
    tools.signal.throwIfAborted();
    const beganAtMs = performance.now();
    tools.print(`== ${stage.name}`);
    const { passed, failed, names } = await gate.run(stage);
    const seconds = ((performance.now() - beganAtMs) / 1_000).toFixed(0);
    tools.print(`== ${stage.name}: ${seconds} s, ${passed} passed, ${failed} failed`);
    total.passed += passed;
    total.failed += failed;
    if (failed > 0) broken.push(`${stage.name}: ${failed} failed`, ...names.map((name) => `  ${name}`));
  });
  if (broken.length > 0) tools.print(['== failed', ...broken].join('\n'));
  return total;
}

/** In their order, but for those that run alone some at a time: most wait more than they compute. */
export async function inLanes(stages: readonly Stage[], run: (stage: Stage) => Promise<void>): Promise<void> {
  const running = new Set<Promise<void>>();
  for (const stage of stages) {
    while (running.size >= (stage.isAlone ? 1 : LANES)) await Promise.race(running);
    const one = run(stage).finally(() => running.delete(one));
    running.add(one);
    if (stage.isAlone) await one;
  }
  await Promise.all(running);
}

/** The paths that differ from a commit, also those that are new and not committed. */
function changedSince(ref: string): readonly string[] {
  const git = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new OptionError(`--since ${ref}: ${stderr.trim()}`);
    return stdout.split('\n').filter((path) => path !== '');
  };
  return [...git('diff', '--name-only', '--merge-base', ref), ...git('ls-files', '--others', '--exclude-standard')];
}

function about(full: boolean): About {
  const commit = execFileSync('git', ['rev-parse', '--short=7', 'HEAD'], { cwd: root, encoding: 'utf8' });
  return {
    full,
    seed: Number.parseInt(commit.slice(0, 7), 16),
    specs: specs(),
    has: {
      postgresql: postgresFolder() !== undefined,
      mariadb: hasMySql('MariaDB'),
      mysql: hasMySql('MySQL'),
      cargo: spawnSync('cargo', ['--version']).status === 0,
    },
  };
}

/** The paths of all suites. */
export function specs(): readonly string[] {
  return ['apps', 'checks', 'libs', 'scripts', 'test', 'tools']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
        (path) => `${folder}/${path.split(sep).join('/')}`,
      ),
    )
    .filter((path) => path.endsWith('.spec.ts') && !/\/(node_modules|dist)\//.test(path))
    .sort();
}

function lineOf(stage: Stage): string {
  switch (stage.kind) {
    case 'commands':
      return `${stage.name}: ${stage.commands.map((command) => command.join(' ')).join(' & ')}`;
    case 'suite': {
      const env = Object.entries(stage.env ?? {}).map(([name, value]) => `${name}=${value} `);
      const node = stage.node === undefined ? '' : ` on Node.js ${stage.node}`;
      return `${stage.name}: ${env.join('')}${stage.command.join(' ')}${node}`;
    }
    case 'cases':
      return `${stage.name}: ${stage.command.join(' ')}`;
    case 'same-contract':
      return stage.name;
  }
}
