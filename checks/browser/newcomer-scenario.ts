// What a newcomer does who has read the README: finds a message that is stuck, sees why, replays it once the handler is right, and watches it
// succeed, without leaving the browser. On any broker.

import assert from 'node:assert/strict';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  DeadLetterError,
  defineTopic,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
  type TopicDefinition,
} from 'nestjs-rocketmq';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { RocketMQConsoleModule } from 'nestjs-rocketmq-console';
import type { Browser } from 'playwright-core';
import type { Checks } from '../../tools/checks.js';
import { soon } from '../../tools/until.js';
import { ConsolePage } from './console-page.js';

const Orders = defineTopic('orders', { type: 'normal' }) as TopicDefinition<{ order: string }>;
const SAMPLED_MS = 60_000;
const REASON = 'there is no tax rate for the country eu';

class TaxError extends DeadLetterError {
  override readonly name = 'TaxError';
}

/** An application whose handler fails until it is fixed. */
async function startShop({
  endpoints,
  nameServer,
  proxies,
}: {
  endpoints: string;
  nameServer?: string;
  proxies?: string;
}) {
  const handled: string[] = [];
  let isMended = false;

  @Injectable()
  class Billing {
    @RocketMQListener(Orders, { consumerGroup: 'billing' })
    charge({ order }: { order: string }): void {
      if (!isMended) throw order === 'order-9' ? new TaxError(REASON) : new DeadLetterError(REASON);
      handled.push(order);
    }
  }

  @Module({
    imports: [
      RocketMQModule.forRoot({ endpoints, nameServer, proxies }),
      RocketMQConsoleModule.forRoot({ actions: ['replay'], bodies: 'shown' }),
    ],
    providers: [Billing],
  })
  class ShopModule {}

  const app = await NestFactory.create(ShopModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  return {
    url: `${await app.getUrl()}/rocketmq`,
    handled,
    fix: () => {
      isMended = true;
    },
    unfix: () => {
      isMended = false;
    },
    place: (order: string) => app.get(RocketMQProducer).send(Orders, { order }, { keys: [order] }),
    stop: () => app.close(),
  };
}

export async function runNewcomer(
  { browser, checks }: { browser: Browser; checks: Checks },
  name: string,
  broker: { endpoints: string; nameServer?: string; proxies?: string },
): Promise<void> {
  await checks.check(
    `console: a newcomer finds a stuck message, sees why, replays it and watches it succeed: ${name}`,
    async () => {
      if (broker.nameServer !== undefined) {
        const admin = new RocketMQAdmin({ nameServer: broker.nameServer });
        await admin.createTopic({ topic: 'orders', type: 'normal' });
        await admin.createGroup({ consumerGroup: 'billing' });
        await admin.close();
      }
      const shop = await startShop(broker);
      const console = await ConsolePage.inNewContext(browser, { viewport: { width: 1_280, height: 860 } });
      try {
        await shop.place('order-7');
        await console.enter(shop.url);
        // The console samples groups and lists topics now and then.
        const stuck = console.page.getByRole('row').filter({ hasText: '1 dead letter' });
        await stuck.getByRole('link').first().click({ timeout: SAMPLED_MS });
        await console.has(REASON);
        shop.fix();
        await console.rowFocused('j', 'order-7');
        await console.keys('x', 'r');
        const dialog = console.dialog('Replay a dead letter');
        await dialog.getByText('1 message will be sent to orders.').waitFor();
        await dialog.getByLabel('Only this group handles them').check();
        await dialog.getByText('1 message will be sent to orders.').waitFor();
        await dialog.getByRole('button', { name: 'Send 1 message' }).click();
        await dialog.getByText('1 replayed').waitFor();
        await dialog.getByText('1 message sent').waitFor();
        await console.keys('Escape', 'g', 't');
        await console.page.getByRole('link', { name: 'orders', exact: true }).click();
        await console.page.getByRole('row').filter({ hasText: 'order-7' }).first().getByRole('link').first().click();
        await console.has('Replayed, stored');
        await console.has('handled');
        assert.deepEqual(shop.handled, ['order-7']);
        shop.unfix();
        for (const order of ['order-8', 'order-9']) await shop.place(order);
        await console.enter(`${shop.url}/groups/billing/dead-letters`);
        await console.page.getByRole('group', { name: 'Reason' }).getByRole('button', { name: 'TaxError' }).click();
        shop.fix();
        await console.page.getByRole('button', { name: 'Replay all of these' }).click();
        const ofKind = console.dialog('Replay dead letters of billing');
        await ofKind.getByText('1 message will be sent to orders.').waitFor();
        await ofKind.getByRole('button', { name: 'Send 1 message' }).click();
        await ofKind.getByText('1 replayed').waitFor();
        await soon(() => shop.handled.length === 2);
        assert.deepEqual(shop.handled, ['order-7', 'order-9']);
        assert.deepEqual(console.errors, []);
      } finally {
        await console.close();
        await shop.stop();
      }
    },
  );
}
