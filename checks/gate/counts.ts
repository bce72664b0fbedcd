// Counts a jest run, and what failed in it and ran once more. That counts as failed all the same.

import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Enough to show what a test saw: the message and its differences. */
const MAX_LINES = 20;
const MAX_LINE_LENGTH = 300;
const MAX_SLOWEST = 8;
const PASSED_THEN = 'passed when it ran once more';

/** What jest writes with --json --outputFile. */
export interface JestResults {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

export interface SuiteCounts {
  readonly passed: number;
  readonly failed: number;
  /** What failed, and what it said. */
  readonly names: readonly string[];
}

interface Outcomes {
  /** What each test said if it failed. */
  readonly tests: Map<string, string | undefined>;
  /** Files that did not get to their tests. */
  readonly broken: Map<string, string>;
}

export function readResults(file: string): JestResults {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** @param rerun what failed, when it ran once more */
export function countsOf(first: JestResults, rerun: JestResults = { testResults: [] }): SuiteCounts {
  const { tests, broken } = outcomesOf(first);
  const second = outcomesOf(rerun);
  for (const [test, said] of second.tests) {
    const before = tests.get(test);
    tests.set(test, said === undefined && before !== undefined ? `${PASSED_THEN}; before: ${before}` : said);
  }
  for (const [file, said] of broken) {
    const hasReachedTests = [...second.tests.keys()].some((test) => test.startsWith(`${file}: `));
    if (hasReachedTests && !second.broken.has(file)) broken.set(file, `${PASSED_THEN}; before: ${said}`);
  }
  for (const [file, said] of second.broken) broken.set(file, said);
  const failed = [...[...tests].filter(([, said]) => said !== undefined), ...broken];
  return {
    passed: tests.size + broken.size - failed.length,
    failed: failed.length,
    names: failed.map(([name, said]) => `${name}: ${said}`),
  };
}

/** Lines with the slowest files and their seconds. */
export function slowestOf({ testResults }: JestResults): readonly string[] {
  return testResults
    .map(({ name, startTime, endTime }) => ({ path: pathOf(name), seconds: (endTime - startTime) / 1_000 }))
    .sort((one, other) => other.seconds - one.seconds)
    .slice(0, MAX_SLOWEST)
    .map(({ path, seconds }) => `${seconds.toFixed(1).padStart(8)} s  ${path}`);
}

/** The cases of the contract that ran, sorted. */
export function contractCasesOf({ testResults }: JestResults): readonly string[] {
  return testResults
    .filter(({ name }) => name.includes('/test/contract/'))
    .flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status !== 'pending'))
    .map(({ fullName }) => fullName)
    .sort();
}

function outcomesOf({ testResults }: JestResults): Outcomes {
  const tests = new Map<string, string | undefined>();
  const broken = new Map<string, string>();
  for (const { name, status, message, assertionResults } of testResults) {
    const path = pathOf(name);
    for (const { fullName, status: outcome, failureMessages } of assertionResults) {
      if (outcome === 'passed') tests.set(`${path}: ${fullName}`, undefined);
      if (outcome === 'failed') tests.set(`${path}: ${fullName}`, shortened(failureMessages.join('\n')));
    }
    const saysWhy = assertionResults.some(({ status: outcome }) => outcome === 'failed');
    if (status === 'failed' && !saysWhy) broken.set(path, shortened(message));
  }
  return { tests, broken };
}

function pathOf(name: string): string {
  return relative(process.cwd(), name);
}

function shortened(text: string): string {
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line));
  return lines
    .slice(0, MAX_LINES)
    .map((line) => line.slice(0, MAX_LINE_LENGTH))
    .join('\n    ');
}
