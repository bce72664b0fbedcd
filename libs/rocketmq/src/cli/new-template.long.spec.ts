// How the services of the project of `nestjs-rocketmq new` start and stop, as processes. Its own test covers what they do.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import typescript from 'typescript';

const SOURCES = 'libs/rocketmq/templates/shop/src';
const children: ChildProcess[] = [];
let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-template-'));
  write('package.json', '{ "type": "module" }');
  symlinkSync(join(process.cwd(), 'node_modules'), join(home, 'node_modules'));
  for (const name of ['serve', 'start']) write(`${name}.js`, compiled(name));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function compiled(name: string): string {
  const { ESNext: module } = typescript.ModuleKind;
  const compilerOptions = { module, target: typescript.ScriptTarget.ES2022 };
  return typescript.transpileModule(readFileSync(join(SOURCES, `${name}.ts`), 'utf8'), { compilerOptions }).outputText;
}

function write(file: string, text: string): string {
  const path = join(home, file);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function forked(path: string, env: Record<string, string> = {}): ChildProcess {
  const child = fork(path, { env: { ...process.env, ...env }, execArgv: [], silent: true });
  child.stdout?.resume();
  child.stderr?.resume();
  children.push(child);
  return child;
}

/** A service whose only provider runs this code when it is created. */
function service(file: string, provider: string): string {
  return write(
    file,
    `import { Module } from '@nestjs/common';
import { serve } from './serve.js';
class Shop {}
Module({ providers: [{ provide: 'slow', useFactory: async () => { ${provider} } }] })(Shop);
await serve(Shop, 'shop', 0);
`,
  );
}

it('a service stops when its starter is gone before it runs', async () => {
  const early = forked(service('early.js', ''));
  const exited = once(early, 'exit');
  early.disconnect();
  await exited;
});

it('a service stops when its starter goes while it starts', async () => {
  const slow = "setInterval(() => {}, 1000); process.send('starting'); await new Promise(() => {});";
  const starting = forked(service('slow.js', slow));
  const exited = once(starting, 'exit');
  await once(starting, 'message');
  starting.disconnect();
  await exited;
});

it('stops its services when its terminal is closed', async () => {
  const stub = "process.send('http://127.0.0.1:1'); setInterval(() => {}, 1000);";
  const marked = `import { writeFileSync } from 'node:fs'; process.once('SIGTERM', () => { writeFileSync(new URL('./stopped', import.meta.url), ''); process.exit(); }); process.once('disconnect', () => process.exit()); ${stub}`;
  for (const name of ['orders', 'stock']) write(`${name}/main.js`, marked);
  const shop = forked(join(home, 'start.js'));
  const exited = once(shop, 'exit');
  let printed = '';
  await new Promise<void>((resolve) => {
    shop.stdout?.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (printed.includes('Press Ctrl-C to stop.')) resolve();
    });
  });
  shop.kill('SIGHUP');
  expect(await exited).toEqual([0, null]);
  for (const name of ['orders', 'stock']) expect(readFileSync(join(home, name, 'stopped'), 'utf8')).toBe('');
});
