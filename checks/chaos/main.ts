// Orders from concurrent customers through both demos, while their processes and the server's are killed, stopped and restarted and
// their connections to the server fail: checks/chaos/README.md says how. The seed repeats what is decided, not what comes of it.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasProxy } from '../../libs/rocketmq/src/cli/server/jars.js';
import { build } from '../../scripts/build/build.js';
import type { Counts, Tools } from '../check.js';
import { newSeed, OptionError } from '../options.js';
import type { DatabaseName } from './databases.js';
import { type RunOptions, type RunResult, run } from './run.js';
import type { Backend } from './servers.js';
import { recoveryTable, runViolations, summary } from './verdict.js';

interface Settings {
  readonly transport: 'http2' | 'remoting';
  readonly version: string;
  readonly backend: Backend | undefined;
  readonly database: DatabaseName;
  readonly long: boolean;
  readonly rounds: number | undefined;
  readonly seed: number | undefined;
}

const BY_TRANSPORT: Readonly<Record<Settings['transport'], readonly Backend[]>> = {
  http2: ['embedded', 'rocketmq'],
  remoting: ['remoting'],
};
const ROUNDS = 1;
const LONG_ROUNDS = 10;
const MAX_SHOWN = 20;

/** @throws OptionError when the transport does not have the backend, or the version not the transport */
export async function runChaos(values: Settings, tools: Tools): Promise<Counts> {
  const { database, version, long, seed = newSeed(), rounds = long ? LONG_ROUNDS : ROUNDS } = values;
  const backends = backendsOf(values);
  await build();
  tools.print(
    `seed ${seed}, ${rounds} ${rounds === 1 ? 'minute' : 'minutes'} on ${backends.join(' and ')}, data on ${database}`,
  );
  let passed = 0;
  for (const backend of backends) {
    if (await isSoundOn(backend, { version, database, seed, rounds, withLongStops: long }, tools)) passed++;
  }
  return { passed, failed: backends.length - passed };
}

function backendsOf({ transport, backend, version }: Settings): readonly Backend[] {
  if (transport !== 'remoting' && !hasProxy(version))
    throw new OptionError(`${version} has no proxy on Maven Central: use --transport remoting`);
  const ofTransport = BY_TRANSPORT[transport];
  if (backend === undefined) return ofTransport;
  if (ofTransport.includes(backend)) return [backend];
  throw new OptionError(
    `--backend is one of ${ofTransport.join(', ')} with --transport ${transport}, not "${backend}"; without it all are run`,
  );
}

type RunSettings = Pick<RunOptions, 'version' | 'database' | 'seed' | 'rounds' | 'withLongStops'>;

async function isSoundOn(backend: Backend, settings: RunSettings, tools: Tools): Promise<boolean> {
  const { print, signal } = tools;
  const folder = join(tools.folder, backend);
  mkdirSync(folder);
  const beganAt = performance.now();
  const seconds = (): string => ((performance.now() - beganAt) / 1_000).toFixed(0);
  const log = (line: string): void => print(`${backend} ${seconds().padStart(4)} s  ${line}`);
  try {
    const result = { ...(await run({ backend, ...settings, folder, log, signal })), rounds: settings.rounds };
    const violations = runViolations(result);
    const isSound = violations.length === 0;
    for (const line of recoveryTable(result.injected)) print(`${backend} ${line}`);
    for (const violation of violations.slice(0, MAX_SHOWN)) process.stderr.write(`${violation}\n`);
    // The folder of the whole run is kept when one of its backends fails.
    if (isSound) rmSync(folder, { recursive: true, force: true });
    else writeFacts(folder, result);
    const verdict = isSound ? 'sound' : `NOT SOUND (${violations.length})`;
    print(`${backend}, ${settings.database}: ${seconds()} s, seed ${settings.seed}: ${summary(result)}: ${verdict}`);
    return isSound;
  } catch (error) {
    if (!signal.aborted) process.stderr.write(`${backend}: broke off; logs in ${folder}\n`);
    throw error;
  }
}

function writeFacts(folder: string, result: RunResult): void {
  const facts = { ...result.facts, totals: Object.fromEntries(result.facts.totals) };
  writeFileSync(join(folder, 'facts.json'), JSON.stringify({ ...result, facts }, undefined, 1));
}
