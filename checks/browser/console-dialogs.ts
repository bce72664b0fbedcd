// Every dialog of the console, as far as its plan: what it would do is shown, and is not done.

import type { ConsolePage } from './console-page.js';

const press =
  (name: string): ((console: ConsolePage) => Promise<void>) =>
  (console) =>
    console.page.getByRole('button', { name }).first().click();

/** Where it is opened, how, its name, and what shows its plan. */
export const DIALOGS: [string, (console: ConsolePage) => Promise<void>, string, string][] = [
  ['', (console) => console.keys('?'), 'Keys', 'Next row'],
  ['', press('+1 h'), 'Move time by 1 hour', 'on the way'],
  [
    'groups/billing/dead-letters',
    async (console) => {
      await console.page
        .getByLabel('Select all that are shown')
        .or(console.page.getByLabel(/^Select/))
        .last()
        .check();
      await console.keys('r');
    },
    'Replay',
    'will be sent to orders',
  ],
  ['dead-letters', press('Replay those of all groups'), 'Replay dead letters of all groups', 'will be sent to orders'],
  ['groups/billing/dead-letters?at=embedded/0/0', press('Send an edited copy'), 'Send an edited copy', 'Nothing to do'],
  [
    'groups/analytics',
    async (console) => {
      await press('Rewind')(console);
      await press('To the oldest')(console);
    },
    'Rewind analytics',
    'will be delivered again',
  ],
  [
    'groups/analytics',
    async (console) => {
      await press('Pause')(console);
      await console.dialog('Pause analytics').getByLabel('Why').fill('the bank is away');
    },
    'Pause analytics',
    'All instances',
  ],
  [
    'topics/payments',
    async (console) => {
      await press('Send')(console);
      await console.dialog('Send to payments').getByLabel('Body').fill('{}');
    },
    'Send to payments',
    'analytics',
  ],
  ['delayed', press('Cancel'), 'Cancel a delayed message', 'order-'],
  ['delayed', press('Deliver now'), 'Deliver a delayed message now', 'get it now instead'],
  ['transactions', press('Ask again'), 'Ask the producer again', 'invoices'],
  ['faults', press('Add a fault'), 'Add a fault', 'from any client'],
];

/** Those of the application's schedule. */
export const APP_DIALOGS: typeof DIALOGS = [
  ['schedule?key=trial:ada', press('Run now'), 'Run now: trial:ada', 'The entry is then gone'],
  ['schedule?key=report:yearly', press('Run now'), 'Run now: report:yearly', 'The next tick stays'],
  [
    'schedule?key=report:yearly',
    async (console) => {
      await press('Pause')(console);
      await console.dialog('Pause: report:yearly').getByLabel('Why').fill('the figures are wrong');
    },
    'Pause: report:yearly',
    'It has no ticks until it is resumed',
  ],
  ['schedule?key=report:yearly', press('Cancel'), 'Cancel: report:yearly', 'It has no more ticks'],
];
