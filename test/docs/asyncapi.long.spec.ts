// The example of docs/guide/asyncapi.md, run: in an application, and by the command line in a process of its own.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { createApp } from '../../docs/examples/asyncapi.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { problemsOf } from '../fixtures/async-api.js';

const MODULE = 'docs/examples/asyncapi.ts';
const INFO = ['--title', 'shipping', '--version', '1.4.0'];

let folder: string;
beforeAll(() => {
  Logger.overrideLogger(false);
  folder = mkdtempSync(join(tmpdir(), 'asyncapi-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command line as a process that loads TypeScript. */
function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const program = `const { main } = await import('./libs/rocketmq/src/cli/main.ts'); await main(${JSON.stringify(args)}, (name) => import(name));`;
  const node = [...TYPESCRIPT_ARGS, '--input-type=module', '-e', program];
  return new Promise((resolve) => {
    execFile(process.execPath, node, { env: { ...process.env, ...env } }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

const OPERATIONS = ['Packing.pack', 'Postage.quote', 'send.parcel-sent'];

describe('the example of AsyncAPI', () => {
  it('serves its document', async () => {
    const app = await createApp();
    await app.listen(0, '127.0.0.1');
    const document = await (await fetch(`${await app.getUrl()}/asyncapi`)).json();
    await app.close();
    expect(await problemsOf(document)).toEqual([]);
    expect(document).toMatchObject({ info: { title: 'shipping', version: '1.4.0' } });
    expect(Object.keys((document as { operations: object }).operations)).toEqual(OPERATIONS);
  });

  it('has the same document on the command line, which connects to nothing', async () => {
    const { code, out, err } = await run(['asyncapi', 'document', MODULE, ...INFO], {
      ROCKETMQ_ENDPOINTS: 'nowhere.invalid:8081',
    });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const document = JSON.parse(out);
    expect(await problemsOf(document)).toEqual([]);
    expect(Object.keys(document.operations)).toEqual(OPERATIONS);
    expect(document.servers.default.host).toBe('nowhere.invalid:8081');
  });
});

describe('nestjs-rocketmq asyncapi document', () => {
  /** Writes a module beside the tests; it is JavaScript, as users give it. */
  function moduleOf(text: string): string {
    const file = join(folder, `module-${text.length}.mjs`);
    const imports = `
      import { createRequire } from 'node:module';
      const require = createRequire(${JSON.stringify(join(process.cwd(), 'package.json'))});
      const { Module, Controller } = require('@nestjs/common');
      const { EventPattern } = require('@nestjs/microservices');
      const { RocketMQModule } = await import(${JSON.stringify(join(process.cwd(), 'libs/rocketmq/src/entries/nest.ts'))});
    `;
    writeFileSync(file, imports + text);
    return file;
  }
  const ASYNC = `
    class Pool { constructor() { setInterval(() => {}, 1000); console.log('connected'); } }
    const useFactory = () => ({ endpoints: 'mq:8081', consumerGroup: 'g', topics: [{ name: 'from-a-provider', type: 'normal' }] });
    export class ShopModule {}
    Module({ imports: [RocketMQModule.forRootAsync({ useFactory })], providers: [Pool] })(ShopModule);
  `;

  it('needs the providers for options that come from one, and then ends what they started', async () => {
    const file = moduleOf(ASYNC);
    const rejected = await run(['asyncapi', 'document', `${file}#ShopModule`, ...INFO]);
    expect(rejected).toMatchObject({ code: 1, out: '', err: expect.stringContaining('--instantiate') });
    const target = join(folder, 'asyncapi.json');
    const done = await run(['asyncapi', 'document', `${file}#ShopModule`, ...INFO, '--instantiate', '--out', target]);
    expect(done).toMatchObject({ code: 0, out: 'connected\n', err: expect.stringContaining('still runs') });
    const document = JSON.parse(readFileSync(target, 'utf8'));
    expect(await problemsOf(document)).toEqual([]);
    expect(Object.keys(document.operations)).toEqual(['send.from-a-provider']);
  });

  it.each([
    ['a document', '', { code: 0, out: expect.stringContaining('"asyncapi"') }],
    ['a wrong export', '#Nothing', { code: 2, out: '', err: expect.stringContaining('it exports AppModule') }],
  ])('ends in preview mode although the file keeps a timer: %s', async (_, name, expected) => {
    const file = moduleOf(`
      setInterval(() => {}, 1000);
      export class AppModule {}
      Module({ imports: [RocketMQModule.forRoot({ endpoints: 'mq:8081' })] })(AppModule);
    `);
    const done = await run(['asyncapi', 'document', `${file}${name}`, ...INFO]);
    expect(done).toMatchObject(expected);
    expect(done.err).toContain('still runs');
  });

  it('warns of handlers that it cannot assign', async () => {
    const file = moduleOf(`
      class Orders { placed() {} }
      EventPattern('orders')(Orders.prototype, 'placed', Object.getOwnPropertyDescriptor(Orders.prototype, 'placed'));
      Controller()(Orders);
      export class AppModule {}
      Module({ imports: [RocketMQModule.forRoot({ endpoints: 'mq:8081', consumerGroup: 'g' })], controllers: [Orders] })(AppModule);
    `);
    const { code, out, err } = await run(['asyncapi', 'document', file, ...INFO]);
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining('warning: Orders.placed is left out') });
    expect(JSON.parse(out).operations).toEqual({});
  });

  it.each([
    ['a file that does not exist', ['none.js', ...INFO], 1, 'cannot be loaded'],
    ['an export that does not exist', [`${MODULE}#Nothing`, ...INFO], 2, 'it exports AppModule'],
    ['a class that is no module', [`${MODULE}#Packing`, ...INFO], 1, 'Packing'],
  ])('rejects %s', async (_, args, code, text) => {
    expect(await run(['asyncapi', 'document', ...args])).toMatchObject({
      code,
      out: '',
      err: expect.stringContaining(text),
    });
  });

  it('takes title and version from package.json', async () => {
    const file = moduleOf(`
      export class AppModule {}
      Module({ imports: [RocketMQModule.forRoot({ endpoints: 'mq:8081' })] })(AppModule);
    `);
    expect(await run(['asyncapi', 'document', file])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--title'),
    });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'shop', version: '3.2.1' }));
    const { out } = await run(['asyncapi', 'document', file]);
    expect(JSON.parse(out).info).toEqual({ title: 'shop', version: '3.2.1' });
  });
});
