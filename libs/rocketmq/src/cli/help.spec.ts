// The help of every command: complete, identical in the guide, with valid examples. Which modules it loads.

import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { HELP_BLOCKS, helpInGuide } from '../../../../scripts/docs/guide-help.js';
import { call } from '../../../../test/fixtures/command-line.js';
import type { CommandIo } from './command.js';
import { programOf } from './main.js';

const GUIDE = 'docs/guide/command-line.md';
const silent: CommandIo = {
  out() {},
  err() {},
  warn() {},
  fail() {},
  flushed: async () => {},
  env: {},
  version: '1.2.3',
  closed: new AbortController().signal,
  importModule: async () => ({}),
};

/** The words of every command; none for the program itself. */
function pathsOf(command: Command, path: readonly string[] = []): string[][] {
  return [[...path], ...command.commands.flatMap((one) => pathsOf(one, [...path, one.name()]))];
}

const paths = pathsOf(programOf(silent));
const helpOf = async (path: readonly string[]) => call([...path, '--help']);

describe('the help', () => {
  it('exists for every command', () => {
    const calls = paths.map((path) => path.join(' '));
    const wanted =
      'broker|doctor|topic list|topic show|topic create|topic delete|group list|group show|group create|group delete|group clients|group client|lag|rewind|dlq list|dlq replay|message show|message find|message list';
    for (const one of wanted.split('|')) expect(calls).toContain(one);
  });

  it.each(paths.map((path) => [path.join(' '), path] as const))('of "%s" has examples', async (_, path) => {
    const { code, out, err } = await helpOf(path);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`Usage: ${['nestjs-rocketmq', ...path].join(' ')}`);
    expect(out).toMatch(/\nExamples:\n {2}# .+\n {2}\$ nestjs-rocketmq /);
  });

  it('keeps the options in the guide whose names only begin like a shared one', async () => {
    const { out } = await helpOf(['server']);
    expect(helpInGuide(out)).toContain('--name-server-port <port>');
    expect(helpInGuide(out)).not.toContain('--name-server <addresses>');
  });

  it('contains only valid examples', async () => {
    const helps = await Promise.all(paths.map(helpOf));
    const examples = helps.flatMap(({ out }) =>
      [...out.matchAll(/^ {2}\$ nestjs-rocketmq (.+)$/gm)].map(([, line = '']) => line),
    );
    expect(examples.length).toBeGreaterThan(30);
    for (const line of examples) {
      const program = programOf(silent);
      let called: readonly string[] | undefined;
      for (const command of leavesOf(program)) {
        command.action((...args: unknown[]) => {
          called = args.map(String);
        });
      }
      const isHelp = line.endsWith('--help');
      const parsed = program.parseAsync(line.split(' '), { from: 'user' });
      if (isHelp) await expect(parsed).rejects.toMatchObject({ code: 'commander.helpDisplayed' });
      else await parsed;
      expect({ line, isCalled: called !== undefined || isHelp }).toEqual({ line, isCalled: true });
    }
  });

  it('is in the guide without the common options, which the guide has in a table (npm run docs writes it)', async () => {
    const guide = readFileSync(GUIDE, 'utf8');
    const shown = [...guide.matchAll(HELP_BLOCKS)].map(([, , path = '', text]) => ({
      path: path.trim(),
      text,
    }));
    const wanted = paths.filter((path) => leafOrRoot(path));
    expect(shown.map(({ path }) => path).sort()).toEqual(wanted.map((path) => path.join(' ')).sort());
    for (const { path, text } of shown) {
      const { out } = await helpOf(path.split(' ').filter((word) => word !== ''));
      expect({ path, text }).toEqual({ path, text: helpInGuide(out) });
    }
  });

  it('is printed when no command is given, with exit code 2', async () => {
    const { code, out, err } = await call([]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Usage: nestjs-rocketmq');
    expect(await call(['topic'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('Usage: nestjs-rocketmq topic'),
    });
  });

  it('suggests the nearest command or option', async () => {
    expect(await call(['docter'])).toMatchObject({ code: 2, err: expect.stringContaining('Did you mean doctor?') });
    expect((await call(['topic', 'list', '--jsn'])).err).toContain('Did you mean --json?');
  });
});

describe('the program', () => {
  it('loads only the command line parser before a command runs', () => {
    const library = join(process.cwd(), 'libs/rocketmq/src');
    const loaded = new Set<string>();
    const load = (file: string): void => {
      if (loaded.has(file)) return;
      loaded.add(file);
      for (const from of importsOf(readFileSync(file, 'utf8'))) {
        if (from.startsWith('.')) load(resolve(dirname(file), from.replace(/\.js$/, '.ts')));
        else loaded.add(from);
      }
    };
    load(join(library, 'cli/main.ts'));
    const files = [...loaded].map((file) => (file.startsWith('/') ? relative(library, file) : file));
    const floors = [...new Set(files.filter((file) => /^\w+\//.test(file)).map((file) => file.split('/')[0]))];
    expect(floors.sort()).toEqual(['cli', 'support']);
    expect(files.filter((file) => !file.includes('/') && !file.startsWith('node:'))).toEqual(['commander']);
  });
});

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

function leafOrRoot(path: readonly string[]): boolean {
  return (
    path.length === 0 ||
    !paths.some((other) => other.length > path.length && path.every((word, at) => other[at] === word))
  );
}

/** The static imports of a file, without types. */
function importsOf(text: string): string[] {
  return [...text.matchAll(/^(?:import|export) (?!type\b)(?:([^;']*?) from )?'([^']+)';$/gm)]
    .filter(([, names = '']) => !/^\{(?: *type \w+,?)+ *\}$/.test(names.replace(/\s+/g, ' ')))
    .map(([, , from = '']) => from);
}
