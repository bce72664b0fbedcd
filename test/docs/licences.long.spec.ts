// The licenses of all installed dependencies are listed, and compatible with the library's own.

import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { FITTING, LICENCES, type Licensed, licences, licencesPage } from '../../scripts/docs/licences.js';

describe('docs/licences.md', () => {
  let all: Licensed[];
  beforeAll(async () => {
    all = await licences();
  });

  it('matches the installation: run `npm run docs` after changing it', () => {
    expect(withoutPadding(readFileSync(LICENCES, 'utf8'))).toBe(withoutPadding(licencesPage(all)));
  });

  it('contains only compatible licenses', () => {
    expect(all.filter(({ licence }) => !FITTING.includes(licence))).toEqual([]);
  });

  it('has every direct and transitive dependency of the package', () => {
    const description = JSON.parse(readFileSync('libs/rocketmq/package.json', 'utf8'));
    const { dependencies, devDependencies, peerDependencies } = description;
    const names = all.map(({ name }) => name);
    const direct = Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies });
    expect(names).toEqual(expect.arrayContaining(direct));
  });

  it('installs at most five packages, itself included', () => {
    expect(all.filter(({ how }) => how === 'dependency').length).toBeLessThanOrEqual(4);
  });
});

function withoutPadding(page: string): string {
  return page.replace(/ {2,}\|/g, ' |').replace(/-{3,}/g, '---');
}
