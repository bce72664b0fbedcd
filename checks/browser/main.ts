// The page of order-demo in a headless Chromium, on `npm start` with data of its own: first with the embedded broker that it starts, then
// with one that has no control port, as a cluster has none; and the console.

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { freePort } from '../../scripts/demo/demo-ports.js';
import { DemoProcess } from '../../scripts/demo/demo-process.js';
import { Checks } from '../../tools/checks.js';
import { startRocketMQCluster } from '../../tools/servers/rocketmq/cluster.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import type { Counts, Tools } from '../check.js';
import { runClusterScenarios } from './cluster-scenarios.js';
import { runProxies } from './console-proxies.js';
import { runLargeConsole } from './console-scale.js';
import { runConsoleScenarios, runTimeTravel } from './console-scenarios.js';
import { ConsoleWorld } from './console-world.js';
import { runNewcomer } from './newcomer-scenario.js';
import { runClusterProxy } from './proxy-scenario.js';
import { runScenarios } from './scenarios.js';

const root = join(import.meta.dirname, '../..');
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
// As root in a container: no sandbox, no GPU, little shared memory.
const BROWSER_ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
/** Short enough to watch, and far longer than the lease of 10 s for which an order waits whose message went down with inventory-demo. */
const PAYMENT_TIMEOUT = '25s';
/** Nothing is to end by itself there. */
const LONG_PAYMENT_TIMEOUT = '30m';
/** What the console of a large cluster shows. */
const LARGE = { moreTopics: 3_000, moreGroups: 2_500 };
const START_MS = 120_000;
const STOP_MS = 10_000;

// By require, so that NODE_PATH is looked at as well.
const { chromium }: typeof import('playwright-core') = createRequire(import.meta.url)('playwright-core');

async function startDemo(dataFolder: string, settings: NodeJS.ProcessEnv, signal: AbortSignal) {
  const [order, inventory, broker] = await Promise.all([freePort(), freePort(), freePort()]);
  const env = {
    ROCKETMQ_ENDPOINTS: undefined,
    ORDER_PORT: String(order),
    INVENTORY_PORT: String(inventory),
    BROKER_PORT: String(broker),
    DEMO_DATA_DIR: dataFolder,
    ...settings,
  };
  let lost = new Error('it is not ready after two minutes');
  const demo = new DemoProcess('npm start', join(root, 'scripts/demo/start.ts'), {
    execArgv: TYPESCRIPT_ARGS,
    env,
    restarts: 0,
    onLost: (error) => {
      lost = error;
    },
  });
  const url = `http://127.0.0.1:${order}`;
  const lastTryAtMs = Date.now() + START_MS;
  while (!(await isReady(`${url}/products`))) {
    if (Date.now() > lastTryAtMs || signal.aborted) {
      await demo.stop(STOP_MS);
      throw lost;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return { url, stop: () => demo.stop(STOP_MS) };
}

/** A server that the demo has not started, and without a control port. */
async function startServer(dataFolder: string) {
  const port = await freePort();
  const args = ['broker', '--port', String(port), '--no-name-server-port', '--data', join(dataFolder, 'server')];
  const server = new DemoProcess('server', join(root, 'libs/rocketmq/bin/nestjs-rocketmq.js'), {
    args: [...args, '--config', join(root, 'scripts/demo/broker.json')],
    restarts: 0,
    onLost: (error) => process.stderr.write(`${error.message}\n`),
  });
  await server.ready;
  return { endpoints: `127.0.0.1:${port}`, stop: () => server.stop(STOP_MS) };
}

async function isReady(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function launch(): Promise<Browser> {
  if (!existsSync(BROWSER)) throw new Error(`there is no ${BROWSER}: apt-get install chromium, or set CHROMIUM`);
  // Its own handlers of signals would end this process before the demos have ended.
  const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
  return chromium.launch({ executablePath: BROWSER, headless: true, args: BROWSER_ARGS, ...signals });
}

export async function runBrowser({ signal, folder }: Tools): Promise<Counts> {
  const browser = await launch();
  // What waits for a page then fails, and ends what it has started.
  signal.addEventListener('abort', () => void browser.close(), { once: true });
  const screenshots = join(root, 'checks/browser/screenshots');
  rmSync(screenshots, { recursive: true, force: true });
  mkdirSync(screenshots, { recursive: true });
  const checks = new Checks();
  const onDemo = async (run: typeof runScenarios, name: string, settings: Readonly<Record<string, string>>) => {
    signal.throwIfAborted();
    const demo = await startDemo(join(folder, name), settings, signal);
    try {
      await run({ browser, url: demo.url, screenshots, checks });
    } finally {
      await demo.stop();
    }
  };
  const onConsole = async (
    run: typeof runConsoleScenarios,
    options: { readonly moreTopics?: number; readonly moreGroups?: number } = {},
  ) => {
    signal.throwIfAborted();
    const world = await ConsoleWorld.start(options);
    try {
      await run({ browser, world, screenshots, checks });
    } finally {
      await world.stop();
    }
  };
  const onDemos = async () => {
    await onDemo(runScenarios, 'embedded', { ORDER_PAYMENT_TIMEOUT: PAYMENT_TIMEOUT });
    const server = await startServer(folder);
    try {
      const settings = { ROCKETMQ_ENDPOINTS: server.endpoints, ORDER_PAYMENT_TIMEOUT: LONG_PAYMENT_TIMEOUT };
      await onDemo(runClusterScenarios, 'cluster', settings);
    } finally {
      await server.stop();
    }
  };
  const onConsoles = async () => {
    await onConsole(async (stage) => {
      await runConsoleScenarios(stage);
      await runProxies(stage);
    });
    await onConsole(runTimeTravel);
  };
  try {
    // They wait more than they compute. What has a limit of time comes after, with nothing beside it.
    const ends = await Promise.allSettled([onDemos(), onConsoles()]);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    await onConsole(runLargeConsole, LARGE);
    await runNewcomer({ browser, checks }, 'the embedded broker', { endpoints: 'embedded:' });
    signal.throwIfAborted();
    const { proxies, remoting, nameServer, stop } = await startRocketMQCluster({ proxies: 1 });
    try {
      const cluster = { endpoints: proxies.join(';'), nameServer, proxies: remoting.join(';') };
      await runNewcomer({ browser, checks }, 'a real server', cluster);
      await runClusterProxy({ browser, checks }, cluster);
    } finally {
      await stop();
    }
    signal.throwIfAborted();
    return checks.counts;
  } finally {
    await browser.close();
  }
}
