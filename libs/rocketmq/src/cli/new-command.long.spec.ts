// The project that `nestjs-rocketmq new` writes. That it installs, and that its test passes, is in checks/pack.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { call } from '../../../../test/fixtures/command-line.js';

const TEMPLATE = 'libs/rocketmq/templates/shop';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-new-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A package manager that prints where it runs and what it is given, and ends with a code. */
function fakeManager(name: string, code: number): Record<string, string> {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const script = `#!/bin/sh\necho "${name} $* in $(basename "$PWD")"\nexit ${code}\n`;
  writeFileSync(join(bin, name), script, { mode: 0o755 });
  return { PATH: `${bin}:${process.env.PATH}` };
}

const packageJson = (home: string) => JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));

describe('nestjs-rocketmq new', () => {
  it('writes a project and says what to run', async () => {
    const home = join(folder, 'Tea-Shop');
    const { code, out, err } = await call(['new', home, '--no-install']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(`created tea-shop in ${home}\n\nNext:\n  cd ${home}\n  npm install\n  npm start\n`);
    expect(readdirSync(home).sort()).toEqual(['.gitignore', 'README.md', 'package.json', 'src', 'tsconfig.json']);
    const { version } = packageJson('libs/rocketmq');
    expect(packageJson(home)).toMatchObject({
      name: 'tea-shop',
      dependencies: { 'nestjs-rocketmq': `^${version}`, 'nestjs-rocketmq-console': `^${version}` },
    });
    expect(readFileSync(join(home, 'README.md'), 'utf8')).toMatch(/^# tea-shop\n/);
  });

  it('takes an empty folder, also one that git has initialized', async () => {
    mkdirSync(join(folder, 'shop', '.git'), { recursive: true });
    expect(await call(['new', join(folder, 'shop'), '--no-install'])).toMatchObject({ code: 0 });
  });

  it('rejects a folder that is not empty, and changes nothing', async () => {
    for (const name of ['a.txt', 'b.txt']) writeFileSync(join(folder, name), 'mine');
    const { code, out, err } = await call(['new', folder]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('is not empty: it contains a.txt and 1 more. Nothing was changed.');
    expect(readdirSync(folder)).toEqual(['a.txt', 'b.txt']);
    expect((await call(['new', join(folder, 'a.txt')])).err).toContain('is a file');
  });

  it('removes nothing that it did not create, and shows why it failed', async () => {
    const link = join(folder, 'link');
    symlinkSync(join(folder, 'none', 'deeper'), link);
    const dangling = await call(['new', link, '--no-install']);
    expect(dangling).toMatchObject({ code: 2, err: expect.stringContaining('is a symbolic link to nothing') });
    expect(readdirSync(folder)).toEqual(['link']);
    const file = join(folder, 'file');
    writeFileSync(file, 'mine');
    const below = await call(['new', join(file, 'shop'), '--no-install']);
    expect(below).toMatchObject({ code: 2, err: expect.stringContaining('ENOTDIR') });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it.each(['.hidden', 'a b', '-', 'node_modules', 'nestjs-rocketmq'])('rejects the name %j', async (name) => {
    expect(await call(['new', join(folder, name)])).toMatchObject({ code: 2, out: '' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    [[], {}, 'npm', 'npm install --no-audit --no-fund in shop'],
    [[], { npm_config_user_agent: 'pnpm/10.1.0 npm/? node/v22' }, 'pnpm', 'pnpm install in shop'],
    [['--package-manager', 'yarn'], { npm_config_user_agent: 'npm/11' }, 'yarn', 'yarn install in shop'],
  ])('installs with %j and %j by %s', async (options, agent, manager, installs) => {
    const env = { ...fakeManager(manager, 0), ...agent };
    const { code, out } = await call(['new', join(folder, 'shop'), ...options], env);
    expect(code).toBe(0);
    expect(out).toContain(`${installs}\n`);
    expect(out).toMatch(/\nNext:\n {2}cd .*\n {2}\w+ start\n$/);
  });

  it('keeps the files when the installation fails, and says how to repeat it', async () => {
    const home = join(folder, 'shop');
    const failed = await call(['new', home], fakeManager('npm', 7));
    expect(failed.code).toBe(1);
    expect(failed.err).toBe(
      `Cannot install the packages of shop: npm install ended with exit code 7. Its files are complete. Repeat the installation with: cd ${home} && npm install\n`,
    );
    expect(readdirSync(home)).toContain('package.json');
    const none = await call(['new', join(folder, 'other'), '--package-manager', 'pnpm'], { PATH: folder });
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining('ENOENT') });
  });

  it('writes the versions that this repository is tested with', () => {
    const { dependencies, devDependencies } = packageJson(TEMPLATE);
    const { 'nestjs-rocketmq': _, 'nestjs-rocketmq-console': __, ...others } = dependencies;
    const wanted = { ...others, ...devDependencies };
    const tested = Object.keys(wanted).map((name) => [name, packageJson(`node_modules/${name}`).version]);
    expect(wanted).toEqual(Object.fromEntries(tested));
  });
});
