// The tests that docs/guide/tests-in-any-language.md shows, run as its reader runs them: on `nestjs-rocketmq broker` with a manual clock. They
// have no part in the comparison, since no real server has a clock that stands still.

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../libs/rocketmq/src/cli/server/jars.js';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';
import { run } from './clients.js';

const SOURCES = join(import.meta.dirname, 'any-language');
/** The first run of one downloads its dependencies. */
const TIMEOUT_MS = 600_000;
/** What says that tests ran, and that all of them passed. */
const PASSED = { maven: /Tests run: [1-9]\d*, Failures: 0, Errors: 0, Skipped: 0/, go: /^ok\s+shop/m };

/** By name, the topics that their readers declare. */
const TESTS: Record<string, { readonly folder: string; readonly topic: string; readonly by: keyof typeof PASSED }> = {
  'test-java': { folder: 'java', topic: 'unpaid-order:delay', by: 'maven' },
  'test-spring': { folder: 'spring', topic: 'order-paid:transaction', by: 'maven' },
  'test-go': { folder: 'go', topic: 'unpaid-order:delay', by: 'go' },
};

export function isTest(client: string): boolean {
  return Object.hasOwn(TESTS, client);
}

/** @param home takes what a build writes */
export async function judgeTest(
  name: string,
  { home, signal }: { home: string; signal: AbortSignal },
): Promise<{ name: string; problems: string[] }> {
  const { folder, topic, by } = TESTS[name] as (typeof TESTS)[string];
  const ports = ['--port', '0', '--name-server-port', '0', '--control', '0'];
  const broker = await startEmbeddedBroker([...ports, '--manual-clock', '--topic', topic]);
  const { nameServerEndpoint = '', controlEndpoint = '' } = broker;
  const problems: string[] = [];
  try {
    const output = await {
      maven: () => {
        const project = join(home, name);
        cpSync(join(SOURCES, folder), project, { recursive: true });
        const at = [`-Drocketmq.name-server=${nameServerEndpoint}`, `-Drocketmq.control=${controlEndpoint}`];
        return run('mvn', ['-B', '-f', join(project, 'pom.xml'), 'test', ...at], { timeout: TIMEOUT_MS, signal });
      },
      go: () => {
        const at = { ROCKETMQ_NAME_SERVER: nameServerEndpoint, ROCKETMQ_CONTROL: controlEndpoint };
        const go = { GOMODCACHE: join(cacheFolder(), 'go-modules'), GOFLAGS: '-mod=readonly -modcacherw' };
        const env = { ...process.env, ...go, ...at };
        return run('go', ['test', '-count=1', './...'], {
          cwd: join(SOURCES, folder),
          timeout: TIMEOUT_MS,
          signal,
          env,
        });
      },
    }[by]();
    if (!PASSED[by].test(output)) problems.push(`no test ran:\n${output.slice(-2_000)}`);
  } catch (error) {
    problems.push((error as Error).message);
  } finally {
    await broker.kill();
  }
  return { name: `${name}: the tests of the guide pass on the command's broker`, problems };
}
