// What a visitor does in the console with dead letters.

import assert from 'node:assert/strict';
import type { Visit } from './visit.js';

export const DEAD_LETTER_VISITS: readonly Visit[] = [
  [
    'dead letters are chosen, planned and replayed by keyboard alone',
    async ({ world, console }) => {
      const before = (await world.admin.topicOffsets('orders')).total;
      await console.open('');
      await console.keys('g', 'd');
      await console.heading('Dead letters');
      await console.rowFocused('j', 'billing');
      await console.keys('Enter');
      await console.has('order-4');
      await console.keys('j', 'x', 'j', 'x', 'r');
      const dialog = console.dialog('Replay dead letters of billing');
      await dialog.getByText('2 messages will be sent to orders.').waitFor();
      await dialog.getByText('Other groups get them too').waitFor();
      await console.focused(dialog.getByRole('button', { name: 'Send 2 messages' }));
      await console.keys('Enter');
      await dialog.getByText('2 replayed').waitFor();
      await console.keys('Escape');
      assert.equal((await world.admin.topicOffsets('orders')).total, before + 2);
      // By words, with the same ones on the page of each.
      const marked = (mark: string) =>
        console.page.getByRole('row').filter({ has: console.page.getByRole('cell', { name: mark, exact: true }) });
      await marked('yes').nth(1).waitFor();
      assert.equal(await marked('yes').count(), 2);
      await marked('no').first().waitFor();
      await marked('yes').first().getByRole('link').click();
      await console.dialog('Dead letter').getByRole('definition').filter({ hasText: 'yes' }).waitFor();
      await console.keys('Escape');
      await console.keys('g', 'u');
      await console.has('2 replayed');
    },
  ],
  [
    'an edited copy of a dead letter is sent',
    async ({ console }) => {
      await console.open('groups/billing/dead-letters?at=embedded/0/1');
      await console.page.getByRole('button', { name: 'Send an edited copy' }).click();
      const dialog = console.dialog('Send an edited copy');
      await dialog.getByRole('button', { name: 'Nothing to do' }).waitFor();
      await dialog.getByLabel('Body').fill('{"order":1}');
      await dialog.getByRole('button', { name: 'Send the copy' }).click();
      await dialog.getByRole('status').waitFor();
    },
  ],
  [
    'an edited copy has every part that was not edited as it was stored',
    async ({ world, console }) => {
      const stored =
        '{"order":400,"id":1790000000000000001,"amount":0.10,\t"amount":1e400, "2":"a  b","1":"\\u0041"}\r\n';
      const position = await world.deadLetter(stored);
      await console.open(`groups/billing/dead-letters?at=${position}`);
      const sheet = console.dialog('Dead letter');
      await sheet.getByText('The body is that of the original').waitFor();
      for (const part of ['1790000000000000001', '0.10', '1e400', '"a  b"', '"\\u0041"'])
        await sheet.getByText(part).last().waitFor();
      await console.page.getByRole('button', { name: 'Send an edited copy' }).click();
      const dialog = console.dialog('Send an edited copy');
      const field = dialog.getByLabel('Body');
      await field.fill((await field.inputValue()).replace('0.10', '0.20').replace('a  b', 'c'));
      await dialog.getByRole('button', { name: 'Send the copy' }).click();
      await dialog.getByRole('status').waitFor();
      const copy = await world.newest('orders', ({ properties }) => properties.DEAD_LETTER_EDIT?.endsWith(position));
      assert.equal(copy?.body.toString(), stored.replace('0.10', '0.20').replace('a  b', 'c'));
    },
  ],
  [
    'bodies are compared as they are stored',
    async ({ world, console }) => {
      const position = await world.deadLetter('{"order":400,"id":9007199254740993}');
      const shows = async (body: string | undefined, text: string) => {
        await console.page.unroute('**/compare?*');
        await console.page.route('**/compare?*', async (route) => {
          const response = await route.fetch();
          const both = await response.json();
          both.original.body =
            body === undefined ? { kind: 'hidden', bytes: 1 } : { ...both.original.body, text: body };
          await route.fulfill({ response, json: both });
        });
        await console.open(`groups/billing/dead-letters?at=${position}`);
        await console.has(text);
      };
      await shows('{"order":400,"id":9007199254740992}', 'The body differs from the original');
      await console.has('− ');
      await shows('{"order":400, "id":9007199254740993}', 'differs from the original, in white space only');
      await shows('{"order":400,"id":9007199254740993}', 'The body is that of the original');
      await shows(undefined, 'Whether the body is that of the original is hidden');
    },
  ],
  [
    'Enter carries out a plan only once it has been in sight for a while',
    async ({ world, console }) => {
      const position = await world.deadLetter('{"order":500}');
      const before = (await world.admin.topicOffsets('orders')).total;
      const { page } = console;
      await console.open('groups/billing/dead-letters');
      await page.getByRole('checkbox', { name: `Select ${position}`, exact: true }).check();
      // When its plan is in sight, and when the button that carries it out gets the focus, by the clock of the page.
      await page.evaluate(() => {
        const seen = { shownAtMs: 0, focusedAtMs: 0 };
        Object.assign(globalThis, { seen });
        const button = () => document.querySelector('dialog .primary:not(:disabled)');
        new MutationObserver(() => {
          if (button() !== null) seen.shownAtMs ||= performance.now();
        }).observe(document.body, { subtree: true, childList: true, attributes: true });
        document.addEventListener('focusin', ({ target }) => {
          if (target === button()) seen.focusedAtMs ||= performance.now();
        });
      });
      await console.keys('r');
      const dialog = console.dialog('Replay a dead letter');
      await console.focused(dialog.getByRole('button', { name: 'Send 1 message' }));
      const { shownAtMs, focusedAtMs } = await page.evaluate(
        () => (globalThis as typeof globalThis & { seen: { shownAtMs: number; focusedAtMs: number } }).seen,
      );
      assert.ok(shownAtMs > 0 && focusedAtMs - shownAtMs >= 450, `after ${focusedAtMs - shownAtMs} ms`);
      assert.equal((await world.admin.topicOffsets('orders')).total, before);
      await console.keys('Enter');
      await dialog.getByText('1 replayed').waitFor();
    },
  ],
  [
    'Enter that was typed ahead of a plan, or is held down, carries out nothing',
    async ({ world, console }) => {
      const position = await world.deadLetter('{"order":504}');
      const before = (await world.admin.topicOffsets('orders')).total;
      const { page } = console;
      await page.clock.install();
      await console.open('groups/billing/dead-letters');
      await page.getByRole('checkbox', { name: `Select ${position}`, exact: true }).check();
      let release = (): void => {};
      const isReleased = new Promise<void>((resolve) => {
        release = resolve;
      });
      await page.route('**/api/plans', async (route) => {
        await isReleased;
        await route.continue();
      });
      await console.keys('r');
      const dialog = console.dialog('Replay a dead letter');
      const main = dialog.getByRole('button', { name: 'Send 1 message' });
      const reason = dialog.getByLabel('Reason, for the audit');
      await dialog.getByText('Planning…').first().waitFor();
      await reason.fill('they paid');
      // The plan is in sight for no time until the clock of the page goes on.
      await page.clock.pauseAt(Date.now() + 1_000);
      release();
      await main.waitFor();
      for (const control of [reason, main]) {
        await control.focus();
        await console.keys('Enter');
        await page.clock.runFor(400);
        await console.keys('Enter');
        assert.equal(await main.count(), 1, 'it was carried out');
      }
      await page.keyboard.down('Enter');
      await page.clock.runFor(1_000);
      await page.keyboard.down('Enter');
      await page.keyboard.up('Enter');
      assert.equal(await main.count(), 1, 'a key that is held down has carried it out');
      assert.equal((await world.admin.topicOffsets('orders')).total, before);
      await console.keys('Enter');
      await dialog.getByText('1 replayed').waitFor();
    },
  ],
  [
    'those of all groups are planned and replayed together',
    async ({ world, console }) => {
      await world.bury('refunds', 'reports', '{"report":"torn"}');
      const before = (await world.admin.topicOffsets('reports')).total;
      await console.open('dead-letters');
      await console.page.getByRole('button', { name: 'Replay those of all groups' }).click();
      const dialog = console.dialog('Replay dead letters of all groups');
      await dialog.getByText('1 message will be sent to reports.').waitFor();
      await dialog.getByText(/^\d+ messages will be sent to orders\.$/).waitFor();
      await dialog.getByText(/^\d+ messages not sent: replayed before$/).waitFor();
      const send = dialog.getByRole('button', { name: /^Send \d+ messages$/ });
      const [, planned = ''] = /(\d+)/.exec((await send.textContent()) ?? '') ?? [];
      await send.click();
      await dialog.getByText(`${planned} replayed, 0 were replayed before, 0 failed`).waitFor();
      await dialog.getByText(`${planned} messages sent`).waitFor();
      assert.equal((await world.admin.topicOffsets('reports')).total, before + 1);
      await console.keys('Escape');
      await console.open('groups/refunds/dead-letters');
      await console.page.getByRole('cell', { name: 'yes', exact: true }).waitFor();
    },
  ],
];
