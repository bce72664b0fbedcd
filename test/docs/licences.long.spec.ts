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
    const { dependencies, peerDependencies } = JSON.parse(readFileSync('libs/rocketmq/package.json', 'utf8'));
    const names = all.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys({ ...dependencies, ...peerDependencies })));
  });

  it('brings no more than a dozen packages along', () => {
    expect(all.filter(({ isPeer }) => !isPeer).length).toBeLessThanOrEqual(12);
  });
});

function withoutPadding(page: string): string {
  return page.replace(/ {2,}\|/g, ' |').replace(/-{3,}/g, '---');
}
