// npm start: an embedded broker, order-demo and inventory-demo, each a process of its own, until Ctrl-C.
// With ROCKETMQ_ENDPOINTS set, no broker is started and the apps use that cluster.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../build/build.js';
import { assertPortFree, freePort, portFrom } from './demo-ports.js';
import { DemoProcess } from './demo-process.js';
import { watchParents } from './parent-watch.js';

const root = join(import.meta.dirname, '../..');
const STOP_APPS_MS = 2_000;
const STOP_BROKER_MS = 700;

interface Setup {
  ports: { order: number; inventory: number; broker: number };
  dataFolder: string;
  endpoints?: string;
}

/** @returns checked before anything is started */
async function setUp(): Promise<Setup> {
  const env = process.env;
  const ports = {
    order: portFrom(env, 'ORDER_PORT', 3000),
    inventory: portFrom(env, 'INVENTORY_PORT', 3001),
    broker: portFrom(env, 'BROKER_PORT', 8081),
  };
  await assertPortFree(ports.order, 'ORDER_PORT', 'order-demo');
  await assertPortFree(ports.inventory, 'INVENTORY_PORT', 'inventory-demo');
  const endpoints = env.ROCKETMQ_ENDPOINTS;
  if (endpoints === undefined) await assertPortFree(ports.broker, 'BROKER_PORT', 'the broker');
  const dataFolder = env.DEMO_DATA_DIR ?? join(root, 'data');
  mkdirSync(dataFolder, { recursive: true });
  return { ports, dataFolder, endpoints };
}

/** The processes of the demo, and the order in which they start and stop. */
class Demo {
  #broker: DemoProcess | undefined;
  #apps: DemoProcess[] = [];
  #stopped: Promise<void> | undefined;
  #reportLost: (error: Error) => void = () => {};
  /** Rejects when a process is lost for good. */
  lost = new Promise((_, reject) => {
    this.#reportLost = reject;
  });

  constructor(private readonly setup: Setup) {
    this.lost.catch(() => {});
  }

  async start(): Promise<void> {
    const { ports, dataFolder } = this.setup;
    const forPage: NodeJS.ProcessEnv = { INVENTORY_URL: `http://127.0.0.1:${ports.inventory}`, DEMO_FAULTS: 'on' };
    let { endpoints } = this.setup;
    if (endpoints === undefined) {
      endpoints = `127.0.0.1:${ports.broker}`;
      // Chosen here, since it must stay the same when the broker is started again.
      const control = `127.0.0.1:${await freePort()}`;
      forPage.CONTROL_ENDPOINT = control;
      const nameServer = await freePort();
      forPage.NAME_SERVER = `127.0.0.1:${nameServer}`;
      const args = ['broker', '--port', String(ports.broker), '--data', join(dataFolder, 'broker')];
      args.push(
        '--name-server-port',
        String(nameServer),
        '--control',
        control,
        '--time-travel',
        '--config',
        join(root, 'scripts/demo/broker.json'),
      );
      this.#broker = new DemoProcess('broker', join(root, 'libs/rocketmq/bin/nestjs-rocketmq.js'), {
        args,
        restarts: 5,
        onLost: this.#reportLost,
      });
      await this.#broker.ready;
    }
    const app = (name: string, port: number) =>
      new DemoProcess(name, join(root, `apps/${name}/dist/main.js`), {
        env: { PORT: String(port), DATA_DIR: join(dataFolder, name), ROCKETMQ_ENDPOINTS: endpoints, ...forPage },
        restarts: 5,
        onLost: this.#reportLost,
      });
    this.#apps = [app('order-demo', ports.order), app('inventory-demo', ports.inventory)];
    await Promise.all(this.#apps.map(({ ready }) => ready));
  }

  /** Stops the apps first, since they disconnect from the broker, and then the broker. A second call waits for the first. */
  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      await Promise.all(this.#apps.map((app) => app.stop(STOP_APPS_MS)));
      await this.#broker?.stop(STOP_BROKER_MS);
    })();
    return this.#stopped;
  }
}

function greeting({ ports, dataFolder, endpoints }: Setup): string {
  const order = `http://127.0.0.1:${ports.order}`;
  const inventory = `http://127.0.0.1:${ports.inventory}`;
  const kept =
    endpoints === undefined
      ? `Orders, stock and messages are kept in ${dataFolder} for the next start.`
      : `Messages go through the RocketMQ cluster at ${endpoints}.`;
  // A cluster has no console here: its name servers are not known.
  const console = endpoints === undefined ? `\nThe console     ${order}/rocketmq` : '';
  return `
The page        ${order}${console}
order-demo      ${order}/orders   (${order}/docs)
inventory-demo  ${inventory}/stock   (${inventory}/docs)
${kept}

Open the page: order something, then pay, or wait for the time-out to return the stock; break things. Or without it:
  curl -X POST ${order}/orders -H 'content-type: application/json' -d '{"sku":"book","quantity":1}'
  curl ${order}/orders
  curl ${inventory}/stock

Ctrl-C stops everything.
`;
}

async function main(): Promise<void> {
  await build();
  const setup = await setUp();
  const demo = new Demo(setup);
  const parents = watchParents();
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve());
  });
  const asked = Promise.race([signalled, parents.gone]);
  const started = demo.start().then(() => process.stdout.write(greeting(setup)));
  try {
    await Promise.race([asked, demo.lost, started]);
    await Promise.race([asked, demo.lost]);
  } finally {
    await demo.stop();
    parents.stop();
  }
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
