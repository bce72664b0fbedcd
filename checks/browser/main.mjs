// npm run test:browser: the page of order-demo in a headless Chromium, on `npm start` with data of its own: first with the embedded
// broker that it starts, then with one that has no control port, as a cluster has none; and the console. The last line is
// `N passed, N failed`.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../scripts/demo/demo-ports.mjs';
import { DemoProcess } from '../../scripts/demo/demo-process.mjs';
import { Checks } from '../../tools/checks.mjs';
import { startRocketMQCluster } from '../../tools/servers/rocketmq/cluster.mjs';
import { runClusterScenarios } from './cluster-scenarios.mjs';
import { runProxies } from './console-proxies.mjs';
import { runLargeConsole } from './console-scale.mjs';
import { runConsoleScenarios, runTimeTravel } from './console-scenarios.mjs';
import { ConsoleWorld } from './console-world.mjs';
import { runNewcomer } from './newcomer-scenario.mjs';
import { runClusterProxy } from './proxy-scenario.mjs';
import { runScenarios } from './scenarios.mjs';

const root = join(import.meta.dirname, '../..');
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
// As root in a container: no sandbox, no GPU, little shared memory.
const BROWSER_ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
/** Short enough to watch, and far longer than the lease of 10 s for which an order waits whose message went down with inventory-demo. */
const PAYMENT_TIMEOUT = '25s';
/** Nothing is to end by itself there. */
const LONG_PAYMENT_TIMEOUT = '30m';
/** Of the console: more than the issue names. */
const LARGE = { moreTopics: 3_000, moreGroups: 2_500 };
const START_MS = 120_000;
const STOP_MS = 10_000;

// By require, so that NODE_PATH is looked at as well.
/** @type {typeof import('playwright-core')} */
const { chromium } = createRequire(import.meta.url)('playwright-core');

/** @param {string} dataFolder @param {NodeJS.ProcessEnv} settings */
async function startDemo(dataFolder, settings) {
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
  const demo = new DemoProcess('npm start', join(root, 'scripts/demo/start.mjs'), {
    env,
    restarts: 0,
    onLost: (error) => {
      lost = error;
    },
  });
  const url = `http://127.0.0.1:${order}`;
  const lastTryAtMs = Date.now() + START_MS;
  while (!(await isReady(`${url}/products`))) {
    if (Date.now() > lastTryAtMs) {
      await demo.stop(STOP_MS);
      throw lost;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return { url, stop: () => demo.stop(STOP_MS) };
}

/** A server that the demo has not started, and without a control port. @param {string} dataFolder */
async function startServer(dataFolder) {
  const port = await freePort();
  const args = ['broker', '--port', String(port), '--data', join(dataFolder, 'server')];
  const server = new DemoProcess('server', join(root, 'libs/rocketmq/bin/nestjs-rocketmq.js'), {
    args: [...args, '--config', join(root, 'scripts/demo/broker.json')],
    restarts: 0,
    onLost: (error) => process.stderr.write(`${error.message}\n`),
  });
  await server.ready;
  return { endpoints: `127.0.0.1:${port}`, stop: () => server.stop(STOP_MS) };
}

/** @param {string} url */
async function isReady(url) {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function main() {
  if (!existsSync(BROWSER)) throw new Error(`there is no ${BROWSER}: apt-get install chromium, or set CHROMIUM`);
  const screenshots = join(root, 'checks/browser/screenshots');
  rmSync(screenshots, { recursive: true, force: true });
  mkdirSync(screenshots, { recursive: true });
  const dataFolder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-browser-'));
  const browser = await chromium.launch({ executablePath: BROWSER, headless: true, args: BROWSER_ARGS });
  const checks = new Checks();
  /** @param {typeof runScenarios} run @param {string} name @param {Record<string, string>} settings */
  const onDemo = async (run, name, settings) => {
    const demo = await startDemo(join(dataFolder, name), settings);
    try {
      await run({ browser, url: demo.url, screenshots, checks });
    } finally {
      await demo.stop();
    }
  };
  /** @param {typeof runConsoleScenarios} run @param {{ moreTopics?: number, moreGroups?: number }} options */
  const onConsole = async (run, options = {}) => {
    const world = await ConsoleWorld.start(options);
    try {
      await run({ browser, world, screenshots, checks });
    } finally {
      await world.stop();
    }
  };
  const onDemos = async () => {
    await onDemo(runScenarios, 'embedded', { ORDER_PAYMENT_TIMEOUT: PAYMENT_TIMEOUT });
    const server = await startServer(dataFolder);
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
    const { proxies, remoting, nameServer, stop } = await startRocketMQCluster({ proxies: 1 });
    try {
      const cluster = { endpoints: proxies.join(';'), nameServer, proxies: remoting.join(';') };
      await runNewcomer({ browser, checks }, 'a real server', cluster);
      await runClusterProxy({ browser, checks }, cluster);
    } finally {
      await stop();
    }
    return checks.report();
  } finally {
    await browser.close();
    rmSync(dataFolder, { recursive: true, force: true });
  }
}

main().then(
  (failed) => {
    process.exitCode = failed === 0 ? 0 : 1;
  },
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.stdout.write('0 passed, 1 failed\n');
    process.exitCode = 1;
  },
);
