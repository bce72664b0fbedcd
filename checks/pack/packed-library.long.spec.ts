// The library as npm installs it: packed, unpacked, every entry loaded as ESM and CommonJS, one message sent.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import typescript from 'typescript';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';

const run = promisify(execFile);
const root = process.cwd();
const library = join(root, 'libs/rocketmq');
const BUILD_TIMEOUT_MS = 120_000;

/** Sends a message through the embedded broker and prints what arrived. */
const ROUND_TRIP = `
  const broker = new EmbeddedBroker({ topics: [{ name: 'greetings', type: 'normal' }] });
  await broker.start();
  const connection = new Connection({ endpoints: broker.endpoints });
  const producer = new Producer(connection);
  await producer.start();
  const arrived = new Promise((resolve) => {
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'greetings' }],
      handler: (message) => resolve({ consumer, text: message.body.toString() }),
    });
    consumer.start();
  });
  await producer.send({ topic: 'greetings', body: 'hello' });
  const { consumer, text } = await arrived;
  await consumer.close();
  await producer.close();
  connection.close();
  await broker.stop();
  console.log(text);
`;

const WITH_FIXTURES = `
      import { withTestBroker } from 'nestjs-rocketmq/testing/vitest';
      const it = withTestBroker(test, { manualClock: true }).extend<{ app: { endpoints: string } }>({
        app: async ({ broker }, use) => { await use({ endpoints: broker.endpoints }); },
      });
      it('has both fixtures', async ({ broker, app }) => {
        const started: TestBroker = broker;
        expect(started.endpoints).toBe(app.endpoints);
      });
      withTestBroker(it, { scope: 'file' });`;

describe('the packed library', () => {
  const app = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-app-'));
  const installed = join(app, 'node_modules', 'nestjs-rocketmq');

  beforeAll(async () => {
    await run(process.execPath, [...TYPESCRIPT_ARGS, 'scripts/build/build.ts', 'nestjs-rocketmq'], { cwd: root });
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', app], {
      cwd: library,
    });
    const packed = JSON.parse(stdout);
    // npm 11 gives a list, later ones an object by package name.
    const [{ filename }] = (Array.isArray(packed) ? packed : Object.values(packed)) as [{ filename: string }];
    mkdirSync(installed, { recursive: true });
    await run('tar', ['-xzf', join(app, filename), '-C', installed, '--strip-components=1']);
    linkDependencies(join(app, 'node_modules'));
  }, BUILD_TIMEOUT_MS);

  afterAll(() => rmSync(app, { recursive: true, force: true }));

  it('contains only the required files', () => {
    expect(readdirSync(installed).sort()).toEqual([
      'LICENSE',
      'README.md',
      'bin',
      'dist',
      'package.json',
      'proto',
      'schematics',
      'templates',
    ]);
    const files = readdirSync(join(installed, 'dist'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => file.includes('.spec.'))).toEqual([]);
  });

  it.each(['import', 'require'])('loads every entry by %s', async (way) => {
    const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    // Those for a test runner load in it only; test/runners does that.
    const entries = Object.keys(exports).filter((name) => !/^\.\/(package\.json|testing\/.+)$/.test(name));
    const names = entries.map((name) => `nestjs-rocketmq${name.slice(1)}`);
    const load = way === 'import' ? 'await import(name)' : 'require(name)';
    const script = `const sizes = {}; for (const name of ${JSON.stringify(names)}) sizes[name] = Object.keys(${load}).length;
      console.log(JSON.stringify(sizes));`;
    const sizes = JSON.parse(await runScript(app, way, script)) as Record<string, number>;
    expect(Object.keys(sizes)).toEqual(names);
    for (const name of names) expect(sizes[name]).toBeGreaterThan(0);
  });

  it('is the same code by import and require, in every entry', async () => {
    const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    const entries = Object.keys(exports).filter((name) => !/^\.\/(package\.json|testing\/.+)$/.test(name));
    const script = `
      import { createRequire } from 'node:module';
      const differing = [];
      for (const name of ${JSON.stringify(entries.map((name) => `nestjs-rocketmq${name.slice(1)}`))}) {
        const { ...imported } = await import(name);
        const required = createRequire(import.meta.url)(name);
        for (const key of new Set([...Object.keys(imported), ...Object.keys(required)]))
          if (imported[key] !== required[key]) differing.push(name + ' ' + key);
      }
      console.log(JSON.stringify(differing));`;
    expect(JSON.parse(await runScript(app, 'import', script))).toEqual([]);
  });

  it('has one class per error, whichever way and in whichever entry', async () => {
    const script = `
      import { createRequire } from 'node:module';
      import { RocketMQError } from 'nestjs-rocketmq';
      import { Connection } from 'nestjs-rocketmq/client';
      const require = createRequire(import.meta.url);
      const entries = [require('nestjs-rocketmq'), require('nestjs-rocketmq/client'), require('nestjs-rocketmq/admin')];
      let thrown;
      try { new (require('nestjs-rocketmq/client').Connection)({ endpoints: '' }); } catch (error) { thrown = error; }
      console.log(entries.every((entry) => entry.RocketMQError === RocketMQError), thrown instanceof RocketMQError);`;
    expect(await runScript(app, 'import', script)).toBe('true true');
  });

  it('leaves out of a bundle what an application does not import', async () => {
    const script = `
      import { rolldown } from 'rolldown';
      import { writeFileSync } from 'node:fs';
      writeFileSync('part.mjs', "import { RocketMQError } from 'nestjs-rocketmq/client'; console.log(RocketMQError.name);");
      const build = await rolldown({ input: 'part.mjs', platform: 'node' });
      const { output: [{ code }] } = await build.write({ file: 'bundled.mjs' });
      await import('./bundled.mjs');
      console.log(code.length < 50_000, /http2/.test(code));`;
    expect(await runScript(app, 'import', script)).toBe('RocketMQError\ntrue false');
  });

  it.each(['import', 'require'])('sends a message when loaded by %s', async (way) => {
    const names = [
      ['{ Connection, Producer, PushConsumer }', 'nestjs-rocketmq/client'],
      ['{ EmbeddedBroker }', 'nestjs-rocketmq/broker'],
    ];
    const loads = names.map(([bound, name]) =>
      way === 'import' ? `const ${bound} = await import('${name}');` : `const ${bound} = require('${name}');`,
    );
    expect(await runScript(app, way, `${loads.join('\n')}\n${ROUND_TRIP}`)).toBe('hello');
  });

  it.each(['import', 'require'])('traces a message from send to handler when loaded by %s', async (way) => {
    const reported = JSON.parse(await runFixture(app, way, 'traced-message'));
    expect(reported.spans).toEqual({ send: reported.wire, process: reported.wire, isChild: true });
    expect(reported.measured).toContain('rocketmq_process_time');
  });

  it('has types with which telemetry can be passed to all its options, in ESM and CommonJS', async () => {
    const text = `
      import { RocketMQModule } from 'nestjs-rocketmq';
      import { Connection, Producer, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';
      import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';
      import { Inbox, Outbox } from 'nestjs-rocketmq/sql';
      const telemetry = openTelemetry({ processTrace: 'link' });
      const consumer = { consumerGroup: 'g', subscriptions: [{ topic: 't' }], telemetry };
      export const connection = new Connection({ endpoints: 'localhost:8081' });
      export const all = [
        RocketMQModule.forRoot({ endpoints: 'embedded:', telemetry }),
        new Producer(connection, { telemetry }),
        new PushConsumer(connection, { ...consumer, handler: () => {} }),
        new SimpleConsumer(connection, consumer),
        new Inbox({ telemetry }),
        new Outbox({ telemetry }),
      ];`;
    const files = ['types.mts', 'types.cts'].map((name) => join(app, name));
    for (const file of files) writeFileSync(file, text);
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022'];
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, ...flags, ...files], { cwd: app }).catch((failure) => failure);
    expect(stdout).toBe('');
  });

  it.each([
    ['vitest', 'vitest', 'expect, test'],
    ['jest-globals', '@jest/globals', 'expect'],
  ])('types the matchers of %s by the topic, with all declarations checked', async (entry, runner, names) => {
    const text = `
      import { ${names} } from '${runner}';
      import { defineTopic } from 'nestjs-rocketmq';
      import { TestBroker } from 'nestjs-rocketmq/testing';
      import { useTestBroker } from 'nestjs-rocketmq/testing/${entry}';
      const Placed = defineTopic<{ id: string; lines: { sku: string }[] }>('placed', { type: 'normal' });
      export const broker: () => TestBroker = useTestBroker({ scope: 'file' });
      export const check: Promise<void> = expect(broker()).toHaveDelivered(Placed, {
        body: expect.objectContaining({ id: '1' }), group: 'shipping', times: 1,
      });
      export const whole = expect(broker()).not.toHaveSent(Placed, { body: { id: '1', lines: [{ sku: expect.any(String) }] } });
      // @ts-expect-error no number
      export const wrong = expect(broker()).toHaveDeadLettered(Placed, { body: { id: 1, lines: [] } });
      ${entry === 'vitest' ? WITH_FIXTURES : ''}`;
    const file = join(app, `matchers-${entry}.mts`);
    writeFileSync(file, text);
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const args = [tsc, ...flags, '--pretty', 'false', file];
    const { stdout } = await run(process.execPath, args, { cwd: app }).catch((failure) => failure);
    // What other packages get wrong is theirs.
    const ours = stdout.split('\n').filter((line: string) => /^matchers-|nestjs-rocketmq\//.test(line));
    expect(ours).toEqual([]);
  });

  it('has no constructors of what only the library can create', async () => {
    const text = `
      import { type RocketMQBatchContext as Batch, RocketMQBatchContext, RocketMQContext, RocketMQProducer } from 'nestjs-rocketmq';
      import { FakeProducer, fakeProducer } from 'nestjs-rocketmq/testing';
      import type { TestingModule } from '@nestjs/testing';
      // @ts-expect-error created by fakeProducer()
      new FakeProducer();
      // @ts-expect-error created for each message
      new RocketMQContext();
      // @ts-expect-error created for each batch
      new RocketMQBatchContext();
      export const fake: FakeProducer = fakeProducer();
      export const asBatch = (context: object): Batch | undefined => context instanceof RocketMQBatchContext ? context : undefined;
      export const producer = (app: TestingModule): RocketMQProducer => app.get(RocketMQProducer);
      export const faked = (app: TestingModule): readonly unknown[] => app.get<FakeProducer>(RocketMQProducer).sent;`;
    const file = join(app, 'constructors.mts');
    writeFileSync(file, text);
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022'];
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, ...flags, file], { cwd: app }).catch((failure) => failure);
    expect(stdout).toBe('');
  });

  it('has names for what its functions take and return, so that an application can emit declarations', async () => {
    const text = `
      import {
        type ConsumeInterceptor, defineTopic, outboxMessage, type RocketMQClient, type RocketMQContext,
        type RocketMQError, type RocketMQListenerOptions, type RocketMQModuleOptions, type RocketMQProducer, type RocketMQRequester,
        type TopicDefinition, TransactionalSend,
      } from 'nestjs-rocketmq';
      const Orders = defineTopic<{ id: string }>('orders', { type: 'normal' });
      const Paid = defineTopic<{ id: string }>('paid', { type: 'transaction' });
      export class Service {
        message(id: string) { return outboxMessage(Orders, { id }); }
        log(context: RocketMQContext) { return context.logger; }
        connection(client: RocketMQClient) { return client.connection; }
        control(client: RocketMQClient) { return client.control; }
        options({ clock, logger, addressMapping, tls }: RocketMQModuleOptions) { return { clock, logger, addressMapping, ca: typeof tls === 'object' ? tls.ca : undefined }; }
        batch({ batch, interceptors }: RocketMQListenerOptions) { return { batch, interceptors }; }
        context(_interceptor: ConsumeInterceptor, context: Parameters<ConsumeInterceptor>[1]) { return context; }
        bound(producer: RocketMQProducer) { return producer.sendBatch.bind(producer); }
        request(requester: RocketMQRequester) { return requester.request.bind(requester); }
        outcome(error: RocketMQError) { return error.outcome; }
        topic<T>(topic: TopicDefinition<T>) { return topic; }
      }
      export const paying = TransactionalSend(Paid, { message: (id: string) => ({ body: { id } }) });`;
    const files = ['emitted.mts', 'emitted.cts'].map((name) => join(app, name));
    for (const file of files) writeFileSync(file, text);
    const flags = ['--declaration', '--outDir', 'emitted', '--strict', '--skipLibCheck', '--module', 'nodenext'];
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const args = [tsc, ...flags, '--target', 'es2022', ...files];
    const { stdout } = await run(process.execPath, args, { cwd: app }).catch((failure) => failure);
    expect(stdout).toBe('');
  });

  it.each(['import', 'require'])('loads @opentelemetry/api only in its own entry, by %s', async (way) => {
    const entries = ['', '/client', '/broker', '/admin', '/sql', '/testing'].map((name) => `nestjs-rocketmq${name}`);
    const api = join(app, 'node_modules', '@opentelemetry');
    const load = way === 'import' ? 'await import(name)' : 'require(name)';
    const script = `for (const name of ${JSON.stringify(entries)}) ${load};
      let rejected = 'loaded';
      try { const name = 'nestjs-rocketmq/opentelemetry'; ${load}; } catch ({ message }) { rejected = message; }
      console.log(rejected);`;
    rmSync(api);
    try {
      expect(await runScript(app, way, script)).toMatch(/Cannot find (package|module) '@opentelemetry\/api'/);
    } finally {
      symlinkSync(join(root, 'node_modules', '@opentelemetry'), api);
    }
  });

  it.each(['import', 'require'])(
    'leaves nothing behind of 50 applications in turn, each with a TestBroker, when loaded by %s',
    async (way) => {
      const printed = JSON.parse(await runFixture(app, way, 'fifty-apps'));
      expect(printed).toEqual({ handled: 50, leftovers: [] });
    },
  );

  it('creates one nestjs-cls store per message, and keeps it until the handler has ended', async () => {
    const { interceptor, guard } = JSON.parse(await runFixture(app, 'import', 'cls-app')) as Record<string, string[][]>;
    const wayOf = (id: number, ...stops: string[]) => [
      ...['interceptor', 'pipe', 'handler'].map((stop) => [`trace-${id}`, stop, 'no mark']),
      ...stops.map((stop) => [`trace-${id}`, stop, `mark ${id}`]),
    ];
    for (const id of [0, 1, 2]) {
      const own = (notes: string[][] | undefined) => notes?.filter(([trace]) => trace === `trace-${id}`);
      expect(own(interceptor)).toEqual(wayOf(id, 'after await'));
      expect(own(guard)).toEqual(wayOf(id, 'after await', ...(id === 0 ? ['filter'] : [])));
    }
    // Filters run outside of interceptors.
    expect(interceptor?.filter(([trace]) => trace === 'no trace')).toEqual([['no trace', 'filter', 'no mark']]);
  });

  it('runs its command line', async () => {
    const { stdout } = await run(process.execPath, [join(installed, 'bin/nestjs-rocketmq.js'), '--help'], { cwd: app });
    expect(stdout).toContain('nestjs-rocketmq broker');
  });
});

/** The packages that npm installs with it. */
function linkDependencies(folder: string): void {
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name.startsWith('.') || name === 'nestjs-rocketmq') continue;
    symlinkSync(join(root, 'node_modules', name), join(folder, name));
  }
}

/** Runs a program of fixtures/ in the application's folder, compiled like an application; returns its output. */
function runFixture(folder: string, way: string, name: string): Promise<string> {
  const text = readFileSync(join(root, 'checks/pack/fixtures', `${name}.ts`), 'utf8');
  const { outputText } = typescript.transpileModule(text, {
    compilerOptions: {
      target: typescript.ScriptTarget.ES2022,
      module: way === 'import' ? typescript.ModuleKind.ESNext : typescript.ModuleKind.CommonJS,
      esModuleInterop: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      useDefineForClassFields: false,
    },
  });
  return runScript(folder, way, outputText);
}

/** Runs a script in the application's folder, as ESM or CommonJS; returns its output. */
async function runScript(folder: string, way: string, script: string): Promise<string> {
  const file = join(folder, way === 'import' ? 'script.mjs' : 'script.cjs');
  writeFileSync(file, way === 'import' ? script : `(async () => {${script}\n})();`);
  const { stdout } = await run(process.execPath, [file], { cwd: folder, timeout: 30_000 });
  return stdout.trim();
}
