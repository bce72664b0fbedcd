// node .ci/count.mjs FIRST.json [SECOND.json]: counts a jest run, and what failed in it and was run again. The first line is
// `passed failed`; the others name what failed, and say what it said or that it passed when it was run again. That counts as failed all the
// same.

import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Enough to show what it saw: the message and its differences. */
const MOST_LINES = 20;

/**
 * @param {string} file
 * @returns {{ outcomes: Map<string, string | undefined>, broken: Map<string, string> }} what each test said if it failed; files that did not
 *   get to their tests
 */
function read(file) {
  const outcomes = new Map();
  const broken = new Map();
  for (const { name: path, status, message, assertionResults } of JSON.parse(readFileSync(file, 'utf8')).testResults) {
    const name = relative(process.cwd(), path);
    for (const { fullName, status: outcome, failureMessages } of assertionResults) {
      if (outcome === 'passed') outcomes.set(`${name}: ${fullName}`, undefined);
      if (outcome === 'failed') outcomes.set(`${name}: ${fullName}`, saidBy(failureMessages.join('\n')));
    }
    const saysWhy = assertionResults.some(({ status: outcome }) => outcome === 'failed');
    if (status === 'failed' && !saysWhy) broken.set(name, saidBy(message));
  }
  return { outcomes, broken };
}

/** @param {string} text */
function saidBy(text) {
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line));
  return lines
    .slice(0, MOST_LINES)
    .map((line) => line.slice(0, 300))
    .join('\n    ');
}

const [first, second] = process.argv.slice(2);
const { outcomes, broken } = read(first);
const again = second !== undefined && existsSync(second) ? read(second) : { outcomes: new Map(), broken: new Map() };

const PASSED_THEN = 'passed when it was run once more';
for (const [test, said] of again.outcomes) {
  const before = outcomes.get(test);
  outcomes.set(test, said === undefined && before !== undefined ? `${PASSED_THEN}; before: ${before}` : said);
}
for (const [file, said] of broken) {
  const hasReachedTests = [...again.outcomes.keys()].some((test) => test.startsWith(`${file}: `));
  if (hasReachedTests && !again.broken.has(file)) broken.set(file, `${PASSED_THEN}; before: ${said}`);
}
for (const [file, said] of again.broken) broken.set(file, said);

const failed = [...[...outcomes].filter(([, said]) => said !== undefined), ...broken];
const names = failed.map(([name, said]) => `${name}: ${said}`);
process.stdout.write([`${outcomes.size + broken.size - failed.length} ${failed.length}`, ...names, ''].join('\n'));
