// The gate: what it runs exists, every check has its place, and failures count, also those that pass when they run once more.

import { describe, expect, it } from '@jest/globals';
import { CHECKS } from '../checks.js';
import { valuesIn } from '../options.js';
import { contractCasesOf, countsOf, type JestResults } from './counts.js';
import { specs } from './main.js';
import { LEFT_OUT, type Stage, stagesOf } from './stages.js';

const SPECS = specs();
const HERE = { postgresql: true, mariadb: true, mysql: true, cargo: true };
const usual = stagesOf({ full: false, seed: 7, specs: SPECS, has: HERE });
const full = stagesOf({ full: true, seed: 7, specs: SPECS, has: HERE });
/** Their figures are for people. */
const MEASURED = ['growth', 'retention', 'backlog'];

const commandsOf = (stages: readonly Stage[]) =>
  stages.flatMap((stage) => {
    if (stage.kind === 'same-contract') return [];
    return stage.kind === 'commands' ? stage.commands : [stage.command];
  });

const checksOf = (stages: readonly Stage[]) =>
  commandsOf(stages).flatMap(([, ...words]) => {
    const own = words.slice(words.indexOf('--') + 1);
    if (words.includes('check')) return [{ name: own[0] ?? '', args: own.slice(1) }];
    return words.includes('test:rocketmq') ? [{ name: 'rocketmq', args: own }] : [];
  });

describe('the stages of the gate', () => {
  it('have every check that judges', () => {
    const named = new Set(checksOf(full).map(({ name }) => name));
    const others = CHECKS.map(({ name }) => name).filter((name) => name !== 'gate' && !MEASURED.includes(name));
    expect([...named].sort()).toEqual(others.sort());
  });

  it.each([
    ['usual', usual],
    ['full', full],
  ])('have names of their own, and options that the checks take: %s', (_, stages) => {
    const names = stages.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, args } of checksOf(stages)) {
      const check = CHECKS.find((one) => one.name === name);
      expect(() => valuesIn(check?.options ?? {}, args, check?.rest !== undefined)).not.toThrow();
    }
  });

  it('name suites that exist', () => {
    const paths = commandsOf([...usual, ...full])
      .flat()
      .filter((word) => /^(apps|checks|libs|scripts|test|tools)\//.test(word));
    expect(paths.length).toBeGreaterThan(0);
    expect(paths.filter((path) => !SPECS.some((spec) => spec.startsWith(path)))).toEqual([]);
    expect(LEFT_OUT.filter((end) => !SPECS.some((spec) => spec.endsWith(end)))).toEqual([]);
  });

  it('leave no suite out when all runs', () => {
    const long = full.find(({ name }) => name === 'tests-long');
    const named: readonly string[] = long?.kind === 'suite' ? long.command : [];
    expect(SPECS.filter((path) => path.endsWith('.long.spec.ts') && !named.includes(path))).toEqual([]);
  });
});

const result = (name: string, outcomes: Record<string, string | undefined>, message = ''): JestResults => ({
  testResults: [
    {
      name: `${process.cwd()}/${name}`,
      status: message === '' && Object.values(outcomes).every((said) => said === undefined) ? 'passed' : 'failed',
      message,
      startTime: 0,
      endTime: 1_000,
      assertionResults: Object.entries(outcomes).map(([fullName, said]) => ({
        fullName,
        status: said === undefined ? 'passed' : 'failed',
        failureMessages: said === undefined ? [] : [said],
      })),
    },
  ],
});

describe('the counts of a suite', () => {
  it('name what failed, and what it said', () => {
    expect(countsOf(result('a.spec.ts', { one: undefined, two: 'was 1\n\n    at Object (a.spec.ts:1)' }))).toEqual({
      passed: 1,
      failed: 1,
      names: ['a.spec.ts: two: was 1'],
    });
  });

  it('have what passed only when it ran once more as a failure', () => {
    const first = result('a.spec.ts', { one: undefined, two: 'was 1' });
    expect(countsOf(first, result('a.spec.ts', { two: undefined }))).toEqual({
      passed: 1,
      failed: 1,
      names: ['a.spec.ts: two: passed when it ran once more; before: was 1'],
    });
  });

  it('have a file that did not get to its tests as a failure', () => {
    const first = result('a.spec.ts', {}, 'cannot be imported');
    expect(countsOf(first)).toEqual({ passed: 0, failed: 1, names: ['a.spec.ts: cannot be imported'] });
    const { failed, names } = countsOf(first, result('a.spec.ts', { one: undefined }));
    expect({ failed, names }).toEqual({
      failed: 1,
      names: ['a.spec.ts: passed when it ran once more; before: cannot be imported'],
    });
  });

  it('compare the contract by its cases', () => {
    expect(contractCasesOf(result('test/contract/a.spec.ts', { two: undefined, one: undefined }))).toEqual([
      'one',
      'two',
    ]);
    expect(contractCasesOf(result('test/real/a.spec.ts', { one: undefined }))).toEqual([]);
  });
});
