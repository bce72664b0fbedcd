// npm run test:interop [-- OPTIONS]
// Runs programs written with the official clients against the embedded broker and a real Apache RocketMQ, side by side, and
// compares what they saw. Then it spoils what the embedded broker delivers, which must be noticed. See checks/interop.

import { build } from '../../scripts/build/build.mjs';
import { parseRunnerArguments } from '../../tools/arguments.mjs';
import { RealServerError } from '../../tools/servers/rocketmq/jars.mjs';

const USAGE = `npm run test:interop [-- OPTIONS]
  --client java,node,tools,mixed these (default; tools: the official admin tools; mixed: clients of all kinds in one group, on the real server
                                 only); there are also python and go
  --backend both|embedded|real   both (default) compares them; one alone is only run
  --steps a,b                    only these steps
  --mutate attempt|tag|order     spoils the embedded broker's deliveries: shows how such a run fails
  --keep FOLDER                  writes the transcripts there`;

async function main() {
  const { options, rest } = parseRunnerArguments(process.argv.slice(2), {
    client: 'java,node,tools,mixed',
    backend: 'both',
    steps: 'all',
    mutate: 'none',
    keep: '',
  });
  if (rest.length > 0) throw new RealServerError(`unknown: ${rest.join(' ')}\n${USAGE}`);
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopped.abort(new RealServerError('stopped')));
  await build({ names: ['nestjs-rocketmq'] });
  const settings = await readSettings(options);
  // Only now: it imports what was built.
  const { runInterop } = await import('./run.mjs');
  return report(await runInterop({ ...settings, log: print, signal: stopped.signal }));
}

/** @param {{ client: string, backend: string, steps: string, mutate: string, keep: string }} options */
async function readSettings({ client, backend, steps, mutate, keep }) {
  const { STEPS } = await import('./resources.mjs');
  return {
    clients: client
      .split(',')
      .flatMap((name) => choose('client', name, ['java', 'node', 'tools', 'mixed', 'python', 'go'])),
    backends: choose('backend', backend, ['embedded', 'real'], 'both'),
    steps: steps === 'all' ? STEPS : steps.split(',').flatMap((step) => choose('steps', step, STEPS)),
    mutation: mutate === 'none' ? undefined : choose('mutate', mutate, ['attempt', 'tag', 'order'])[0],
    keep: keep === '' ? undefined : keep,
  };
}

/**
 * @template {string} T
 * @param {string} option @param {string} value @param {readonly T[]} values @param {string} [every] means all of them
 */
function choose(option, value, values, every) {
  const chosen = values.filter((one) => value === every || value === one);
  if (chosen.length > 0) return chosen;
  throw new RealServerError(`--${option} cannot be "${value}"; it may be ${values.join(', ')}\n${USAGE}`);
}

/** @param {readonly { name: string, problems: readonly string[] }[]} checks @returns {number} how many failed */
function report(checks) {
  for (const { name, problems } of checks) {
    print(`${problems.length === 0 ? 'ok    ' : 'FAILED'} ${name}`);
    for (const problem of problems) print(`         ${problem.replaceAll('\n', '\n         ')}`);
  }
  const failed = checks.filter(({ problems }) => problems.length > 0).length;
  print(`${checks.length - failed} passed, ${failed} failed`);
  return failed;
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`);
}

main().then(
  (failed) => {
    process.exitCode = failed === 0 ? 0 : 1;
  },
  (error) => {
    process.stderr.write(`${error instanceof RealServerError ? error.message : error.stack}\n`);
    process.exitCode = 1;
  },
);
