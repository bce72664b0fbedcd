// A project without any optional peer: `.` loads and works, and what needs a peer says what to install.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure, run } from '../../tools/process/run-command.js';
import { NEST_PACKAGES } from './matrix.js';
import { npmInstall } from './npm-install.js';

const NEEDED = NEST_PACKAGES.filter((name) => !['testing', 'platform-fastify'].includes(name));

/** What asks for a peer, and the peer. */
const ASKS = [
  { what: 'the entry /terminus', script: "await load('nestjs-rocketmq/terminus')", peer: '@nestjs/terminus' },
  {
    what: 'the entry /opentelemetry',
    script: "await load('nestjs-rocketmq/opentelemetry')",
    peer: '@opentelemetry/api',
  },
  {
    what: 'a broker on disk',
    script:
      "const { EmbeddedBroker } = await load('nestjs-rocketmq/broker'); await new EmbeddedBroker({ data: './data' }).start()",
    peer: 'lmdb',
  },
  {
    what: "transport: 'grpc-js'",
    script: `const { Connection, Producer } = await load('nestjs-rocketmq/client');
      const connection = new Connection({ endpoints: '127.0.0.1:9', transport: 'grpc-js' });
      const producer = new Producer(connection);
      await producer.start();
      await producer.send({ topic: 'reports', body: '' }).finally(() => producer.close()).finally(() => connection.close())`,
    peer: '@grpc/grpc-js',
  },
  {
    what: 'a repeated entry of a schedule',
    script: `const { Schedule } = await load('nestjs-rocketmq/sql');
      const entry = { key: 'nightly', message: { topic: 'reports', body: 'due' }, cron: '0 3 * * *' };
      await new Schedule().set({ query: async () => ({ rows: [] }) }, entry)`,
    peer: 'cron-parser',
  },
  {
    what: 'a topic with a class',
    script: `const { defineTopic, RocketMQModule, RocketMQProducer } = await load('nestjs-rocketmq');
      const { NestFactory } = await load('@nestjs/core');
      const topic = defineTopic('moved', { type: 'normal', schema: class Moved {} });
      class App {}
      const module = { module: App, imports: [RocketMQModule.forRoot({ endpoints: 'embedded:' })] };
      const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
      await app.get(RocketMQProducer).send(topic, {}).finally(() => app.close())`,
    peer: 'class-(?:validator|transformer)',
  },
];

export async function installBare(archive: string, folder: string): Promise<string> {
  const home = join(folder, 'bare');
  const nest = Object.fromEntries(NEEDED.map((name) => [`@nestjs/${name}`, '^11.0.0']));
  const dependencies = { ...nest, 'reflect-metadata': '^0.2.0', rxjs: '^7.8.0', 'nestjs-rocketmq': `file:${archive}` };
  await npmInstall(home, 'bare', dependencies);
  return home;
}

export function peerChecks(home: string): { name: string; run: () => Promise<void> }[] {
  const ofFormats = ['esm', 'cjs'].flatMap((format) => [
    {
      name: `bare ${format}: everything that needs no peer loads`,
      run: async () => {
        const entries = ['', '/client', '/broker', '/admin', '/sql', '/testing'].map(
          (name) => `nestjs-rocketmq${name}`,
        );
        await script(home, format, entries.map((name) => `await load('${name}');`).join('\n'));
      },
    },
    ...ASKS.map(({ what, script: text, peer }) => ({
      name: `bare ${format}: ${what} says what to install`,
      run: async () => {
        const said = await script(home, format, text).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (!(said instanceof CommandFailure)) throw said ?? new Error('it did without');
        // Node itself names the package that an entry imports.
        const hint = new RegExp(`(?:npm (?:i|install)\\b[^\\n]*|Cannot find (?:package|module) ')${peer}`);
        if (!hint.test(said.output)) throw new Error(said.output);
      },
    })),
  ]);
  return [...ofFormats, { name: 'bare: the command console says what to install', run: () => askForConsole(home) }];
}

async function askForConsole(home: string): Promise<void> {
  const said = await run('npx', ['--no-install', 'nestjs-rocketmq', 'console'], { cwd: home }).then(
    (output) => new Error(`it did without: ${output}`),
    (error: unknown) => error,
  );
  if (!(said instanceof CommandFailure) || !/npm install -D nestjs-rocketmq-console$/m.test(said.output)) throw said;
}

/** Runs a script that has `load(name)` for one of the installed packages. */
export async function script(home: string, format: string, text: string): Promise<string> {
  const file = join(home, format === 'esm' ? 'script.mjs' : 'script.cjs');
  const load = format === 'esm' ? '(name) => import(name)' : 'async (name) => require(name)';
  writeFileSync(
    file,
    `const load = ${load};\n(async () => {\n${text}\n})().catch((error) => { console.error(error); process.exit(1); });\n`,
  );
  return run(process.execPath, [file], { cwd: home });
}
