// The console of a cluster whose clients are at a proxy in cluster mode: brokers do not know them.

import assert from 'node:assert/strict';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, PushConsumer } from 'nestjs-rocketmq/client';
import { startStandaloneConsole } from 'nestjs-rocketmq-console/standalone';
import type { Browser } from 'playwright-core';
import type { Checks } from '../../tools/checks.js';
import { ConsolePage } from './console-page.js';

const SAMPLED_MS = 60_000;

/** @param cluster where its topic `orders` and its group `billing` exist */
export async function runClusterProxy(
  { browser, checks }: { browser: Browser; checks: Checks },
  { endpoints, nameServer, proxies }: { endpoints: string; nameServer: string; proxies: string },
): Promise<void> {
  await checks.check('console: the clients of a proxy in cluster mode are listed', async () => {
    const admin = new RocketMQAdmin({ nameServer, proxies });
    const connection = new Connection({ endpoints });
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'billing',
      subscriptions: [{ topic: 'orders' }],
      handler: () => {},
    });
    await consumer.start();
    const running = await startStandaloneConsole({ admin, connection }, { actions: ['send'], bodies: 'shown' });
    const console = await ConsolePage.inNewContext(browser, { viewport: { width: 1_280, height: 860 } });
    try {
      await console.enter(running.url);
      await console.keys('g', 'g');
      await console.page.getByRole('link', { name: 'billing', exact: true }).click({ timeout: SAMPLED_MS });
      const clients = console.page.getByRole('table', { name: 'Clients' });
      await clients.getByRole('row').filter({ hasText: 'NODE_JS' }).filter({ hasText: proxies }).waitFor();
      await console.open('topics/orders');
      await console.page.getByRole('button', { name: 'Send a message' }).waitFor();
      await console.keys('s');
      const dialog = console.dialog('Send to orders');
      await dialog.getByLabel('Body').fill('{"order":"order-8"}');
      await dialog.getByLabel('Keys, separated by spaces').fill('order-8');
      await dialog.getByRole('button', { name: 'Send', exact: true }).click();
      await dialog.getByRole('status').waitFor();
      assert.deepEqual(console.errors, []);
    } finally {
      await console.close();
      await running.close();
      await consumer.close();
      connection.close();
      await admin.close();
    }
  });
}
