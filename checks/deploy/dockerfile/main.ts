// Replays the Dockerfile's COPY and RUN steps in empty folders, with what .dockerignore lets through, then starts what came out as
// compose.yaml does: topics made by the one-shot script, the console, both apps, an order that is paid. No Docker is needed.

import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DemoClient, json } from '../../../scripts/demo/demo-client.js';
import { Checks } from '../../../tools/checks.js';
import { visitConsole } from '../../../tools/console-visit.js';
import { run } from '../../../tools/process/run-command.js';
import { Service } from '../../../tools/process/service-process.js';
import { Postgres, postgresFolder } from '../../../tools/servers/postgres-server.js';
import type { Counts, Tools } from '../../check.js';
import { copyContext } from './docker-context.js';
import { parseDockerfile } from './dockerfile.js';
import { environmentOf, inside, replay } from './dockerfile-replay.js';

const root = join(import.meta.dirname, '../../..');
const READY_MS = 90_000;
const STOP_MS = 10_000;

interface Image {
  readonly env: Record<string, string>;
  readonly cwd: string;
}

interface Run {
  readonly checks: Checks;
  /** They end what was started, the last first. */
  readonly ends: (() => Promise<unknown>)[];
  readonly folder: string;
  readonly log: (line: string) => void;
}

export async function runDockerfile({ signal, folder, print }: Tools): Promise<Counts> {
  const checks = new Checks();
  const ends: Run['ends'] = [];
  const log = (line: string) => print(`       ${line}`);
  try {
    await Promise.race([lookAt({ checks, ends, folder, log }), once(signal, 'abort')]);
  } catch (error) {
    checks.fail('the rest could be looked at', error);
  } finally {
    for (const end of ends.reverse()) await end();
  }
  signal.throwIfAborted();
  return checks.counts;
}

async function lookAt(about: Run): Promise<void> {
  const { checks, folder, log } = about;
  const home = join(folder, 'home');
  const context = join(folder, 'context');
  for (const one of [home, context]) mkdirSync(one);

  const stages = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'));
  await checks.check('the context holds what the image is made of, and no tests, data or installed packages', () => {
    copyContext(root, context);
    const files = readdirSync(context, { recursive: true }).map(String);
    const stray = files.filter((path) =>
      /(^|\/)(node_modules|dist|data|test|\.git|\.env)(\/|$)|\.spec\.ts$/.test(path),
    );
    if (stray.length > 0) throw new Error(`it also holds ${stray.slice(0, 5).join(', ')}`);
  });
  const image = await checks.need('every COPY and RUN step can be done', () =>
    replay(stages, { context, folder: join(folder, 'stages'), home, log }),
  );
  const env = environmentOf(image, home);
  const cwd = inside(image, '.');

  await checks.check('its process is not root, and starts a file that is there', () => {
    if (image.user === undefined || ['root', '0'].includes(image.user)) throw new Error(`USER is ${image.user}`);
    const [program, file = ''] = image.command ?? [];
    if (program !== 'node' || !existsSync(inside(image, file))) throw new Error(`CMD is ${image.command?.join(' ')}`);
  });
  await checks.check('the tools of building and testing are not in it', () => {
    const found = ['jest', '@nestjs/cli', '@biomejs/biome', '@swc/core'].filter((name) =>
      existsSync(join(cwd, 'node_modules', name)),
    );
    if (found.length > 0) throw new Error(`it holds ${found.join(', ')}`);
  });
  await runImage({ env, cwd }, about);
}

async function runImage({ env, cwd }: Image, about: Run): Promise<void> {
  const { checks, ends } = about;
  const service = (
    name: string,
    args: readonly [file: string, ...args: string[]],
    more: Readonly<Record<string, string>>,
  ) => {
    const started = new Service(name, args, { cwd, env: { ...env, ...more } });
    ends.push(() => started.stop(STOP_MS));
    return started;
  };
  const cli = 'libs/rocketmq/bin/nestjs-rocketmq.js';
  const broker = service('broker', [cli, 'broker', '--strict', '--port', '0', '--name-server-port', '0'], {});
  const { endpoints, nameServerEndpoint } = await checks.need('the command line is in it: it runs a broker', () =>
    broker.ready(READY_MS),
  );
  await checks.need('docker/create-topics.sh creates the topics and groups, and can run again', async () => {
    const options = { cwd, env: { ...env, ROCKETMQ_NAME_SERVER: nameServerEndpoint } };
    for (const _ of [1, 2]) await run('sh', ['docker/create-topics.sh'], options);
    compareResources(JSON.parse(await run('node', [cli, 'topic', 'list', '--json'], options)));
  });
  await checks.check('the console is in it', async () => {
    const shown = service('console', [cli, 'console', '--name-server', nameServerEndpoint], {});
    const { consoleUrl } = await shown.ready(READY_MS);
    const ask = await visitConsole(consoleUrl);
    const { total } = await ask('/topics');
    if (total === 0) throw new Error('it shows no topic');
    const end = await shown.stop(STOP_MS);
    if (end !== 'exit code 0') throw new Error(`it ended with ${end}:\n${shown.output}`);
  });
  const database = await databases(about);
  const common = { HOST: '127.0.0.1', PORT: '0', ROCKETMQ_ENDPOINTS: endpoints };
  const inventory = service('inventory-demo', ['apps/inventory-demo/dist/main.js'], {
    ...common,
    ...database.inventory,
  });
  const order = service('order-demo', ['apps/order-demo/dist/main.js'], { ...common, ...database.order });
  const [{ url: orderUrl }, { url: inventoryUrl }] = await checks.need(
    `both apps start from it, on ${database.what}`,
    () => Promise.all([order.ready(READY_MS), inventory.ready(READY_MS)]),
  );
  await checks.check('the health that compose.yaml asks for is good', async () => {
    for (const url of [orderUrl, inventoryUrl]) await json(`${url}/health/ready`);
  });
  await checks.check('the page is in it', async () => {
    const { status, headers } = await fetch(orderUrl);
    const type = headers.get('content-type') ?? 'nothing';
    if (status !== 200 || !type.startsWith('text/html')) throw new Error(`${orderUrl} answers ${status} with ${type}`);
  });
  await checks.check('an order gets its stock and is paid', async () => {
    const demo = new DemoClient(orderUrl, inventoryUrl, READY_MS);
    await demo.pay(await demo.reserve('book', 2));
    await demo.stockIs('book', { reserved: 0, sold: 2 });
  });
  await checks.check('both apps shut down on a signal', async () => {
    for (const app of [order, inventory]) {
      const end = await app.stop(STOP_MS);
      if (end !== 'exit code 0') throw new Error(`${app.name} ended with ${end}:\n${app.output}`);
    }
  });
}

/** Every resource of the demos is created, as scripts/demo/resources.json has it. */
function compareResources({
  topics,
}: {
  readonly topics: readonly { readonly topic: string; readonly type: string }[];
}): void {
  const wanted = JSON.parse(readFileSync(join(root, 'scripts/demo/resources.json'), 'utf8'));
  for (const { name, type } of wanted.topics) {
    const found = topics.find(({ topic }) => topic === name);
    if (found?.type !== type) throw new Error(`topic ${name} is ${found?.type ?? 'missing'}, not ${type}`);
  }
}

interface AppDatabases {
  readonly what: string;
  /** What the app's environment has to contain for it. */
  readonly order: Readonly<Record<string, string>>;
  readonly inventory: Readonly<Record<string, string>>;
}

/** A database for each app: PostgreSQL where it is installed, else PGlite. */
async function databases({ ends, folder, log }: Run): Promise<AppDatabases> {
  if (postgresFolder() === undefined) {
    log('PostgreSQL is not installed, so the apps run on PGlite');
    const kept = (name: string) => ({ DATA_DIR: join(folder, name) });
    return { what: 'PGlite', order: kept('order-data'), inventory: kept('inventory-data') };
  }
  const postgres = await Postgres.start();
  ends.push(() => postgres.stop());
  const url = async (name: string) => ({ DATABASE_URL: await postgres.createDatabase(name) });
  return { what: 'PostgreSQL', order: await url('orders'), inventory: await url('inventory') };
}
