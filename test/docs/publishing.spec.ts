// The requirements of a release: provenance, minimal permissions, and documents that state how to report a vulnerability.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const workflow = readFileSync('.github/workflows/publish.yml', 'utf8');
const library = JSON.parse(readFileSync('libs/rocketmq/package.json', 'utf8'));
const workspace = JSON.parse(readFileSync('package.json', 'utf8'));

/** The text of each job. */
const jobs = new Map(
  workflow
    .slice(workflow.indexOf('\njobs:\n') + '\njobs:\n'.length)
    .split(/^ {2}(?=\w+:\n)/m)
    .filter((job) => job !== '')
    .map((job) => [job.slice(0, job.indexOf(':')), job]),
);

describe('publishing', () => {
  it('uses provenance, in the workflow and with a manual npm publish', () => {
    expect(library.publishConfig).toEqual({ access: 'public', provenance: true });
    expect(jobs.get('publish')).toMatch(/npm publish "\.\/\$ARCHIVE" --provenance --access public --ignore-scripts/);
    expect(jobs.get('publish')).toContain('id-token: write');
  });

  it('needs no secret and no write permission', () => {
    expect(workflow).not.toMatch(/secrets\.|_TOKEN|contents: write|packages: write/);
  });

  it('is done by a job that runs no code of the repository or its dependencies, and publishes the result of another job', () => {
    const [build = '', publish = ''] = ['build', 'publish'].map((name) => jobs.get(name));
    expect([...jobs.keys()]).toEqual(['build', 'publish']);
    expect(build).not.toMatch(/id-token|environment:/);
    expect(publish).not.toMatch(/actions\/checkout|npm (ci|install|run|test|exec)|npx|node /);
    expect(publish).toMatch(/needs: build\n/);
    expect(publish).toMatch(/sha256sum --check --strict/);
  });

  it('pins actions to commits, and installs without scripts', () => {
    const uses = [...workflow.matchAll(/uses: (.+)/g)].map(([, action = '']) => action);
    expect(uses.length).toBeGreaterThan(3);
    expect(uses.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
    const installs = [...workflow.matchAll(/npm (?:ci|install).*/g)].map(([command]) => command);
    expect(installs).toEqual(['npm ci --ignore-scripts']);
  });

  it('runs existing scripts, including the tests, and packs the build', () => {
    const called = [...workflow.matchAll(/run: npm (?:run )?([\w:-]+)/g)].map(([, script = '']) => script);
    const scripts = called.filter((name) => !['ci', 'pkg', 'publish'].includes(name));
    expect(scripts).toEqual(expect.arrayContaining(['build', 'test']));
    expect(scripts.filter((script) => workspace.scripts[script] === undefined)).toEqual([]);
    expect(workflow.indexOf('npm run build')).toBeLessThan(workflow.indexOf('npm pack'));
  });

  it.each(['package-lock.json', 'bench/package-lock.json', 'docs/site/package-lock.json'])(
    '%s says what is installed by its digest, not from where',
    (file) => {
      const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
        packages: Record<string, { resolved?: string }>;
      };
      const hosts = Object.values(packages).flatMap(({ resolved = '' }) => (/^\w+:/.test(resolved) ? [resolved] : []));
      expect(hosts).toEqual([]);
    },
  );

  it('has no install scripts', () => {
    const names = Object.keys(library.scripts);
    expect(names.filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
  });
});
