// Which suites a command runs.

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..');
const LONG = '.long.spec.ts';

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};

/** The suites that a script of package.json runs with these arguments; what it builds before stays as it is, since other suites read it. */
async function suitesOf(script: string, ...args: readonly string[]): Promise<string[]> {
  const command = scripts[script]?.replace('npm run --silent build && ', '');
  const line = [command, ...args.map((arg) => `'${arg}'`), '--listTests'].join(' ');
  const { stdout } = await promisify(execFile)('sh', ['-c', line], { cwd: ROOT });
  const paths = stdout.split('\n').filter((line) => line.startsWith(ROOT));
  return paths.map((path) => relative(ROOT, path).split(sep).join('/')).sort();
}

describe('npm test', () => {
  it('runs no long suite, whatever the values of options', async () => {
    const suites = await suitesOf('test');
    expect(suites.length).toBeGreaterThan(0);
    expect(suites.filter((path) => path.endsWith(LONG))).toEqual([]);
    expect(await suitesOf('test', '-t', 'a title', '--maxWorkers', '2')).toEqual(suites);
  });

  it('runs what is named, also a long suite', async () => {
    const long = 'libs/rocketmq/src/producer/interleavings.long.spec.ts';
    expect(await suitesOf('test', long)).toEqual([long]);
    expect(await suitesOf('test', 'libs/rocketmq/src/producer/sending/batching')).toEqual([
      'libs/rocketmq/src/producer/sending/batching.spec.ts',
    ]);
  });
});

describe('npm run test:long', () => {
  it('runs every long suite, or those of a folder', async () => {
    const all = ['libs', 'apps', 'checks', 'scripts', 'test', 'tools'].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .map((path) => `${folder}/${path.split(sep).join('/')}`)
        .filter((path) => path.endsWith(LONG) && !path.includes('/node_modules/')),
    );
    expect(await suitesOf('test:long')).toEqual(all.sort());
    const ofConsole = await suitesOf('test:long', 'libs/console');
    expect(ofConsole).toEqual(all.filter((path) => path.startsWith('libs/console')).sort());
  });
});
