// What a visitor does in the console, each on a page of its own.

import assert from 'node:assert/strict';

/** @typedef {{ world: import('./console-world.mjs').ConsoleWorld, console: import('./console-page.mjs').ConsolePage }} Visit */

/** @type {[string, (visit: Visit) => Promise<void>][]} */
export const VISITS = [
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

/** Without actions and bodies. @type {[string, (visit: Visit) => Promise<void>][]} */
export const LOOKING = [
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
