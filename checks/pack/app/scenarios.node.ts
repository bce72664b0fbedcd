// The scenarios under Node's own test runner.

import { test } from 'node:test';
import { scenarios } from './scenarios.js';

for (const [name, scenario] of scenarios) test(name, scenario);
