// The gate: what it runs exists, every check has its place, and failures count, also those that pass when they run once more.

import { existsSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { CHECKS } from '../checks.js';
import { valuesIn } from '../options.js';
import { affectedStages, reachedFrom, readImports } from './affected.js';
import { contractCasesOf, countsOf, type JestResults } from './counts.js';
import { inLanes, specs } from './main.js';
import { READS, STARTS } from './reads.js';
import { type About, LEFT_OUT, type Stage, stagesInTurn, stagesOf } from './stages.js';

const SPECS = specs();
const HERE = { postgresql: true, mariadb: true, mysql: true, cargo: true };
const COMMIT: About = { full: false, seed: 7, specs: SPECS, has: HERE };
const usual = stagesOf(COMMIT);
const full = stagesOf({ ...COMMIT, full: true });
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

  it('have a turn within twelve commits, whatever runs in turn', () => {
    const commits = Array.from({ length: 12 }, (_, seed) => stagesOf({ full: false, seed, specs: SPECS, has: HERE }));
    const names = new Set(commits.flat().map(({ name }) => name));
    const outages = ['chaos', 'alone', 'restarts'];
    const older = ['5.3.3-http2', '5.3.3-grpc-js', '4.9.7-remoting', '4.5.2-remoting'];
    const inTurn = [outages, ['soak', 'crash', 'fuzz', 'secured'], older];
    expect([...names]).toEqual(expect.arrayContaining(inTurn.flat()));
    for (const stages of commits) {
      const own = new Set(stages.map(({ name }) => name));
      expect(inTurn.map((some) => some.filter((name) => own.has(name)).length)).toEqual([1, 1, 1]);
    }
    const clients = commits.flatMap((stages) => checksOf(stages).filter(({ name }) => name === 'interop'));
    expect(new Set(clients.map(({ args }) => args.at(-1)))).toEqual(new Set(['java', 'node,tools,mixed']));
  });

  it('leave no suite out when all runs', () => {
    const long = full.find(({ name }) => name === 'tests-long');
    const named: readonly string[] = long?.kind === 'suite' ? long.command : [];
    expect(SPECS.filter((path) => path.endsWith('.long.spec.ts') && !named.includes(path))).toEqual([]);
  });
});

describe('the order of the stages', () => {
  const stage = (name: string): Stage => ({ kind: 'same-contract', name });

  it('has two at a time, and those beside nothing that have to be alone', async () => {
    const running = new Set<string>();
    const seen: string[] = [];
    const ends = new Map<string, () => void>();
    const stages = [
      stage('a'),
      stage('b'),
      stage('c'),
      { ...stage('d'), isAlone: true as const },
      stage('e'),
      stage('f'),
    ];
    const over = inLanes(stages, async ({ name }) => {
      running.add(name);
      seen.push([...running].join(' '));
      await new Promise<void>((resolve) => ends.set(name, resolve));
      running.delete(name);
    });
    for (const name of ['b', 'a', 'c', 'd', 'f', 'e']) {
      ends.get(name)?.();
      // What comes next has begun.
      await new Promise(setImmediate);
    }
    await over;
    expect(seen).toEqual(['a', 'a b', 'a c', 'd', 'e', 'e f']);
  });

  it('ends with the first that cannot run', async () => {
    const broken = inLanes([stage('a'), stage('b'), stage('c')], async ({ name }) => {
      if (name === 'a') throw new Error('no such program');
    });
    await expect(broken).rejects.toThrow('no such program');
  });
});

describe('the stages that a change can break', () => {
  const imports = readImports();
  const inTurn = stagesInTurn(COMMIT).flat();
  const stagesAfter = (...changed: string[]) =>
    affectedStages(usual, { changed, specs: SPECS, imports, checks: CHECKS, inTurn, full });
  const namesAfter = (...changed: string[]) => stagesAfter(...changed).map(({ name }) => name);
  const suitesOf = (stages: readonly Stage[], name: string): readonly string[] => {
    const stage = stages.find((one) => one.name === name);
    return stage?.kind === 'suite' ? stage.command.filter((word) => word.endsWith('.spec.ts')) : [];
  };

  it('follow imports, also of types, of packages by their names, and those that are lazy', () => {
    const graph = new Map([
      ['a.ts', ['b.ts']],
      ['b.ts', ['c.ts']],
      ['d.ts', ['a.ts']],
      ['e.ts', []],
    ]);
    expect([...reachedFrom(['c.ts'], graph)].sort()).toEqual(['a.ts', 'b.ts', 'c.ts', 'd.ts']);
    expect(imports.get('checks/soak/main.ts')).toContain('libs/rocketmq/src/entries/client.ts');
    expect(imports.get('checks/soak/check.ts')).toContain('checks/soak/main.ts');
  });

  it('are few for a room that little depends on', () => {
    const stages = stagesAfter('libs/console/src/cluster/lag-trend.ts');
    expect(suitesOf(stages, 'tests-long')).toContain('libs/console/src/cluster/cluster-watch.long.spec.ts');
    expect(suitesOf(stages, 'tests').some((path) => path.startsWith('libs/rocketmq/src/consumer'))).toBe(false);
    const names = stages.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['lint', 'types', 'browser', 'pack']));
    expect(names).not.toContain('soak');
    expect(names).not.toContain('interop');
  });

  it('have the contract on every server for what the client sends', () => {
    const stages = stagesAfter('libs/rocketmq/src/producer/sending/send-lane.ts');
    expect(suitesOf(stages, 'rocketmq')).toContain('test/contract/sending.spec.ts');
    const grpcJs = suitesOf(stages, 'tests-grpc-js');
    expect(grpcJs).toContain('test/contract/sending.spec.ts');
    expect(grpcJs.every((path) => /^test\/(client|contract)\//.test(path))).toBe(true);
    expect(suitesOf(stages, 'secured').every((path) => path.startsWith('test/secured/'))).toBe(true);
    expect(suitesOf(stages, 'tests').filter((path) => path.endsWith('.long.spec.ts'))).toEqual([]);
    expect(stages.map(({ name }) => name)).toEqual(expect.arrayContaining(['interop', 'simulation']));
  });

  it.each([
    ['.github/workflows/checks.yml', ['checks/pack/workflows.long.spec.ts', 'test/docs/publishing.long.spec.ts']],
    ['test/sql/support/crash-program.ts', ['test/sql/kills.long.spec.ts', 'test/sql/record.long.spec.ts']],
    ['test/sql/support/schedule-program.ts', ['test/sql/schedule-kills.long.spec.ts']],
    ['test/sql/support/limit-program.ts', ['test/sql/limit-kills.long.spec.ts']],
    ['test/sql/schema-versions/mysql-2.sql', ['test/sql/schema-versions.long.spec.ts']],
    [
      'libs/rocketmq/templates/shop/README.md',
      ['libs/rocketmq/src/cli/new-command.long.spec.ts', 'libs/rocketmq/src/cli/new-template.long.spec.ts'],
    ],
    ['libs/rocketmq/bin/nestjs-rocketmq.js', ['checks/crash/without-lmdb.long.spec.ts']],
    ['libs/rocketmq/schematics/collection.json', ['libs/rocketmq/src/schematics/schematics.long.spec.ts']],
    ['compose.yaml', ['libs/rocketmq/src/schematics/schematics.long.spec.ts']],
    ['libs/console/web/tables.css', ['libs/console/src/attacks.long.spec.ts']],
    ['libs/rocketmq/src/broker/engine/send.ts', ['checks/simulation/mutations.long.spec.ts']],
  ])('have what reads a file that nothing imports: %s', (changed, readers) => {
    expect(existsSync(changed)).toBe(true);
    expect(suitesOf(stagesAfter(changed), 'tests-long')).toEqual(expect.arrayContaining(readers));
  });

  it('know readers and files that exist', () => {
    const paths = [READS, STARTS].flatMap((uses) => [...Object.keys(uses), ...Object.values(uses).flat()]);
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });

  it.each(['soak', 'crash', 'fuzz', 'chaos'])(
    'have the check %s when it has changed itself, whoever has the turn',
    (name) => {
      expect(namesAfter(`checks/${name}/main.ts`)).toContain(name);
      // Where all that it judges has changed, it waits for its turn.
      const after = namesAfter('libs/rocketmq/src/support/clock.ts');
      expect(after.includes(name)).toBe(usual.some((stage) => stage.name === name));
    },
  );

  it.each([
    ['checks/http2/main.ts', 'http2'],
    ['checks/http2/go/main.go', 'http2'],
    ['checks/model/main.ts', 'model'],
    ['checks/deploy/dockerfile/main.ts', 'dockerfile'],
    ['checks/simulation/mutations.ts', 'mutations'],
    ['checks/bench/ratios.json', 'bench'],
    ['checks/bench/load/main.ts', 'load'],
  ])('have a check of --full when it has changed itself, for its usual time: %s', (changed, name) => {
    expect(existsSync(changed)).toBe(true);
    const stage = stagesAfter(changed).find((one) => one.name === name);
    expect(commandsOf(stage === undefined ? [] : [stage]).map((words) => words.includes('--long'))).toEqual([false]);
    expect(usual.map((one) => one.name)).not.toContain(name);
    expect(namesAfter('libs/rocketmq/src/support/clock.ts')).not.toContain(name);
  });

  it('have none of these for their pages and specs', () => {
    expect(namesAfter('checks/model/README.md', 'checks/bench/load.spec.ts')).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(model|bench)$/)]),
    );
    expect(namesAfter('checks/simulation/main.ts')).not.toContain('mutations');
  });

  it('have a suite that has changed itself, whatever has the turn and however long it takes', () => {
    expect(suitesOf(stagesAfter('test/alone/order-flow.spec.ts'), 'alone').length).toBeGreaterThan(0);
    const [leftOut = ''] = SPECS.filter((path) => LEFT_OUT.some((end) => path.endsWith(end)));
    expect(suitesOf(stagesAfter(leftOut), 'tests-long')).toContain(leftOut);
    expect(suitesOf(stagesAfter('libs/rocketmq/src/support/clock.ts'), 'tests-long')).not.toContain(leftOut);
  });

  it('are the documents and their suites for a page, and all for what everything stands on', () => {
    const names = namesAfter('docs/guide/testing.md');
    expect(names).toEqual(['codegen', 'build', 'types', 'lint', 'dead', 'tests-long', 'tests', 'docs']);
    expect(namesAfter('package-lock.json')).toEqual(usual.map(({ name }) => name));
    expect(namesAfter('tools/ports.ts')).toEqual(usual.map(({ name }) => name));
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
