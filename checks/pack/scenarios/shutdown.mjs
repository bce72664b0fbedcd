// SIGTERM under load, with real processes: `node shutdown.mjs FOLDER`. FOLDER is a project with nestjs-rocketmq and Nest installed;
// this file is copied there, and its other half runs as the application. Plain JavaScript, no runner: any version of Nest can
// run it. It prints a line for each case, and ends with code 1 when a promise was broken.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const RUNNING = 100;
const WAITING = 40;
const GRACE_MS = 4_000;
/** Beside the grace period: what a handler has that ignores its signal, its settlements, and a busy machine. */
const MARGIN_MS = 10_000;
const LEASE_MS = 10_000;
const TIMEOUT_MS = 60_000;

/**
 * @typedef {import('node:child_process').ChildProcess} ChildProcess
 * @typedef {{ child: ChildProcess, lines: () => string[], ids: (what: string) => string[] }} Instance of the application
 *
 * How an application is put together.
 * @typedef {{ handlers: string, position: string, isGlobal: boolean, name: string }} Case
 *
 * @typedef {Case & { endpoints: string, journal: string, waits: boolean, shutdownGraceMs: number, invisibleDurationMs: number }} AppOptions
 */

/** Which of the two halves this process is. */
const [role, given = ''] = process.argv.slice(2);

if (role === 'app') await app(JSON.parse(given));
else await main(resolve(role ?? '.'));

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`);
}

/** Starts the broker and all cases, and prints how they went. @param {string} folder */
async function main(folder) {
  const script = join(folder, 'shutdown-scenario.mjs');
  copyFileSync(fileURLToPath(import.meta.url), script);
  const load = (/** @type {string} */ name) => import(pathToFileURL(createRequire(script).resolve(name)).href);
  /** @type {typeof import('nestjs-rocketmq/broker')} */
  const { EmbeddedBroker } = await load('nestjs-rocketmq/broker');
  /** @type {typeof import('nestjs-rocketmq/client')} */
  const client = await load('nestjs-rocketmq/client');
  const broker = new EmbeddedBroker({});
  await broker.start();
  const notes = mkdtempSync(join(tmpdir(), 'shutdown-'));
  let failed = 0;
  try {
    for (const handlers of ['listeners', 'strategy']) {
      // Those of one kind side by side.
      const cases = ['before', 'after'].flatMap((position) =>
        [true, false].map((isGlobal) => ({ handlers, position, isGlobal })),
      );
      const results = await Promise.allSettled(
        cases.map((one, index) => run({ ...one, name: `${handlers}-${index}`, script, folder, notes, broker, client })),
      );
      for (const [index, { position, isGlobal }] of cases.entries()) {
        const result = results[index];
        const title = `${handlers}, a ${isGlobal ? 'global ' : ''}module with a pool imported ${position} RocketMQModule`;
        if (result?.status === 'fulfilled') print(`ok     ${title}: ${result.value}`);
        else {
          failed++;
          print(`FAILED ${title}: ${result?.reason?.stack ?? result?.reason}`);
        }
      }
    }
  } finally {
    await broker.stop();
    rmSync(notes, { recursive: true, force: true });
    rmSync(script, { force: true });
  }
  process.exitCode = failed === 0 ? 0 : 1;
}

/**
 * One application that is ended under load, and the one that takes over.
 * @param {Case & { script: string, folder: string, notes: string, broker: import('nestjs-rocketmq/broker').EmbeddedBroker,
 *   client: typeof import('nestjs-rocketmq/client') }} options
 */
async function run({ name, script, folder, notes, broker, client, ...options }) {
  const { Connection, Producer, PushConsumer } = client;
  const connection = new Connection({ endpoints: broker.endpoints });
  const producer = new Producer(connection);
  /** @type {string[]} */
  const written = [];
  const reader = new PushConsumer(connection, {
    consumerGroup: `${name}-reader`,
    subscriptions: [{ topic: `${name}-written` }],
    handler: (message) => void written.push(message.body.toString()),
  });
  /** @type {ChildProcess[]} */
  const processes = [];
  const begin = (/** @type {string} */ instance) => {
    const journal = join(notes, `${name}-${instance}`);
    const waits = instance === 'first';
    /** @type {AppOptions} */
    const given = {
      ...options,
      name,
      endpoints: broker.endpoints,
      journal,
      waits,
      shutdownGraceMs: GRACE_MS,
      invisibleDurationMs: LEASE_MS,
    };
    const child = spawn(process.execPath, [script, 'app', JSON.stringify(given)], {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    processes.push(child);
    const lines = () => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').filter(Boolean) : []);
    const ids = (/** @type {string} */ what) =>
      lines().flatMap((line) => (line.startsWith(`${what} `) ? [line.slice(what.length + 1)] : []));
    return { child, lines, ids };
  };
  try {
    await producer.start();
    await reader.start();
    const first = begin('first');
    await until(() => first.ids('listening').length > 0, 'the application listens', first);
    // The one that hangs is among the first, so that it runs.
    const all = ['hangs', ...Array.from({ length: RUNNING + WAITING - 1 }, (_, index) => `order-${index}`)];
    for (const id of all) await producer.send({ topic: `${name}-orders`, body: JSON.stringify({ id }) });
    await until(() => first.ids('begun').length >= RUNNING, 'all handlers run', first);
    const request = ask(`http://127.0.0.1:${first.ids('listening')[0]}/slow`);
    request.catch(() => {});
    await until(() => first.ids('asked').length > 0, 'the request is open', first);
    const sentAtMs = performance.now();
    first.child.kill('SIGTERM');
    const [code, signal] = await once(first.child, 'exit');
    const tookMs = Math.round(performance.now() - sentAtMs);

    assert.ok(signal === 'SIGTERM' || code === 0, `it ended with ${signal ?? code}`);
    assert.ok(tookMs < GRACE_MS + MARGIN_MS, `it took ${tookMs} ms to end`);
    assert.deepEqual(first.ids('broken'), [], 'no handler met a closed pool');
    const done = first.ids('done');
    const begun = first.ids('begun').filter((id) => id !== 'hangs');
    assert.deepEqual([...done].sort(), [...begun].sort(), 'every handler that had begun came to its end');
    assert.equal(done.length, RUNNING - 1, 'as many as ran when the signal came, and none that came later');
    assert.deepEqual(first.ids('aborted'), ['hangs'], 'the signal of the handler that hangs fired');
    assert.equal(await request, 'sent', 'the request that was open could send');
    assert.deepEqual(first.ids('closed'), ['pool'], 'the pool was closed');

    const second = begin('second');
    await until(() => second.ids('done').length >= all.length - done.length, 'the rest is handled', second);
    const rest = second.ids('done');
    // Nothing was lost, and nothing came twice but the one whose handler never ended.
    assert.deepEqual([...done, ...rest].sort(), [...all].sort());
    // A message that a poll took while it was broken off comes as a second attempt, too; no handler had seen it.
    assert.ok(second.ids('again').includes('hangs'), 'the one that hung comes as a second attempt');
    await until(() => written.length >= all.length + 1, 'all that was written is there');
    assert.deepEqual([...written].sort(), [...all, 'from the request'].sort());
    second.child.kill('SIGTERM');
    await once(second.child, 'exit');
    return `${done.length} handlers ended, ${rest.length} messages went on, in ${tookMs} ms`;
  } finally {
    for (const child of processes) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await reader.close();
    await producer.close();
    connection.close();
  }
}

/** Over a connection of its own, which ends with the answer: one that is kept alive would keep the server. @param {string} url */
function ask(url) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false }, async (response) => {
      let text = '';
      for await (const part of response) text += part;
      resolve(text);
    });
    request.on('error', reject);
  });
}

/** @param {() => boolean} holds @param {string} what @param {Instance} [process] */
async function until(holds, what, process) {
  const endMs = performance.now() + TIMEOUT_MS;
  while (!holds()) {
    const ended = process !== undefined && (process.child.exitCode !== null || process.child.signalCode !== null);
    if (ended || performance.now() > endMs) {
      throw new Error(
        `waited in vain until ${what}${ended ? ': the process has ended' : ''}; ${process?.lines().slice(-5)}`,
      );
    }
    await sleep(20);
  }
}

/** The application. Decorators are called by hand: there is no compiler here. @param {AppOptions} given */
async function app({
  handlers,
  position,
  isGlobal,
  name,
  endpoints,
  journal,
  shutdownGraceMs,
  invisibleDurationMs,
  waits,
}) {
  await import('reflect-metadata');
  const { Controller, Get, Global, Inject, Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { Ctx, EventPattern, Payload } = await import('@nestjs/microservices');
  const { RocketMQListener, RocketMQModule, RocketMQProducer, ServerRocketMQ } = await import('nestjs-rocketmq');
  const note = (/** @type {string} */ what, /** @type {string | number} */ id) =>
    appendFileSync(journal, `${what} ${id}\n`);
  /** @param {Function} type @param {string} methodName @param {...MethodDecorator} decorators */
  const method = (type, methodName, ...decorators) => {
    const descriptor = Object.getOwnPropertyDescriptor(type.prototype, methodName) ?? {};
    for (const decorate of decorators) decorate(type.prototype, methodName, descriptor);
  };

  const ending = waits ? once(process, 'SIGTERM') : Promise.resolve();

  class Pool {
    isOpen = true;

    /** @param {string} id */
    async write(id) {
      await sleep(10);
      note(this.isOpen ? 'wrote' : 'broken', id);
      if (!this.isOpen) throw new Error('the pool is closed');
    }

    onModuleDestroy() {
      this.isOpen = false;
      note('closed', 'pool');
    }
  }
  class DatabaseModule {}
  Module({ providers: [Pool], exports: [Pool] })(DatabaseModule);
  if (isGlobal) Global()(DatabaseModule);

  class Orders {
    /** @param {Pool} pool @param {import('nestjs-rocketmq').RocketMQProducer} producer */
    constructor(pool, producer) {
      this.pool = pool;
      this.producer = producer;
    }

    /** @param {{ id: string }} order @param {{ signal: AbortSignal, deliveryAttempt: number }} message */
    async handle({ id }, { signal, deliveryAttempt }) {
      note('begun', id);
      if (deliveryAttempt > 1) note('again', id);
      if (id === 'hangs' && deliveryAttempt === 1) {
        signal.addEventListener('abort', () => note('aborted', id));
        await new Promise(() => {});
      }
      // Exactly as many as run side by side have begun when the signal comes.
      await ending;
      await sleep(Math.random() * 1_500);
      await this.pool.write(id);
      await this.producer.send({ topic: `${name}-written`, body: id });
      note('done', id);
    }

    /** Sends when everything else has been destroyed. */
    async slow() {
      note('asked', 'request');
      while (this.pool.isOpen) await sleep(10);
      await this.producer.send({ topic: `${name}-written`, body: 'from the request' });
      return 'sent';
    }
  }
  Inject(Pool)(Orders, undefined, 0);
  Inject(RocketMQProducer)(Orders, undefined, 1);
  Controller()(Orders);
  method(Orders, 'slow', Get('slow'));
  const settings = { concurrency: 100, invisibleDurationMs };
  if (handlers === 'listeners')
    method(Orders, 'handle', /** @type {MethodDecorator} */ (RocketMQListener(`${name}-orders`, settings)));
  else {
    Payload()(Orders.prototype, 'handle', 0);
    Ctx()(Orders.prototype, 'handle', 1);
    method(Orders, 'handle', /** @type {MethodDecorator} */ (EventPattern(`${name}-orders`, settings)));
  }

  class AppModule {}
  const rocketmq = RocketMQModule.forRoot({ endpoints, consumerGroup: name, shutdownGraceMs: shutdownGraceMs });
  const imports = position === 'before' ? [DatabaseModule, rocketmq] : [rocketmq, DatabaseModule];
  Module({ imports, controllers: [Orders] })(AppModule);
  const application = await NestFactory.create(AppModule, { logger: false });
  application.enableShutdownHooks();
  if (handlers === 'strategy') {
    application.connectMicroservice({ strategy: application.get(ServerRocketMQ) });
    await application.startAllMicroservices();
  }
  await application.listen(0, '127.0.0.1');
  note('listening', application.getHttpServer().address().port);
}
