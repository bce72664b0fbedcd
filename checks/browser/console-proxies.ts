// The console behind a proxy that takes a prefix off the path.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeServerCertificate } from '../../tools/servers/rocketmq/server-certificate.js';
import { ConsolePage } from './console-page.js';
import type { Stage } from './console-scenarios.js';
import { startProxy } from './stripping-proxy.js';

interface Proxy {
  keepsHost: boolean;
  tls?: { key: Buffer; cert: Buffer };
}

export async function runProxies(stage: Stage): Promise<void> {
  const { world, checks } = stage;
  await checks.check('console: behind a proxy that strips a prefix and keeps Host', () =>
    through(stage, world.mounted, { keepsHost: true }, async (console) => {
      await goThrough(console);
      await send(console, 'behind-a-proxy');
      await isSent(console, 'behind-a-proxy');
    }),
  );
  await checks.check(
    'console: behind a proxy that ends TLS and forwards the host, which the application trusts',
    async () => {
      const mounted = await world.mount([], { trustsProxies: true });
      await through(stage, mounted, { keepsHost: false, tls: certificate() }, async (console) => {
        await goThrough(console);
        await send(console, 'behind-a-trusted-proxy');
        await isSent(console, 'behind-a-trusted-proxy');
      });
    },
  );
  await checks.check('console: a host that is forwarded by an unknown proxy is read by, and changes nothing', () =>
    through(stage, world.mounted, { keepsHost: false }, async (console) => {
      await goThrough(console);
      const before = (await world.admin.topicOffsets('payments')).total;
      await send(console, 'behind-an-unknown-proxy');
      await console.dialog('Send to payments').getByText('a proxy changed Host').waitFor();
      assert.equal((await world.admin.topicOffsets('payments')).total, before);
      // The browser reports the rejection.
      console.forgetErrors();
    }),
  );
}

async function through(
  { browser }: Stage,
  mounted: string,
  options: Proxy,
  work: (console: ConsolePage) => Promise<void>,
): Promise<void> {
  const { origin, pathname } = new URL(mounted);
  const proxy = await startProxy(origin, { prefix: '/tools', ...options });
  const console = await ConsolePage.inNewContext(browser, { ignoreHTTPSErrors: true });
  try {
    // As people type it.
    await console.page.goto(proxy.url + pathname);
    await console.has('Waiting messages');
    await console.enter(`${proxy.url}${pathname}/`);
    await work(console);
    assert.deepEqual(console.errors, []);
  } finally {
    await console.close();
    await proxy.stop();
  }
}

/** Deep links, links, the event stream. */
async function goThrough(console: ConsolePage): Promise<void> {
  await console.has('Waiting messages');
  await console.live();
  await console.open('topics/payments');
  await console.has('payment-');
  await console.page.getByRole('row').filter({ hasText: 'payment-' }).first().getByRole('link').first().click();
  await console.has('Stored in queue');
  await console.page.reload();
  await console.has('Stored in queue');
  await console.keys('g', 't');
  await console.page.getByRole('link', { name: 'payments', exact: true }).click();
  await console.keys('l');
  await console.has('Waiting for messages');
  await console.live();
}

/** @param console on the page of the topic payments */
async function send(console: ConsolePage, key: string): Promise<void> {
  await console.keys('s');
  const dialog = console.dialog('Send to payments');
  await dialog.getByLabel('Body').fill('{"payment":1}');
  await dialog.getByLabel('Keys, separated by spaces').fill(key);
}

/** It also comes by the event stream: the topic is followed. */
async function isSent(console: ConsolePage, key: string): Promise<void> {
  const dialog = console.dialog('Send to payments');
  await dialog.getByRole('button', { name: 'Send', exact: true }).click();
  await dialog.getByRole('status').waitFor();
  await console.keys('Escape');
  await console.page.getByRole('row').filter({ hasText: key }).waitFor();
}

function certificate() {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-proxy-'));
  try {
    const { keyFile, certFile } = makeServerCertificate(folder);
    return { key: readFileSync(keyFile), cert: readFileSync(certFile) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
