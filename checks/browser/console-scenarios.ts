// What a visitor does in the console, mounted in an application and as a server of its own, both on one embedded broker.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import type { ConsoleOptions } from '../../libs/console/src/access/options.js';
import type { Checks } from '../../tools/checks.js';
import { axeViolations } from './axe.js';
import { APP_DIALOGS, DIALOGS } from './console-dialogs.js';
import { ConsolePage } from './console-page.js';
import { LOOKING, VISITS } from './console-visits.js';
import type { ConsoleWorld } from './console-world.js';

export interface Stage {
  browser: Browser;
  world: ConsoleWorld;
  screenshots: string;
  checks: Checks;
}

const DESK = { width: 1_280, height: 860 };
const PHONE = { width: 390, height: 844 };
const CLOSED: ConsoleOptions = { actions: [], bodies: 'hidden' };

const LOOKS: [string, BrowserContextOptions][] = [
  ['light 1280', { viewport: DESK, colorScheme: 'light' }],
  ['dark 1280', { viewport: DESK, colorScheme: 'dark' }],
  ['light 390', { viewport: PHONE, colorScheme: 'light', isMobile: true, hasTouch: true }],
  ['dark 390', { viewport: PHONE, colorScheme: 'dark', isMobile: true, hasTouch: true }],
];

/** Where each scheme and each width is once. */
const FEW_LOOKS = ['light 1280', 'dark 390'];

/** Each page, and what shows that it has its data. */
async function pagesOf({ admin }: ConsoleWorld): Promise<[string, string, string][]> {
  const { messages } = await admin.findMessages({ topic: 'orders', key: 'order-8', limit: 1 });
  const { messages: delayed } = await admin.delayedMessages({ topic: 'reminders', limit: 1 });
  return [
    ['Overview', '', 'Waiting messages'],
    ['Topics', 'topics', 'stock-moves'],
    ['Topic', 'topics/orders', 'order-48'],
    ['Topic, live', 'topics/orders?tab=live', 'Waiting for messages'],
    ['Topic, groups', 'topics/orders?tab=groups', 'warehouse'],
    ['Topic, queues', 'topics/orders?tab=queues', 'embedded / 3'],
    ['Message', `topics/orders/messages/${messages[0]?.messageId}`, 'Dead letter after 2 deliveries'],
    ['Message, delayed', `topics/reminders/messages/${delayed[0]?.messageId}`, 'Delayed until due'],
    ['Groups', 'groups', 'analytics'],
    ['Group', 'groups/analytics', 'No consumer is connected'],
    ['Group, week', 'groups/analytics?range=week', 'As a table: 6 hours'],
    ['Group, week without samples', 'groups/warehouse?range=week', 'keep the lag of their groups in operations'],
    ['Group, paused', 'groups/newsletter', 'This group is paused'],
    ['Dead letters', 'dead-letters', 'billing'],
    ['Dead letters of a group', 'groups/billing/dead-letters', 'order-48'],
    ['Dead letter, compared', 'groups/billing/dead-letters?at=embedded/0/0', 'The body is that of the original'],
    ['Delayed', 'delayed', 'messages are waiting'],
    ['Transactions', 'transactions', 'invoice-1001'],
    ['Audit', 'audit', 'Nothing was changed yet'],
    ['Nowhere', 'nowhere', 'There is no such page'],
  ];
}

/** Runs all of them. */
export async function runConsoleScenarios({ browser, world, screenshots, checks }: Stage): Promise<void> {
  const pages = await pagesOf(world);
  for (const [look, options] of LOOKS) {
    await checks.check(`console: accessible, deep links, fits: ${look}`, async () => {
      const console = await ConsolePage.inNewContext(browser, options);
      try {
        await console.enter(await world.openStandalone());
        for (const [name, path, shown] of pages) await lookAt(console, { name, path, shown, screenshots, look });
        await lookAt(console, { name: 'Faults', path: 'faults', shown: 'No fault is active', screenshots, look });
        await console.enter(`${world.mounted}/`);
        await lookAt(console, { name: 'Application', path: 'app', shown: 'Billing.charge', screenshots, look });
        await lookAt(console, { name: 'Schedule', path: 'schedule', shown: 'report:yearly', screenshots, look });
        await lookAt(console, { name: 'Schedule, empty', path: 'schedule?key=none', shown: 'No entry has the key' });
        if (FEW_LOOKS.includes(look))
          for (const [name, path, shown] of pages) await lookAt(console, { name, path, shown });
      } finally {
        await console.close();
      }
    });
  }
  for (const [look, options] of LOOKS.filter(([name]) => FEW_LOOKS.includes(name))) {
    await checks.check(`console: accessible dialogs, which fit: ${look}`, async () => {
      const console = await ConsolePage.inNewContext(browser, options);
      try {
        await console.enter(await world.openStandalone());
        const openAll = async (dialogs: typeof DIALOGS): Promise<void> => {
          for (const [path, open, name, shown] of dialogs) {
            await console.open(path);
            await open(console);
            await console.dialog(name).getByText(shown).first().waitFor();
            await isWell(console, { name: `dialog ${name.replace(/\W+/g, ' ')}`, screenshots, look });
          }
        };
        await openAll(DIALOGS);
        await console.enter(`${world.mounted}/`);
        await openAll(APP_DIALOGS);
      } finally {
        await console.close();
      }
    });
  }
  const all = [
    ...VISITS.map(([name, work]) => [name, work, undefined] as const),
    ...LOOKING.map(([name, work]) => [name, work, CLOSED] as const),
  ];
  for (const [name, work, rights] of all) {
    await checks.check(`console: ${name}`, async () => {
      const console = await ConsolePage.inNewContext(browser, { viewport: DESK });
      try {
        await console.enter(await world.openStandalone(rights));
        await work({ world, console });
        assert.deepEqual(console.errors, [], 'the browser reports errors');
      } catch (error) {
        await console.page.screenshot({ path: join(screenshots, `failed ${name.replace(/\W+/g, ' ')}.png`) });
        throw error;
      } finally {
        await console.close();
      }
    });
  }
}

/** Of a broker whose time can be moved (`timeTravel`). */
export async function runTimeTravel({ browser, world, checks }: Stage): Promise<void> {
  await checks.check('console: the time is moved to a message, after the plan has shown what becomes due', async () => {
    const console = await ConsolePage.inNewContext(browser, { viewport: DESK });
    try {
      await console.enter(await world.openStandalone());
      await console.open('delayed');
      await console.page.getByRole('row').filter({ hasText: 'order-45' }).getByRole('link').click();
      await console.page.getByRole('button', { name: 'Move time to this message' }).click();
      const dialog = console.dialog('Move time to this message');
      await dialog.getByText('events on the way').waitFor();
      await dialog.getByRole('button', { name: /^Move by/ }).click();
      await dialog.getByRole('status').waitFor();
      await console.keys('Escape');
      await console.has('ahead');
      await console.has('Stored in queue');
      assert.deepEqual(console.errors, []);
    } finally {
      await console.close();
    }
  });
}

async function lookAt(
  console: ConsolePage,
  {
    name,
    path,
    shown,
    screenshots,
    look,
  }: { name: string; path: string; shown: string; screenshots?: string; look?: string },
): Promise<void> {
  await console.open(path);
  await console.has(shown);
  await isWell(console, { name, screenshots, look });
}

async function isWell(
  console: ConsolePage,
  { name, screenshots, look }: { name: string; screenshots?: string; look?: string },
): Promise<void> {
  assert.deepEqual(await axeViolations(console.page), [], `axe, ${name}`);
  assert.ok(await console.fits(), `${name} is wider than the window`);
  assert.deepEqual(console.errors, [], `the browser reports errors, ${name}`);
  if (screenshots === undefined) return;
  await console.page.screenshot({ path: join(screenshots, `console, ${look}, ${name}.png`) });
}
