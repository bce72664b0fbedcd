// The console as a process, as a person starts it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { builtPages, ConsoleBrowser } from '../../../../test/fixtures/console-bench.js';

const MAIN = pathToFileURL(join(process.cwd(), 'libs/rocketmq/src/cli/main.ts')).href;
const TYPESCRIPT = pathToFileURL(join(process.cwd(), 'tools/typescript/run-typescript.mjs')).href;
/** Hides the package, as where it is not installed. */
const HIDING = `data:text/javascript,${encodeURIComponent(`
  import { register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(\`
    export async function resolve(specifier, context, next) {
      if (!specifier.startsWith('nestjs-rocketmq-console')) return next(specifier, context);
      throw Object.assign(new Error('Cannot find package ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' });
    }
  \`));
`)}`;

const running: ChildProcess[] = [];
const folders: string[] = [];
beforeAll(builtPages);
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGINT');
    await once(child, 'close');
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

class Program {
  out = '';
  err = '';
  readonly closed: Promise<number | null>;
  private readonly child: ChildProcess;

  constructor(args: readonly string[], { imports = [TYPESCRIPT], cwd = process.cwd() } = {}) {
    const code = `const { main } = await import(${JSON.stringify(MAIN)}); await main(${JSON.stringify(args)}, (name) => import(name));`;
    const node = [...imports.flatMap((one) => ['--import', one]), '--input-type=module', '-e', code];
    this.child = spawn(process.execPath, node, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_ENV: '' },
    });
    running.push(this.child);
    this.child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.out += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.err += text;
    });
    this.closed = once(this.child, 'close').then(([code]) => code as number | null);
  }

  /** The part of a line that it prints. */
  async printed(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.out)?.[1];
      if (found !== undefined) return found;
      const next = once(this.child.stdout as never, 'data');
      const ended = this.closed.then(() => {
        throw new Error(`it ended: ${this.out}${this.err}`);
      });
      await Promise.race([next, ended]);
    }
  }

  async stop(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.closed;
  }
}

async function opened(url: string): Promise<ConsoleBrowser> {
  const welcome = await fetch(url, { redirect: 'manual' });
  const [cookie = ''] = (welcome.headers.get('set-cookie') ?? '').split(';');
  return new ConsoleBrowser(new URL(url).origin, { cookie });
}

const CONSOLE = /^console on (http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+)$/m;

describe('the console of the command line', () => {
  it('starts with a broker, and beside one that runs', async () => {
    const started = ['broker', '--port', '0', '--control', '0', '--topic', 'orders', '--console'];
    const broker = new Program([...started, '--operations-topic', 'orders', '--group', 'billing']);
    const own = await opened(await broker.printed(CONSOLE));
    expect((await own.get('/api/groups/billing/dead-letters')).body).toMatchObject({ keepsFailures: true });
    expect((await own.raw('/')).status).toBe(200);
    expect((await own.get('/api/session')).body).toMatchObject({ kind: 'embedded', has: { control: true } });
    const { done } = await own.change({ action: 'send', topic: 'orders', text: 'hello' });
    expect(done).toMatchObject({ outcome: 'done' });

    const other = await fetch(own.origin, { headers: { accept: 'text/html' } });
    expect([other.status, await other.text()]).toEqual([
      401,
      expect.stringContaining(await broker.printed(/^for another browser: (npx nestjs-rocketmq console .*)$/m)),
    ]);
    const nameServer = await broker.printed(/^clients by remoting .*: name server (\S+)$/m);
    const beside = new Program(['console', '--name-server', nameServer]);
    const careful = await opened(await beside.printed(CONSOLE));
    expect((await careful.get('/api/session')).body).toMatchObject({ kind: 'cluster', actions: [] });
    expect((await careful.get('/api/topics/orders/messages')).body.messages).toMatchObject([
      { body: { kind: 'hidden' } },
    ]);
    const forged = { action: 'send', topic: 'orders', text: 'x' };
    expect((await careful.post('/api/plans', forged)).body).toMatchObject({ error: { code: 'NOT_ALLOWED' } });

    const control = await broker.printed(/^control on (\S+)$/m);
    const args = ['console', '--name-server', nameServer, '--control', control, '--json'];
    const controlled = new Program(args);
    const all = await opened(await controlled.printed(/^\{"url":"([^"]+)"\}$/m));
    expect((await all.get('/api/topics/orders/messages')).body.messages).toMatchObject([{ body: { text: 'hello' } }]);
    expect((await all.change({ action: 'send', topic: 'orders', text: 'two' })).done).toMatchObject({
      outcome: 'done',
    });
    expect([await controlled.stop(), await beside.stop(), await broker.stop()]).toEqual([0, 0, 0]);
    expect(beside.err).toContain('send topic orders: rejected: not allowed');
    // Three programs from their sources, one after another.
  }, 240_000);

  it('names the command that lets in another browser, which keeps what a broker has in memory', async () => {
    const broker = new Program(['broker', '--port', '0', '--name-server-port', '0', '--topic', 'orders', '--console']);
    const first = await opened(await broker.printed(CONSOLE));
    await first.change({ action: 'send', topic: 'orders', text: 'hello' });
    const command = await broker.printed(/^for another browser: npx nestjs-rocketmq (.*)$/m);
    const second = await opened(await new Program(command.split(' ')).printed(CONSOLE));
    expect((await second.get('/api/topics/orders/messages')).body.messages).toMatchObject([
      { body: { text: 'hello' } },
    ]);
    expect((await second.change({ action: 'send', topic: 'orders', text: 'two' })).done).toMatchObject({
      outcome: 'done',
    });
    expect((await first.get('/api/topics/orders/messages')).body.messages).toHaveLength(2);
  }, 120_000);

  it('sends by the name servers where no proxy is named', async () => {
    const broker = new Program(['broker', '--port', '0', '--name-server-port', '0', '--topic', 'orders']);
    const nameServer = await broker.printed(/^clients by remoting .*: name server (\S+)$/m);
    const args = ['console', '--name-server', nameServer, '--actions', 'send', '--bodies', 'shown', '--port', '0'];
    const browser = await opened(await new Program(args).printed(CONSOLE));
    expect((await browser.get('/api/session')).body).toMatchObject({ actions: ['send'] });
    const { done } = await browser.change({ action: 'send', topic: 'orders', text: 'hello' });
    expect(done).toMatchObject({ outcome: 'done', details: { topic: 'orders', brokerName: 'embedded', offset: 0 } });
  });

  it('says how to install the package where it is missing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'console-missing-'));
    folders.push(folder);
    const missing = { imports: [TYPESCRIPT, HIDING], cwd: folder };
    const text = 'install it with: npm install -D nestjs-rocketmq-console';
    const alone = new Program(['console'], missing);
    expect({ code: await alone.closed, err: alone.err }).toEqual({ code: 1, err: expect.stringContaining(text) });
    const broker = new Program(['broker', '--port', '0', '--console'], missing);
    expect({ code: await broker.closed, err: broker.err }).toEqual({ code: 1, err: expect.stringContaining(text) });
  });

  it('reports what is wrong with the call', async () => {
    const wrong = new Program(['console', '--actions', 'explode']);
    expect({ code: await wrong.closed, err: wrong.err }).toEqual({
      code: 1,
      err: expect.stringContaining('option actions of the console must be'),
    });
    const alone = new Program(['broker', '--operations-topic', 'operations']);
    expect({ code: await alone.closed, err: alone.err }).toEqual({
      code: 2,
      err: expect.stringContaining('--operations-topic is for the console; add --console'),
    });
    const rule = new Program(['console', '--bodies', 'some']);
    expect({ code: await rule.closed, err: rule.err }).toEqual({
      code: 2,
      err: expect.stringContaining('hidden or shown'),
    });
  });
});
