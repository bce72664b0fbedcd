// npm run test:browser: the page of order-demo in a headless Chromium, on `npm start` with data of its own. The last line is
// `N passed, N failed`.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runScenarios } from '../test/browser/scenarios.mjs';
import { freePort } from './lib/demo-ports.mjs';
import { DemoProcess } from './lib/demo-process.mjs';

const root = join(import.meta.dirname, '..');
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
// As root in a container: no sandbox, no GPU, little shared memory.
const BROWSER_ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
/** Short enough to watch, and far longer than the lease of 10 s for which an order waits whose message went down with inventory-demo. */
const PAYMENT_TIMEOUT = '25s';
const START_MS = 120_000;
const STOP_MS = 10_000;

// By require, so that NODE_PATH is looked at as well.
const { chromium } = createRequire(import.meta.url)('playwright-core');

async function startDemo(dataFolder) {
  const [order, inventory, broker] = await Promise.all([freePort(), freePort(), freePort()]);
  const env = {
    // A cluster has no control port.
    ROCKETMQ_ENDPOINTS: undefined,
    ORDER_PORT: String(order),
    INVENTORY_PORT: String(inventory),
    BROKER_PORT: String(broker),
    DEMO_DATA_DIR: dataFolder,
    ORDER_PAYMENT_TIMEOUT: PAYMENT_TIMEOUT,
  };
  let lost = new Error('it is not ready after two minutes');
  const demo = new DemoProcess('npm start', join(root, 'scripts/start.mjs'), {
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

async function isReady(url) {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function main() {
  if (!existsSync(BROWSER)) throw new Error(`there is no ${BROWSER}: apt-get install chromium, or set CHROMIUM`);
  const screenshots = join(root, 'test/browser/screenshots');
  rmSync(screenshots, { recursive: true, force: true });
  mkdirSync(screenshots, { recursive: true });
  const dataFolder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-browser-'));
  const demo = await startDemo(dataFolder);
  const browser = await chromium.launch({ executablePath: BROWSER, headless: true, args: BROWSER_ARGS });
  try {
    return await runScenarios({ browser, url: demo.url, screenshots });
  } finally {
    await browser.close();
    await demo.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  }
}

main().then(
  ({ passed, failed }) => {
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
    process.exitCode = failed === 0 ? 0 : 1;
  },
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.stdout.write('0 passed, 1 failed\n');
    process.exitCode = 1;
  },
);
