// The workflows of the public repository: what they may do, and that what they call exists.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { CHECKS } from '../checks.js';
import { PROJECTS } from './matrix.js';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly 'timeout-minutes'?: number;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly (string | number)[]>> };
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = '.github/workflows';
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Readonly<Record<string, string>> };

describe.each(readdirSync(folder))('%s', (file) => {
  const text = readFileSync(join(folder, file), 'utf8');
  const { permissions, jobs } = parse(text) as Workflow;
  const steps = Object.values(jobs).flatMap((job) => job.steps);

  it('may only read, unless a job says what else', () => {
    expect(permissions).toEqual({ contents: 'read' });
    const more = Object.values(jobs).flatMap((job) => Object.keys(job.permissions ?? {}));
    expect(more.filter((name) => !['id-token', 'pages'].includes(name))).toEqual([]);
    expect(text).not.toMatch(/secrets\.|_TOKEN|pull_request_target/);
  });

  it('pins actions to commits, and leaves no credentials behind', () => {
    const uses = [...text.matchAll(/uses: (.+)/g)].map(([, action = '']) => action);
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
    const checkouts = steps.filter(({ uses: action = '' }) => action.startsWith('actions/checkout@'));
    for (const checkout of checkouts) expect(checkout.with?.['persist-credentials']).toBe(false);
  });

  it('ends each job in time', () => {
    for (const job of Object.values(jobs)) expect(job['timeout-minutes']).toBeLessThanOrEqual(350);
  });

  it('calls scripts that exist', () => {
    const called = steps.flatMap(({ run = '' }) =>
      [...run.matchAll(/npm (?:run )?([\w:-]+)/g)].map(([, name = '']) => name),
    );
    const ours = called.filter((name) => !['ci', 'install', 'pkg', 'pack', 'publish'].includes(name));
    expect(ours.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it('runs checks that exist', () => {
    const called = [...text.matchAll(/npm run (?:--silent )?check ([\w-]+)/g)].map(([, name = '']) => name);
    expect(CHECKS.map(({ name }) => name)).toEqual(expect.arrayContaining(called));
  });

  it('passes no expression to a shell, where a name of a branch could be code', () => {
    for (const { run = '' } of steps) expect(run).not.toContain('${{');
  });
});

describe('checks.yml', () => {
  const { jobs } = parse(readFileSync(join(folder, 'checks.yml'), 'utf8')) as Workflow;

  it('runs tests and packed projects on each supported Node.js, and each Nest', () => {
    const nodes = ['tests', 'packed'].map((name) => jobs[name]?.strategy?.matrix.node);
    expect(nodes).toEqual([
      [20, 22, 24],
      [20, 22, 24],
    ]);
    expect(jobs.packed?.strategy?.matrix.projects).toEqual(expect.arrayContaining(PROJECTS.map(({ name }) => name)));
  });
});

it.each([
  ['checks.yml', 'packed', 'npm run check pack -- --only "$PROJECTS"'],
  ['nightly.yml', 'gate', '.ci/run --full'],
])(
  '%s installs npm 11 before it packs, because npm 10 cannot install Vitest 4 (npm/cli#9787)',
  (file, name, packing) => {
    const { jobs } = parse(readFileSync(join(folder, file), 'utf8')) as Workflow;
    const commands = jobs[name]?.steps.map(({ run }) => run) ?? [];
    expect(commands).toContain('npm install --global npm@11');
    expect(commands.indexOf('npm install --global npm@11')).toBeLessThan(commands.indexOf(packing));
  },
);
