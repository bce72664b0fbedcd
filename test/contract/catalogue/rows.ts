// The form of the error catalogue.

import type { World } from '../support/world.js';

/** When, what fits, and how to ask for it. */
export type Row = readonly [condition: string, expected: string, ask: (world: World) => Promise<string>];

/** The rows by RPC. */
export type Catalogue = Readonly<Record<string, readonly Row[]>>;
