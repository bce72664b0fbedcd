// node .ci/count.mjs FIRST.json [SECOND.json]: counts a jest run, and what failed in it and was run again. The first line is
// `passed failed`; each line after it names a test that failed and passed when it was run again: it counts as failed.

import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** @typedef {{ outcomes: Map<string, boolean>, broken: Set<string> }} Run whether each test passed; files that did not get to their tests */

/**
 * @param {string} file
 * @returns {Run}
 */
function read(file) {
  const outcomes = new Map();
  const broken = new Set();
  for (const { name: path, status, assertionResults } of JSON.parse(readFileSync(file, 'utf8')).testResults) {
    const name = relative(process.cwd(), path);
    for (const { fullName, status: outcome } of assertionResults) {
      if (outcome === 'passed' || outcome === 'failed') outcomes.set(`${name}: ${fullName}`, outcome === 'passed');
    }
    const saysWhy = assertionResults.some(({ status: outcome }) => outcome === 'failed');
    if (status === 'failed' && !saysWhy) broken.add(name);
  }
  return { outcomes, broken };
}

const [first, second] = process.argv.slice(2);
const { outcomes, broken } = read(first);
const again = second !== undefined && existsSync(second) ? read(second) : { outcomes: new Map(), broken: new Set() };

const unsteady = [];
for (const [test, passed] of again.outcomes) {
  if (passed && outcomes.get(test) === false) unsteady.push(test);
  else outcomes.set(test, passed);
}
for (const file of broken) {
  // It was run again and got to its tests.
  const reached = [...again.outcomes.keys()].some((test) => test.startsWith(`${file}: `));
  if (reached && !again.broken.has(file)) {
    unsteady.push(file);
  }
}
for (const file of again.broken) broken.add(file);

const passed = [...outcomes.values()].filter(Boolean).length;
process.stdout.write([`${passed} ${outcomes.size - passed + broken.size}`, ...unsteady, ''].join('\n'));
