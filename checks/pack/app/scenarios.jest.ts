// The scenarios under jest.

import { scenarios } from './scenarios.js';

declare const it: (name: string, run: () => Promise<void>, timeoutMs: number) => void;

for (const [name, scenario] of scenarios) it(name, scenario, 30_000);
