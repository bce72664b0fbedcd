// The requirements of a release: provenance, minimal permissions, and documents that state how to report a vulnerability.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const workflow = readFileSync('.github/workflows/publish.yml', 'utf8');
const manifestOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const library = manifestOf('libs/rocketmq');
const pages = manifestOf('libs/console');

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
    for (const { publishConfig } of [library, pages])
      expect(publishConfig).toEqual({ access: 'public', provenance: true });
    expect(jobs.get('publish')).toMatch(
      /npm publish "\.\/\$PACKAGE-\$\{GITHUB_REF_NAME#v\}\.tgz" --provenance --access public --ignore-scripts/,
    );
    expect(jobs.get('publish')).toContain('id-token: write');
  });

  it('publishes the library and then the console, in one version that every workspace asks for', () => {
    expect(jobs.get('publish')).toContain(`package: [${library.name}, ${pages.name}]`);
    expect(jobs.get('publish')).toContain('max-parallel: 1');
    const versions: Record<string, string> = { [library.name]: library.version, [pages.name]: library.version };
    expect(pages.version).toBe(library.version);
    for (const folder of ['libs/console', 'libs/demo-kit', 'apps/order-demo', 'apps/inventory-demo']) {
      const { dependencies, peerDependencies } = manifestOf(folder);
      const asked = Object.entries({ ...dependencies, ...peerDependencies }).filter(([name]) => name in versions);
      expect([folder, asked]).toEqual([folder, asked.map(([name]) => [name, `^${versions[name]}`])]);
    }
  });

  it('has nothing "Unreleased" before the first release, which publish.yml rejects while the packages name no repository', () => {
    if (library.repository !== undefined) return;
    expect(readFileSync('CHANGELOG.md', 'utf8')).toContain(`## [Unreleased]\n\n## [${library.version}] - `);
  });

  it('needs no secret and no write permission', () => {
    expect(workflow).not.toMatch(/secrets\.|_TOKEN|contents: write|packages: write/);
  });

  it('is done by a job that runs no code of the repository or its dependencies, and publishes the result of another job', () => {
    const [build = '', publish = ''] = ['build', 'publish'].map((name) => jobs.get(name));
    expect([...jobs.keys()]).toEqual(['build', 'contract', 'publish']);
    expect(build + jobs.get('contract')).not.toMatch(/id-token|environment:/);
    expect(publish).not.toMatch(/actions\/checkout|npm (ci|install|run|test|exec)|npx|node /);
    expect(publish).toMatch(/needs: \[build, contract\]\n/);
    expect(publish).toMatch(/sha256sum --check --strict/);
  });

  it('installs without scripts', () => {
    const installs = [...workflow.matchAll(/npm (?:ci|install).*/g)].map(([command]) => command);
    expect(installs).toEqual(['npm ci --ignore-scripts', 'npm ci --ignore-scripts']);
  });

  it('tests before it packs the build', () => {
    expect(workflow.indexOf('npm test')).toBeLessThan(workflow.indexOf('npm pack'));
    expect(workflow.indexOf('npm run build')).toBeLessThan(workflow.indexOf('npm pack'));
  });

  it.each(['package-lock.json', 'checks/bench/package-lock.json', 'docs/site/package-lock.json'])(
    '%s says what is installed by its digest, not from where',
    (file) => {
      const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
        packages: Record<string, { resolved?: string }>;
      };
      const hosts = Object.values(packages).flatMap(({ resolved = '' }) => (/^\w+:/.test(resolved) ? [resolved] : []));
      expect(hosts).toEqual([]);
    },
  );

  it.each([library, pages])('$name has no install scripts', ({ scripts }) => {
    const names = Object.keys(scripts);
    expect(names.filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
  });
});
