// What a visitor does on the page, one after the other on one demo. Each is named by what it shows.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import type { Checks } from '../../tools/checks.js';
import { axeViolations } from './axe.js';
import { type Look, Shop } from './shop.js';

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1_200, height: 900 };

export interface Stage {
  browser: Browser;
  url: string;
  screenshots: string;
  checks: Checks;
}

const SCENARIOS: [string, (shop: Shop, about: { shot: (name: string) => Promise<unknown> }) => Promise<void>][] = [
  [
    'an order is reserved, counts down, and is paid',
    async (shop, { shot }) => {
      const before = await shop.stock('book');
      const order = await shop.order('book');
      await order.has('to be paid');
      await order.showTimeline();
      await order.hasStep('time-out scheduled');
      await order.counts();
      await shop.hasStock('book', { ...before, available: before.available - 1, reserved: before.reserved + 1 });
      await shot('shop');
      await order.press('Pay');
      await order.has('paid');
      await order.hasStep('sold');
      await order.hasStep('time-out recalled');
      await shop.hasStock('book', { ...before, available: before.available - 1, sold: before.sold + 1 });
    },
  ],
  [
    'an order that nobody pays times out, and its stock returns',
    async (shop) => {
      const before = await shop.stock('chair');
      const order = await shop.order('chair');
      await order.has('to be paid');
      await order.showTimeline();
      await order.has('canceled');
      await order.hasStep('canceled: not paid in time');
      await order.hasStep('returned');
      await shop.hasStock('chair', before);
    },
  ],
  [
    'an order is canceled',
    async (shop) => {
      const before = await shop.stock('lamp');
      const order = await shop.order('lamp');
      await order.has('to be paid');
      await order.press('Cancel');
      await order.has('canceled');
      await shop.hasStock('lamp', before);
    },
  ],
  [
    '"time out now" does not wait',
    async (shop) => {
      const order = await shop.order('lamp');
      await order.has('to be paid');
      await order.showTimeline();
      await order.press('Time out now');
      await order.hasStep('time-out delivered now, on request');
      await order.has('canceled');
      assert.ok(await order.isBefore(), 'it ended before its time was over');
    },
  ],
  [
    'all can be done by keyboard',
    async (shop) => {
      const order = await shop.orderByKeyboard('book');
      await order.has('to be paid');
      await order.pressByKeyboard('Pay');
      await order.has('paid');
      await shop.goByKeyboard('Flow');
      await shop.page.getByRole('heading', { name: 'Flow' }).waitFor();
      await shop.goByKeyboard('Shop');
    },
  ],
  [
    'the flow shows steps as they happen, and a handler that fails twice does its work in the end',
    async (shop, { shot }) => {
      await shop.go('Flow');
      await shop.break('Handler fails twice');
      await shop.hasLatestStep(/reserved inventory-demo, attempt 3/);
      await shot('flow');
      await shop.isWhole();
    },
  ],
  [
    'a message that is delivered twice reserves once',
    async (shop) => {
      await shop.break('Deliver twice');
      await shop.hasLatestStep(/redelivered: nothing to reserve/);
      await shop.isWhole();
    },
  ],
  [
    'a return before its reservation changes nothing',
    async (shop) => {
      await shop.break('Return before reservation');
      await shop.hasLatestStep(/returned before the reservation/);
      await shop.hasLatestStep(/not reserved: returned before/);
      await shop.isWhole();
    },
  ],
  [
    'order-demo crashes before the commit of its message, and the check commits it',
    async (shop) => {
      await shop.break('Crash before commit', { isAwayFor: true });
      await shop.hasLatestStep(/order-created: check answered: commit/);
      await shop.hasLatestStep(/ reserved inventory-demo/);
      await shop.isWhole();
    },
  ],
  [
    'order-demo crashes before the order is stored, and neither order nor message comes to be',
    async (shop) => {
      const before = await shop.orders();
      await shop.break('Crash before the order is stored', { isAwayFor: true });
      await shop.goesAwayAndComesBack();
      assert.deepEqual(await shop.orders(), before);
      await shop.isWhole();
    },
  ],
  [
    'inventory-demo is stopped: an order waits, and is reserved when it is back',
    async (shop, { shot }) => {
      await shop.break('Stop inventory-demo', { isAwayFor: true });
      await shop.go('Shop');
      const order = await shop.order('book');
      await order.showTimeline();
      await order.hasStep('reserved');
      await shot('time-line');
      await shop.isWhole();
    },
  ],
];

const LOOKS: [string, Look][] = [
  ['light, on a desk', { viewport: DESK, colorScheme: 'light' }],
  ['dark, on a desk', { viewport: DESK, colorScheme: 'dark' }],
  ['light, on a phone', { viewport: PHONE, colorScheme: 'light', isMobile: true, hasTouch: true }],
  ['dark, on a phone', { viewport: PHONE, colorScheme: 'dark', isMobile: true, hasTouch: true }],
];

/** Runs all of them. */
export async function runScenarios({ browser, url, screenshots, checks }: Stage): Promise<void> {
  const shop = await Shop.open(browser, url, { viewport: DESK });
  const shot = (name: string) => shop.page.screenshot({ path: join(screenshots, `${name}.png`) });
  for (const [name, work] of SCENARIOS) {
    await checks.check(name, async () => {
      shop.forgetErrors();
      await work(shop, { shot }).catch(async (error) => {
        await shot(`failed ${name.replace(/\W+/g, ' ')}`);
        throw error;
      });
      assert.deepEqual(shop.errors, [], 'the console has errors');
    });
  }
  await shop.close();
  for (const [name, look] of LOOKS) {
    await checks.check(`is accessible and fits: ${name}`, () =>
      lookAt(browser, { url, look, path: join(screenshots, name) }),
    );
  }
}

async function lookAt(browser: Browser, { url, look, path }: { url: string; look: Look; path: string }): Promise<void> {
  const shop = await Shop.open(browser, url, look);
  try {
    await (await shop.order('book')).showTimeline();
    for (const view of ['Shop', 'Flow']) {
      await shop.go(view);
      assert.deepEqual(await axeViolations(shop.page), [], `axe, ${view}`);
      assert.ok(await shop.fits(), `${view} is wider than the window`);
      await shop.page.screenshot({ path: `${path}, ${view}.png`, fullPage: true });
    }
    assert.deepEqual(shop.errors, [], 'the console has errors');
  } finally {
    await shop.close();
  }
}
