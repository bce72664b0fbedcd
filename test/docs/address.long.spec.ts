// The command that writes the address of the public repository, on a copy of what it changes.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { linksIn } from '../../tools/documents.js';
import { run } from '../../tools/process/run-command.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';

const script = resolve('scripts/build/set-address.ts');
const PACKAGES = ['libs/rocketmq', 'libs/console'];
const CHANGED = ['README.md', ...PACKAGES.flatMap((folder) => [`${folder}/README.md`, `${folder}/package.json`])];

describe('the address of the repository', () => {
  let folder: string;
  const text = (file: string): string => readFileSync(join(folder, file), 'utf8');
  const setAddress = (address: string): Promise<string> =>
    run(process.execPath, [...TYPESCRIPT_ARGS, script, address], { cwd: folder });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'address-'));
    for (const file of CHANGED) {
      mkdirSync(join(folder, dirname(file)), { recursive: true });
      cpSync(file, join(folder, file));
    }
    mkdirSync(join(folder, '.github'));
    await setAddress('https://github.com/Example/mq');
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(PACKAGES)('stands in the fields of %s', (name) => {
    expect(JSON.parse(text(`${name}/package.json`))).toMatchObject({
      homepage: 'https://example.github.io/mq/',
      bugs: { url: 'https://github.com/Example/mq/issues' },
      repository: { type: 'git', url: 'git+https://github.com/Example/mq.git', directory: name },
    });
  });

  it.each(PACKAGES)('makes the links and pictures of the README of %s work anywhere', (name) => {
    const links = linksIn(text(`${name}/README.md`));
    expect(links.filter((link) => !link.startsWith('https://'))).toEqual([]);
    const inside = links.flatMap(
      (link) => /^https:\/\/[^/]+\/Example\/mq\/(?:blob\/)?main\/([^#]+)/.exec(link)?.[1] ?? [],
    );
    expect(inside).not.toEqual([]);
    expect(inside.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('gives README.md its badges, and the code an owner', () => {
    expect(text('README.md')).toContain('https://github.com/Example/mq/actions/workflows/checks.yml/badge.svg');
    expect(text('.github/CODEOWNERS')).toBe('* @Example\n');
  });

  it('changes nothing when it is set again', async () => {
    const before = CHANGED.map(text);
    await setAddress('https://github.com/Example/mq');
    expect(CHANGED.map(text)).toEqual(before);
  });

  it('can move', async () => {
    await setAddress('https://github.com/other/place');
    expect(CHANGED.filter((file) => text(file).includes('xample/mq'))).toEqual([]);
    expect(CHANGED.map(text).join('')).toContain('https://github.com/other/place/blob/main/docs/');
    await setAddress('https://github.com/Example/mq');
  });

  it.each(['', 'github.com/Example/mq', 'https://github.com/Example', 'https://github.com/Example/mq/issues'])(
    'rejects "%s" and writes nothing',
    async (address) => {
      const before = CHANGED.map(text);
      await expect(setAddress(address)).rejects.toThrow('is not an address like');
      expect(CHANGED.map(text)).toEqual(before);
    },
  );
});
