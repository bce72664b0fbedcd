// Runs programs written with the official clients against the embedded broker and a real Apache RocketMQ, side by side, and
// compares what they saw. Then it spoils what the embedded broker delivers, which must be noticed. See checks/interop.

import { build } from '../../scripts/build/build.js';
import type { Counts, Tools } from '../check.js';
import { OptionError } from '../options.js';
import { isTest, judgeTest } from './any-language.js';
import { STEPS } from './resources.js';
import { judgeClients } from './run.js';

const BACKENDS = ['embedded', 'real'] as const;

interface InteropValues {
  readonly client: readonly string[];
  readonly backend: 'both' | (typeof BACKENDS)[number];
  readonly steps: readonly (typeof STEPS)[number][] | undefined;
  readonly mutate: 'attempt' | 'tag' | 'order' | undefined;
  readonly recorded: boolean;
  readonly record: boolean;
  readonly keep: string | undefined;
}

export async function runInterop(values: InteropValues, { print, signal, folder }: Tools): Promise<Counts> {
  const { client, backend, steps = STEPS, mutate, keep, recorded, record } = values;
  if (recorded && record) throw new OptionError('--record needs the real server: leave --recorded out');
  // The embedded broker is a process of its own, with the library that was built.
  await build({ names: ['nestjs-rocketmq'] });
  const clients = client.filter((one) => !isTest(one));
  const judged = await judgeClients({
    clients,
    backends: BACKENDS.filter((one) => backend === 'both' || backend === one),
    steps,
    mutation: mutate,
    isRecorded: recorded,
    record,
    keep,
    home: folder,
    log: print,
    signal,
  });
  if (backend !== 'real' && mutate === undefined && values.steps === undefined) {
    for (const test of client.filter(isTest)) judged.push(await judgeTest(test, { home: folder, signal }));
  }
  for (const { name, problems } of judged) {
    print(`${problems.length === 0 ? 'ok    ' : 'FAILED'} ${name}`);
    for (const problem of problems) print(`         ${problem.replaceAll('\n', '\n         ')}`);
  }
  const failed = judged.filter(({ problems }) => problems.length > 0).length;
  return { passed: judged.length - failed, failed };
}
