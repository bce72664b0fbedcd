// What a visitor changes in the console: groups, messages, faults, listeners, the schedule.

import assert from 'node:assert/strict';
import type { Visit } from './visit.js';

export const CHANGE_VISITS: readonly Visit[] = [
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
];
