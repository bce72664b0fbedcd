// Loads compose.yaml with Compose's own loader and looks at what it says; then runs it without Docker: the commands and
// configuration files of its RocketMQ, its script for topics, both apps on each kind of database, the console. What cannot be run here
// is said.
// Over 300 lines: it is one run, from the file to the end of all that it starts.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { DEFAULT_VERSION } from '../../../libs/rocketmq/src/cli/server/jars.js';
import { build } from '../../../scripts/build/build.js';
import { DemoClient, until } from '../../../scripts/demo/demo-client.js';
import { Checks } from '../../../tools/checks.js';
import { boardMetrics, servedMetrics } from '../../../tools/dashboard-metrics.js';
import { run } from '../../../tools/process/run-command.js';
import { Service } from '../../../tools/process/service-process.js';
import type { Counts, Tools } from '../../check.js';
import { lookAtConsole, openConsole } from './compose-console.js';
import { databaseUrlOf, loadOn, lookAtDatabases, serverOf } from './compose-databases.js';
import { composeLoader, loadCompose, serviceOf } from './compose-loader.js';
import type { ComposeModel, ComposeService } from './compose-model.js';
import { lookAtWatching } from './compose-observe.js';
import { type ServerServices, startComposeServer } from './compose-server.js';

type ComposeServer = Awaited<ReturnType<typeof startComposeServer>>;
type DatabaseName = 'postgres' | 'mysql';
type Models = Readonly<Record<DatabaseName, ComposeModel>>;

interface Run {
  readonly checks: Checks;
  /** They end what was started, the last first. */
  readonly ends: (() => unknown)[];
  readonly folder: string;
  readonly log: (line: string) => void;
}

const root = join(import.meta.dirname, '../../..');
const file = join(root, 'compose.yaml');
const cli = join(root, 'libs/rocketmq/bin/nestjs-rocketmq.js');
const DEMO: ServerServices = { nameServer: 'name-server', broker: 'broker', proxy: 'proxy' };
const ON_HOST: ServerServices = { nameServer: 'host-name-server', broker: 'host-broker', proxy: undefined };
const READY_MS = 90_000;
const STOP_MS = 10_000;
const APPS = ['order-demo', 'inventory-demo'];
/** Where the apps read the environment beside their own options. */
const KIT = ['span-target.ts', 'demo-logger.ts'];

export async function runCompose({ signal, folder, print }: Tools): Promise<Counts> {
  const about: Run = { checks: new Checks(), ends: [], folder, log: (line) => print(`       ${line}`) };
  const { checks, ends, log } = about;
  const program = composeLoader(log);
  if (program === undefined) {
    log('there is no Go here to build the compose loader with: compose.yaml was not looked at');
    return checks.counts;
  }
  try {
    await Promise.race([checkFile(program, about), once(signal, 'abort')]);
  } catch (error) {
    checks.fail('the rest could be looked at', error);
  } finally {
    for (const end of ends.reverse()) await end();
  }
  signal.throwIfAborted();
  return checks.counts;
}

/** @param program the compose loader */
async function checkFile(program: string, about: Run): Promise<void> {
  const { checks, folder } = about;
  const model = await checks.need('the compose loader takes compose.yaml', () => loadCompose(program, file));
  await checks.check('it rejects one with a misspelt key', () => rejectsMisspelt(program, folder));
  const models = {
    postgres: await checks.need('it takes it with PostgreSQL', () => loadOn(program, file, folder, 'postgres')),
    mysql: await checks.need('it takes it with MySQL', () => loadOn(program, file, folder, 'mysql')),
  };
  await lookAt([models.postgres, models.mysql], checks);
  await lookAtDatabases(models, model, checks);
  await lookAtConsole(model, checks);
  await lookAtWatching(model, root, checks);
  await runWithoutDocker(models, about);
}

function rejectsMisspelt(program: string, folder: string): void {
  const spoiled = join(folder, 'compose.yaml');
  writeFileSync(spoiled, readFileSync(file, 'utf8').replace('    healthcheck:', '    healthchek:'));
  try {
    loadCompose(program, spoiled);
  } catch (error) {
    if (String(error).includes('healthchek')) return;
    throw error;
  }
  throw new Error('it took "healthchek"');
}

/** @param models with each kind of database */
async function lookAt(models: readonly [ComposeModel, ...ComposeModel[]], checks: Checks): Promise<void> {
  const [model] = models;
  const services = models.flatMap((one) =>
    Object.entries(one.services).map(([name, service]) => ({ one, name, service })),
  );
  const each = (
    title: string,
    wrong: (service: ComposeService, name: string, model: ComposeModel) => readonly string[],
  ) =>
    checks.check(title, () => {
      const found = services.flatMap(({ one, name, service }) =>
        wrong(service, name, one).map((text) => `${name}: ${text}`),
      );
      if (found.length > 0) throw new Error([...new Set(found)].join('\n'));
    });
  await each('every image has a version, and the server is the one that the tests run on', ({ image }) => [
    ...(/:v?\d+\.\d+/.test(image) ? [] : [`image ${image}`]),
    ...(image.startsWith('apache/rocketmq:') && !image.endsWith(`:${DEFAULT_VERSION}`) ? [`image ${image}`] : []),
  ]);
  await each('nothing is published but on this machine', ({ ports = [] }) =>
    ports.filter(({ host_ip }) => host_ip !== '127.0.0.1').map(({ target }) => `port ${target}`),
  );
  await checks.check('the proxy is published as 8081:8081', () => {
    const [port] = serviceOf(model, 'proxy').ports ?? [];
    if (port?.published !== '8081' || port.target !== 8081) throw new Error(`it is ${port?.published}:${port?.target}`);
  });
  await checks.check('the broker for the host is published where clients are sent to, and keeps its logs', () => {
    const { ports = [], volumes = [] } = serviceOf(model, ON_HOST.broker);
    const conf = readFileSync(join(root, 'docker/host-broker.conf'), 'utf8');
    const [, port] = /^listenPort=(\d+)$/m.exec(conf) ?? [];
    const isPublished = ports.some(({ published, target }) => published === port && String(target) === port);
    if (!isPublished || !/^brokerIP1=127\.0\.0\.1$/m.test(conf))
      throw new Error(`port ${port} is not published as it is`);
    if (!volumes.some(({ type, target }) => type === 'volume' && target === '/home/rocketmq/logs'))
      throw new Error('its logs are in no volume');
  });
  await each('who waits for another waits until that is healthy, or has succeeded', ({ depends_on = {} }, _, model) =>
    Object.entries(depends_on).flatMap(([other, { condition }]) => {
      const { healthcheck, restart } = serviceOf(model, other);
      if (condition === 'service_healthy' && healthcheck !== undefined) return [];
      if (condition === 'service_completed_successfully' && restart === undefined) return [];
      return [`waits for ${other} by ${condition}`];
    }),
  );
  await each('what is mounted is there, and what is to be kept is in a volume', ({ volumes = [], image }, name) => [
    ...volumes.filter(({ type, source }) => type === 'bind' && !existsSync(source)).map(({ source }) => source),
    ...((/^(postgres|mysql):/.test(image) || name.endsWith('broker')) && !volumes.some(({ type }) => type === 'volume')
      ? ['keeps nothing']
      : []),
  ]);
  await each('no app has a variable that it does not read', ({ environment = {} }, name) => {
    if (!APPS.includes(name)) return [];
    const files = [
      join('apps', name, 'src/options.ts'),
      ...KIT.map((one) => join('libs/demo-kit/src/observability', one)),
    ];
    const text = files.map((path) => readFileSync(join(root, path), 'utf8')).join();
    return Object.keys(environment).filter((variable) => !text.includes(`'${variable}'`));
  });
  await checks.check('the health checks of the apps distinguish a good answer, a bad one and none', () =>
    tryHealthCheck(serviceOf(model, 'order-demo').healthcheck?.test.slice(1) ?? []),
  );
}

async function tryHealthCheck([program = '', ...args]: readonly string[]): Promise<void> {
  for (const [status, wanted] of [
    [200, 0],
    [503, 1],
    [undefined, 1],
  ] as const) {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/health/ready' ? (status ?? 200) : 404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    if (status === undefined) await new Promise((resolve) => server.close(resolve));
    const child = spawn(program, args, { env: { PATH: process.env.PATH, PORT: String(port) }, stdio: 'ignore' });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    server.close();
    if (code !== wanted) throw new Error(`it ends with ${code} when the answer is ${status ?? 'none'}`);
  }
}

async function runWithoutDocker(models: Models, about: Run): Promise<void> {
  const { checks, ends, log } = about;
  if (spawnSync('java', ['-version']).status !== 0) {
    log('there is no Java here: the RocketMQ of compose.yaml was not run');
    return;
  }
  await build();
  const { postgres: model } = models;
  const server = await checks.need('its RocketMQ starts, by its commands and configuration files', () =>
    startComposeServer(model, DEMO, log),
  );
  ends.push(() => server.stop());
  const env = { ...process.env, ROCKETMQ_NAME_SERVER: server.nameServer };
  await checks.need('its script creates the topics and groups, and can run again', async () => {
    const [program, ...args] = serviceOf(model, 'topics').command;
    for (const _ of [1, 2]) await run(program, args, { cwd: root, env });
  });
  await tryAddresses(server, about);
  await runApps(models, server, about);
  await tryFromHost(model, about);
}

/** A program on the host asks the name server for the broker, and reaches it. */
async function tryFromHost(model: ComposeModel, { checks, log }: Run): Promise<void> {
  await checks.check('a program on the host sends by the name server of the profile host', async () => {
    const server = await startComposeServer(model, ON_HOST, log);
    try {
      const env = { ...process.env, ROCKETMQ_NAME_SERVER: server.nameServer };
      await run(process.execPath, [cli, 'topic', 'create', 'from-host', '--type', 'normal'], { env });
      const endpoints = `name-server:${server.nameServer}`;
      await run(process.execPath, [cli, 'doctor', endpoints, '--topic', 'from-host'], { env });
      await run(process.execPath, [cli, 'message', 'send', 'from-host', '--body', 'hello'], { env });
    } finally {
      await server.stop();
    }
  });
}

/** Routes contain the address of the request: that of a container, the host, or the host with another port. */
async function tryAddresses({ grpcPort }: ComposeServer, { checks, ends }: Run): Promise<void> {
  const forwarder = createTcpServer((from) => {
    const to = connect({ host: '127.0.0.1', port: grpcPort });
    for (const socket of [from, to]) socket.on('error', () => socket.destroy());
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((resolve) => forwarder.listen(0, '127.0.0.1', resolve));
  ends.push(() => forwarder.close());
  const { port } = forwarder.address() as AddressInfo;
  for (const [how, address] of [
    ['one name', `localhost:${grpcPort}`],
    ['another name', `127.0.0.1:${grpcPort}`],
    ['a port published under another number', `localhost:${port}`],
  ] as const) {
    await checks.check(`the proxy hands out the address that it was asked by: ${how}`, async () => {
      const args = [cli, 'doctor', address, '--topic', 'order-created', '--json'];
      const { checks: seen }: { readonly checks: readonly { readonly name: string; readonly subject: string }[] } =
        JSON.parse(await run(process.execPath, args, { env: process.env }));
      const handedOut = seen.filter(({ name }) => name === 'address').map(({ subject }) => subject);
      if (handedOut.join() !== address) throw new Error(`asked by ${address}, it hands out ${handedOut.join(', ')}`);
    });
  }
}

interface Apps {
  readonly orderUrl: string;
  readonly inventoryUrl: string;
  readonly stop: () => Promise<unknown>;
}

/**
 * Both apps with their environment of compose.yaml; only where the others are is this run's.
 * @returns undefined when there is no such database here
 */
async function startApps(
  models: Models,
  value: DatabaseName,
  { grpcPort }: ComposeServer,
  { checks, ends, log }: Run,
): Promise<Apps | undefined> {
  const { title, isInstalled, start: startDatabases } = serverOf(value);
  if (!isInstalled()) {
    log(`${title} is not installed: the apps of compose.yaml were not run on it`);
    return undefined;
  }
  const databases = await startDatabases();
  ends.push(() => databases.stop());
  const apps: Service[] = [];
  const stop = () => Promise.all(apps.map((app) => app.stop(STOP_MS)));
  ends.push(stop);
  const start = async (name: string): Promise<string> => {
    const { environment, command } = serviceOf(models[value], name);
    const [, file = '', ...args] = command;
    const here = {
      PORT: '0',
      ROCKETMQ_ENDPOINTS: `localhost:${grpcPort}`,
      DATABASE_URL: await databases.createDatabase(databaseUrlOf(models[value], name).pathname.slice(1)),
      // For an order to be paid in, though all of this has just started on a machine with other things to do.
      ORDER_PAYMENT_TIMEOUT: '20s',
    };
    const env = { PATH: process.env.PATH, HOST: '127.0.0.1', ...environment, ...here };
    const app = new Service(name, [file, ...args], { cwd: root, env });
    apps.push(app);
    return (await app.ready(READY_MS)).url;
  };
  const [orderUrl, inventoryUrl] = await checks.need(`both apps start on ${title} and on this RocketMQ`, () =>
    Promise.all([start('order-demo'), start('inventory-demo')]),
  );
  return { orderUrl, inventoryUrl, stop };
}

async function runApps(models: Models, server: ComposeServer, about: Run): Promise<void> {
  const { checks } = about;
  const onMysql = await startApps(models, 'mysql', server, about);
  if (onMysql !== undefined) {
    const { orderUrl, inventoryUrl, stop } = onMysql;
    await checks.check('an order that is paid sells its stock there', async () => {
      const demo = new DemoClient(orderUrl, inventoryUrl, READY_MS);
      await demo.pay(await demo.reserve('book', 2));
      await demo.stockIs('book', { available: 98, reserved: 0, sold: 2 });
    });
    // The other apps are in the same consumer groups.
    await stop();
  }
  const onPostgres = await startApps(models, 'postgres', server, about);
  if (onPostgres === undefined) return;
  const { orderUrl, inventoryUrl } = onPostgres;
  const { metricsUrls, nameServer } = server;
  const demo = new DemoClient(orderUrl, inventoryUrl, READY_MS);
  await checks.check('an order that is paid sells its stock, another one times out and returns it', async () => {
    const paid = await demo.reserve('book', 2);
    await demo.pay(paid);
    const left = await demo.reserve('chair', 3);
    await demo.reaches(left, 'CANCELED');
    await demo.stockIs('book', { available: 98, reserved: 0, sold: 2 });
    await demo.stockIs('chair', { available: 10, reserved: 0, sold: 0 });
  });
  await checks.check(
    'the console opens from elsewhere with its token, and shows a topic of the demo and its messages',
    () => openConsole(models.postgres, { nameServer, cwd: root, topic: 'order-created', text: 'book' }),
  );
  await checks.check('what the board shows is served, but for what has to go wrong first', async () => {
    const urls = [`${orderUrl}/metrics`, `${inventoryUrl}/metrics`, ...metricsUrls];
    const texts = () => Promise.all(urls.map(async (url) => (await fetch(url)).text()));
    const shown = boardMetrics(readFileSync(join(root, 'docker/grafana/dashboards/demos.json'), 'utf8'));
    const wanted = shown.filter((name) => !/^rocketmq_client_(retries|dead_letters|inbox_hits)_total$/.test(name));
    let missing = wanted;
    // The server counts some things every now and then only.
    await until('all is served', READY_MS, async () => {
      const served = servedMetrics(...(await texts()));
      missing = wanted.filter((name) => !served.has(name));
      return missing.length === 0;
    }).catch(() => {
      throw new Error(`nobody serves ${missing.join(', ')}`);
    });
  });
}
