// What a visitor does in the console, each on a page of its own.

import assert from 'node:assert/strict';
import type { ConsolePage } from './console-page.js';
import type { ConsoleWorld } from './console-world.js';

interface Visit {
  world: ConsoleWorld;
  console: ConsolePage;
}

export const VISITS: [string, (visit: Visit) => Promise<void>][] = [
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
    'a group is paused over all instances, which everybody sees, and resumed',
    async ({ world, console }) => {
      await console.open('groups/analytics');
      await console.page.getByRole('button', { name: 'Pause' }).click();
      const dialog = console.dialog('Pause analytics');
      await dialog.getByLabel('Why').fill('the bank is away');
      await dialog.getByRole('button', { name: 'Pause the group' }).click();
      await dialog.getByText('paused, over all instances').waitFor();
      await console.keys('Escape');
      await console.has('This group is paused');
      await console.has(': the bank is away');
      assert.equal((await world.admin.describeGroup('analytics'))?.pause?.reason, 'the bank is away');
      await console.open('groups');
      await console.page.getByRole('row').filter({ hasText: 'analytics' }).getByText('paused').waitFor();
      await console.open('groups/analytics');
      await console.page.getByRole('button', { name: 'Resume' }).click();
      const resume = console.dialog('Resume analytics');
      await resume.getByRole('button', { name: 'Resume the group' }).click();
      await resume.getByText('resumed, over all instances').waitFor();
      await console.keys('Escape');
      await console.page.getByText('This group is paused').waitFor({ state: 'detached' });
      assert.equal((await world.admin.describeGroup('analytics'))?.pause, undefined);
    },
  ],
  [
    'a group is rewound, after the plan has shown how far',
    async ({ world, console }) => {
      await console.open('groups/analytics');
      await console.page.getByRole('button', { name: 'Rewind' }).click();
      const dialog = console.dialog('Rewind analytics');
      await dialog.getByRole('button', { name: 'To the oldest' }).click();
      await dialog.getByText('40 messages will be delivered again.').waitFor();
      await dialog.getByRole('button', { name: 'Move 4 queues' }).click();
      await dialog.getByText('4 queues moved').waitFor();
      assert.ok((await world.admin.groupLag('analytics')).lag >= 160);
    },
  ],
  [
    'a topic is followed live, and paused',
    async ({ world, console }) => {
      await console.open('topics/payments');
      await console.has('payment-160');
      await console.keys('l');
      await console.has('Waiting for messages');
      await console.has('Following');
      await console.live();
      await world.payment(7_001);
      await console.has('payment-7001');
      await console.page.getByRole('button', { name: 'Pause' }).click();
      await world.payment(7_002);
      await console.page.getByRole('button', { name: 'Continue, 1 waiting' }).click();
      await console.has('payment-7002');
    },
  ],
  [
    'a message is sent, and its page opens',
    async ({ console }) => {
      await console.open('topics/payments');
      await console.has('payment-160');
      await console.keys('s');
      const dialog = console.dialog('Send to payments');
      await dialog.getByLabel('Body').fill('{"payment":9001}');
      await dialog.getByLabel('Keys, separated by spaces').fill('payment-9001');
      await dialog.getByRole('button', { name: 'Send', exact: true }).click();
      await dialog.getByRole('status').waitFor();
      await dialog.getByRole('link').click();
      await console.has('payment-9001');
      await console.keys('Escape');
      await console.page.getByRole('button', { name: 'Send one like this' }).click();
      assert.equal(await dialog.getByLabel('Body').inputValue(), '{"payment":9001}');
      await dialog.getByRole('button', { name: 'Send', exact: true }).click();
      await dialog.getByRole('status').waitFor();
      await console.keys('Escape');
      const downloaded = console.page.waitForEvent('download');
      await console.page.getByRole('link', { name: 'Download' }).click();
      assert.match((await downloaded).suggestedFilename(), /^\w+\.json$/);
    },
  ],
  [
    'a delayed message is canceled',
    async ({ console }) => {
      await console.open('delayed');
      const row = console.page.getByRole('row').filter({ hasText: 'order-1200' });
      await row.getByRole('button', { name: 'Cancel' }).click();
      await console.dialog('Cancel a delayed message').getByRole('button', { name: 'Cancel the message' }).click();
      await console.dialog('Cancel a delayed message').getByRole('status').waitFor();
      await console.keys('Escape');
      await row.waitFor({ state: 'detached' });
    },
  ],
  [
    'delayed messages that are selected are canceled together',
    async ({ console, world }) => {
      for (const minutes of [91, 92]) await world.remind(minutes);
      await console.open('delayed');
      const rows = [91, 92].map((minutes) => console.page.getByRole('row').filter({ hasText: `order-${minutes}` }));
      for (const row of rows) await row.getByRole('checkbox').check();
      await console.page.getByRole('button', { name: 'Cancel 2', exact: true }).click();
      const dialog = console.dialog('Cancel 2 delayed messages');
      await dialog.getByLabel('Reason, for the audit').fill('sent twice');
      await dialog.getByRole('button', { name: 'Cancel 2 messages' }).click();
      await dialog.getByRole('status').waitFor();
      await console.keys('Escape');
      for (const row of rows) await row.waitFor({ state: 'detached' });
      await console.open('audit');
      await console.has('sent twice');
    },
  ],
  [
    'a delayed message is delivered now',
    async ({ console }) => {
      await console.open('delayed');
      const row = console.page.getByRole('row').filter({ hasText: 'order-600' });
      await row.getByRole('button', { name: 'Deliver now' }).click();
      const dialog = console.dialog('Deliver a delayed message now');
      await dialog.getByText('These groups get it now instead: mailer.').waitFor();
      await dialog.getByRole('button', { name: 'Deliver now' }).click();
      await dialog.getByRole('status').waitFor();
    },
  ],
  [
    'a transaction that was given up is checked again',
    async ({ console }) => {
      await console.open('transactions');
      await console.page.getByRole('button', { name: 'Ask again' }).first().click();
      const dialog = console.dialog('Ask the producer again');
      await dialog.getByRole('button', { name: 'Begin its checks again' }).click();
      await dialog.getByRole('status').waitFor();
    },
  ],
  [
    'faults are added, listed and removed',
    async ({ console }) => {
      await console.open('faults');
      for (const kind of ['dropResponse', 'delay', 'answer', 'cutStreams']) {
        await console.page.getByRole('button', { name: 'Add a fault' }).click();
        const dialog = console.dialog('Add a fault');
        await dialog.getByLabel('Calls').selectOption('recallMessage');
        await dialog.getByLabel('What happens').selectOption(kind);
        await dialog.getByRole('button', { name: 'Add' }).click();
        await dialog.getByRole('status').waitFor();
        await console.keys('Escape');
      }
      await console.rows(4);
      await console.page.getByRole('button', { name: 'Remove all' }).click();
      await console.dialog('Remove all faults').getByRole('button', { name: 'Remove all' }).click();
      await console.has('No fault is active');
    },
  ],
  [
    'a listener of this instance is paused and resumed',
    async ({ world, console }) => {
      await console.enter(`${world.mounted}/`);
      await console.open('app');
      const listeners = console.page.getByRole('table', { name: 'Listeners' });
      const row = listeners.getByRole('row').filter({ hasText: 'Mailer.remind' });
      for (const [button, status] of [
        ['Pause', 'paused'],
        ['Resume', 'listening'],
      ]) {
        await row.getByRole('button', { name: button }).click();
        const dialog = console.dialog(`${button} Mailer.remind`);
        await dialog.getByText('This instance only').waitFor();
        await dialog.getByRole('button', { name: button }).click();
        await dialog.getByRole('status').waitFor();
        await console.keys('Escape');
        await row.getByText(status ?? '').waitFor();
      }
    },
  ],
  [
    'an entry of the schedule is paused, which everybody sees, sent now, resumed and canceled',
    async ({ world, console }) => {
      await console.enter(`${world.mounted}/`);
      await console.keys('g', 's');
      await console.heading('Schedule');
      const key = 'report:monthly';
      const row = console.page.getByRole('row').filter({ has: console.page.getByText(key, { exact: true }) });
      const change = async (button: string, confirm: string, reason?: string): Promise<void> => {
        await row.getByRole('button', { name: button }).click();
        const dialog = console.dialog(`${button}: ${key}`);
        if (reason !== undefined) await dialog.getByLabel('Why').fill(reason);
        await dialog.getByRole('button', { name: confirm }).click();
        await dialog.getByRole('status').waitFor();
        await console.keys('Escape');
      };
      const entry = async () => {
        const { entries } = await world.database.transaction((tx) => world.schedule.pending(tx, { key }));
        return entries[0];
      };
      const before = await entry();
      await change('Pause', 'Pause the entry', 'the figures are wrong');
      await row.getByText('paused').waitFor();
      assert.equal((await entry())?.paused?.reason, 'the figures are wrong');
      await change('Run now', 'Send it now');
      await world.until('the report of this month', async () => {
        return (await world.newest('reports', ({ body }) => body.includes('monthly'))) !== undefined;
      });
      assert.equal((await entry())?.paused?.reason, 'the figures are wrong');
      await change('Resume', 'Resume the entry');
      await row.getByText('paused').waitFor({ state: 'detached' });
      assert.deepEqual(await entry(), before);
      await change('Cancel', 'Cancel the entry');
      await row.waitFor({ state: 'detached' });
      assert.equal(await entry(), undefined);
      await console.open('audit');
      await console.has('the figures are wrong');
      await console.has(`${key} is canceled`);
    },
  ],
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
export const LOOKING: [string, (visit: Visit) => Promise<void>][] = [
  [
    'who may only look sees no actions and no bodies',
    async ({ console }) => {
      await console.open('groups/billing/dead-letters');
      await console.has('order-4');
      await console.has('hidden');
      assert.equal(await console.page.getByRole('checkbox').count(), 0);
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
