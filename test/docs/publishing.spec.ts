// What a release needs: provenance, rights that are no more than needed, documents that say who to tell of a weakness.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const workflow = readFileSync('.github/workflows/publish.yml', 'utf8');
const library = JSON.parse(readFileSync('libs/rocketmq/package.json', 'utf8'));
const workspace = JSON.parse(readFileSync('package.json', 'utf8'));

describe('publishing', () => {
  it('is done with provenance, by the workflow and by whoever calls npm publish', () => {
    expect(library.publishConfig).toEqual({ access: 'public', provenance: true });
    expect(workflow).toMatch(/npm publish --workspace nestjs-rocketmq --provenance/);
    expect(workflow).toContain('id-token: write');
  });

  it('needs no secret, and no right to write', () => {
    expect(workflow).not.toMatch(/secrets\.|_TOKEN|contents: write|packages: write/);
  });

  it('runs scripts that there are, the tests among them', () => {
    const called = [...workflow.matchAll(/run: npm (?:run )?([\w:-]+)/g)].map(([, script = '']) => script);
    const scripts = called.filter((name) => !['ci', 'pkg', 'publish'].includes(name));
    expect(scripts).toContain('test');
    expect(scripts.filter((script) => workspace.scripts[script] === undefined)).toEqual([]);
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

  it('runs nothing when the package is installed', () => {
    const names = Object.keys(library.scripts);
    expect(names.filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
  });
});
