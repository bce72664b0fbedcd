// What a visitor does in the console, on a page of its own.

import type { ConsolePage } from './console-page.js';
import type { ConsoleWorld } from './console-world.js';

export type Visit = readonly [
  what: string,
  make: (given: { readonly world: ConsoleWorld; readonly console: ConsolePage }) => Promise<void>,
];
