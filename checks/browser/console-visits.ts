// All that visitors do in the console, one after another: later visits see what earlier ones have changed.

import assert from 'node:assert/strict';
import { CHANGE_VISITS } from './change-visits.js';
import { DEAD_LETTER_VISITS } from './dead-letter-visits.js';
import type { Visit } from './visit.js';

export const VISITS: readonly Visit[] = [
  ...DEAD_LETTER_VISITS,
  [
    'keys are turned off, for good',
    async ({ console }) => {
      await console.open('topics');
      await console.has('stock-moves');
      await console.keys('?');
      await console.dialog('Keys').getByLabel('Use these keys in this browser').uncheck();
      await console.keys('Escape', 'g', 'd', '?');
      await console.open('topics');
      await console.has('stock-moves');
      await console.keys('g', 'd', '?', '/');
      await console.heading('Topics');
      assert.equal(await console.page.getByRole('dialog').count(), 0);
      await console.page.getByRole('button', { name: 'Keys' }).click();
      await console.dialog('Keys').getByLabel('Use these keys in this browser').check();
      await console.keys('Escape', 'g', 'd');
      await console.heading('Dead letters');
    },
  ],
  [
    'the map of delayed messages is one stop of Tab, and its cells can be hit',
    async ({ console }) => {
      const { page } = console;
      for (const width of [1_280, 800, 390]) {
        await page.setViewportSize({ width, height: 860 });
        for (const by of ['', '?by=hour', '?by=day']) {
          await console.open(`delayed${by}`);
          await console.has('messages are waiting');
          const cells = page.locator('.heat button');
          await cells.first().waitFor();
          for (const cell of await cells.all()) {
            const { width: across = 0, height = 0 } = (await cell.boundingBox()) ?? {};
            assert.ok(across >= 24 && height >= 24, `a cell has ${across} x ${height} px in a window of ${width} px`);
          }
          assert.equal(await page.locator('.heat button[tabindex="0"]').count(), 1);
        }
      }
      await console.open('delayed');
      const cells = page.locator('.heat button');
      await cells.first().focus();
      await console.keys('ArrowRight');
      await console.focused(cells.nth(1));
      await console.keys('End', 'ArrowLeft', 'Home', 'ArrowDown', 'ArrowUp', 'Home');
      await console.focused(cells.first());
      await console.keys('Enter');
      await console.has('Show all times');
    },
  ],
  [
    'an error of several groups is said once, with the groups',
    async ({ console }) => {
      const message = 'the broker does not answer';
      await console.page.route('**/topics/payments/messages/*', async (route) => {
        const response = await route.fetch();
        const trail = await response.json();
        const gaps = ['billing', 'warehouse', 'analytics', 'mailer'].map((consumerGroup) => ({
          name: 'embedded',
          consumerGroup,
          error: { code: 'UNAVAILABLE', message },
        }));
        await route.fulfill({ response, json: { ...trail, gaps } });
      });
      await console.open('topics/payments');
      await console.page.getByRole('row').filter({ hasText: 'payment-160' }).getByRole('link').click();
      await console.has('billing on embedded, warehouse on embedded, analytics on embedded and 1 other');
      assert.equal(await console.page.getByText(message).count(), 1);
    },
  ],
  [
    'dead letters whose errors differ only in their texts have one button',
    async ({ console }) => {
      const { page } = console;
      await page.route('**/groups/billing/dead-letters?*', async (route) => {
        const response = await route.fetch();
        const read = await response.json();
        const deadLetters = read.deadLetters.map((one: object, index: number) => ({
          ...one,
          cause: index === 0 ? 'TimeoutError ETIMEDOUT' : 'PaymentError DECLINED',
          reason: `the card of order ${index} was declined`,
        }));
        await route.fulfill({ response, json: { ...read, deadLetters } });
      });
      await console.open('groups/billing/dead-letters');
      const reasons = page.getByRole('group', { name: 'Reason' }).getByRole('button');
      await reasons.first().waitFor();
      const texts = await reasons.allInnerTexts();
      assert.deepEqual(
        texts.map((text) => text.replace(/\s\d+$/, '')),
        ['PaymentError DECLINED', 'TimeoutError ETIMEDOUT'],
      );
      await page.getByRole('button', { name: 'TimeoutError ETIMEDOUT' }).click();
      await page.getByText('the card of order 1 was declined').waitFor({ state: 'detached' });
      await console.has('the card of order 0 was declined');
    },
  ],
  [
    'characters that cannot be seen are shown',
    async ({ world, console }) => {
      const keys = ['pay\u200bment', '\u202etnemyap'];
      await world.producer.send({
        topic: 'payments',
        body: '{"note":"a\u2066b"}',
        keys,
        properties: { note: 'c\u00add' },
      });
      await console.open('topics/payments');
      await console.has('pay⟨U+200B⟩ment ⟨U+202E⟩tnemyap');
      await console.page.getByRole('row').filter({ hasText: 'U+200B' }).getByRole('link').click();
      for (const text of ['a⟨U+2066⟩b', 'c⟨U+00AD⟩d']) await console.has(text);
      await console.page.getByRole('button', { name: 'Send one like this' }).click();
      await console.dialog('Send to payments').getByText('characters that cannot be seen: ⟨U+2066⟩').waitFor();
    },
  ],
  [
    'the lag of a week is a chart, which arrow keys read, and a table',
    async ({ console }) => {
      const { page } = console;
      await console.open('groups/analytics');
      await page.getByRole('group', { name: 'Range' }).getByRole('button', { name: 'Week' }).click();
      const chart = page.getByRole('slider', { name: 'Lag of the week over time' });
      await chart.focus();
      await console.keys('ArrowLeft');
      assert.match((await chart.getAttribute('aria-valuetext')) ?? '', /^15 at \d{4}-\d\d-\d\d \d\d:/);
      await page.getByText('As a table: 6 hours').click();
      const rows = page.getByRole('table', { name: 'Lag by hour' }).getByRole('row');
      await rows.filter({ hasText: 'payments 2,400' }).waitFor();
      assert.equal(await rows.count(), 7);
    },
  ],
  [
    'a limit over all instances whose store is away is said beside the listener',
    async ({ world, console }) => {
      const limitError = 'connect ECONNREFUSED 127.0.0.1:5432';
      await console.page.route('**/api/app', async (route) => {
        const response = await route.fetch();
        const read = await response.json();
        const listeners = read.listeners.map((one: { consumerGroup: string }) =>
          one.consumerGroup === 'billing' ? { ...one, status: 'limited' } : one,
        );
        const consumers = read.health.details.consumers.map((one: { consumerGroup: string; health: object }) =>
          one.consumerGroup === 'billing' ? { ...one, health: { ...one.health, limitError } } : one,
        );
        const details = { ...read.health.details, consumers };
        await route.fulfill({ response, json: { ...read, listeners, health: { ...read.health, details } } });
      });
      await console.enter(`${world.mounted}/`);
      await console.open('app');
      const row = console.page.getByRole('table', { name: 'Listeners' }).getByRole('row');
      await row.filter({ hasText: 'Billing.charge' }).getByText(limitError).waitFor();
    },
  ],
  ...CHANGE_VISITS,
  [
    'messages are searched, and the search is in the address',
    async ({ console }) => {
      await console.open('topics/orders');
      await console.has('order-48');
      await console.keys('/');
      await console.page.keyboard.type('order-17');
      await console.keys('Enter');
      await console.rows(1);
      assert.equal(new URL(console.page.url()).searchParams.get('text'), 'order-17');
      await console.page.reload();
      await console.rows(1);
      await console.page.goBack();
      await console.page.goForward();
      await console.rows(1);
    },
  ],
  [
    'older messages are appended',
    async ({ console }) => {
      await console.open('topics/payments');
      await console.has('100 of 1');
      await console.keys('n');
      await console.page.getByRole('button', { name: 'Older' }).waitFor({ state: 'detached' });
      await console.scrolledTo('payment-1');
    },
  ],
  [
    'the keys are listed, and Tab reaches the content first',
    async ({ console }) => {
      await console.open('');
      await console.keys('?');
      await console.dialog('Keys').getByText('Next row').waitFor();
      await console.keys('Escape');
      await console.open('topics');
      await console.keys('Tab');
      await console.focused(console.page.getByRole('link', { name: 'Skip to the content' }));
    },
  ],
];

/** Without actions and bodies. */
export const LOOKING: readonly Visit[] = [
  [
    'who may only look sees no actions and no bodies',
    async ({ console }) => {
      await console.open('groups/billing/dead-letters');
      await console.has('order-4');
      await console.has('hidden');
      assert.equal(await console.page.getByRole('checkbox').count(), 0);
      assert.equal(await console.page.getByRole('button', { name: 'Replay' }).count(), 0);
      await console.open('dead-letters');
      await console.page.getByRole('row').filter({ hasText: 'billing' }).waitFor();
      assert.equal(await console.page.getByRole('button', { name: 'Replay' }).count(), 0);
      await console.open('topics/orders');
      await console.has('order-1');
      assert.equal(await console.page.getByRole('button', { name: 'Send' }).count(), 0);
      await console.open('delayed');
      await console.has('messages are waiting');
      assert.equal(await console.page.getByRole('button', { name: 'Cancel' }).count(), 0);
      await console.has('Read-only');
    },
  ],
  [
    'without its topic, the week names the options',
    async ({ world, console }) => {
      await console.enter(await world.openStandalone({ operationsTopic: undefined }));
      await console.open('groups/analytics?range=week');
      await console.has('The console does not know where lag is kept');
      await console.has('--operations-topic');
    },
  ],
  [
    'a page keeps what it has while the server is away, and says so',
    async ({ console }) => {
      await console.open('topics');
      await console.has('stock-moves');
      await console.page.route('**/api/**', (route) => route.abort());
      await console.page.getByLabel('Filter by name').fill('o');
      await console.page.getByRole('alert').getByText('does not answer').waitFor();
      await console.has('stock-moves');
      console.forgetErrors();
    },
  ],
];
