// The page on a server without a control port, as a cluster is one; with time enough to walk through it by Tab.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Stage } from './scenarios.js';
import { type Look, Shop } from './shop.js';

const DESK = { width: 1_200, height: 700 };

const SCENARIOS: [string, Look, (shop: Shop) => Promise<void>][] = [
  [
    '"time out now" and "deliver twice" are not there',
    {},
    async (shop) => {
      const order = await shop.order('book');
      await order.has('to be paid');
      assert.deepEqual(await order.buttons(), ['Pay', 'Cancel']);
      await shop.go('Flow');
      const titles = await shop.faults();
      assert.ok(titles.includes('Handler fails twice'), titles.join());
      assert.ok(!titles.includes('Deliver twice'), titles.join());
    },
  ],
  [
    'Tab reaches every control, from top to bottom, and each is in sight with its focus',
    {},
    async (shop) => {
      const order = await shop.order('lamp');
      await shop.reload();
      await order.has('to be paid');
      const first = ['Shop', 'Flow', ...['book', 'chair', 'lamp'].map((sku) => `Order one ${sku}`)];
      const ofOrder = ['Pay', 'Cancel', 'Time line of'].map((name) => order.control(name));
      const walked = await shop.walk();
      assert.deepEqual(walked.slice(0, first.length + ofOrder.length), [...first, ...ofOrder]);
      assert.deepEqual(walked, await shop.controls());
      await shop.go('Flow');
      await shop.reload();
      const breaking = (await shop.faults()).map((title) => `Break it: ${title}`);
      assert.deepEqual(await shop.walk(), ['Shop', 'Flow', ...breaking]);
    },
  ],
  [
    'messages move in the flow',
    { reducedMotion: 'no-preference' },
    async (shop) => {
      const places = await placesOfMessages(shop);
      assert.ok(
        places.some((count) => count > 1),
        `${places.length} messages were at ${places} places`,
      );
    },
  ],
  [
    'messages do not move for who wants less motion',
    { reducedMotion: 'reduce' },
    async (shop) => {
      const places = await placesOfMessages(shop);
      assert.deepEqual(new Set(places), new Set([1]));
    },
  ],
];

/** Orders something. @returns at how many places each message of the drawing was seen */
async function placesOfMessages(shop: Shop) {
  await shop.go('Flow');
  await shop.watchMessages();
  await shop.page.request.post('/orders', { data: { sku: 'book', quantity: 1 } });
  await shop.hasLatestStep(/stock reserved/);
  return shop.seenMessages();
}

/** Runs all of them. */
export async function runClusterScenarios({ browser, url, screenshots, checks }: Stage): Promise<void> {
  for (const [name, look, work] of SCENARIOS) {
    await checks.check(`without a control port: ${name}`, async () => {
      const shop = await Shop.open(browser, url, { viewport: DESK, ...look });
      try {
        await work(shop);
        assert.deepEqual(shop.errors, [], 'the console has errors');
      } catch (error) {
        await shop.page.screenshot({ path: join(screenshots, `failed ${name.replace(/\W+/g, ' ')}.png`) });
        throw error;
      } finally {
        await shop.close();
      }
    });
  }
}
