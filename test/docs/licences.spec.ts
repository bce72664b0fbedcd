// The licences of all that an installation brings along are listed, and fit the library's own.

import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { FITTING, LICENCES, type Licensed, licences, licencesPage } from '../../scripts/docs/licences.mjs';

describe('docs/licences.md', () => {
  let all: Licensed[];
  beforeAll(async () => {
    all = await licences();
  });

  it('is what is installed: run `npm run docs` when that has changed', () => {
    expect(withoutPadding(readFileSync(LICENCES, 'utf8'))).toBe(withoutPadding(licencesPage(all)));
  });

  it('names licences that fit', () => {
    expect(all.filter(({ licence }) => !FITTING.includes(licence))).toEqual([]);
  });

  it('has every dependency of the package, and theirs', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync('libs/rocketmq/package.json', 'utf8'));
    const names = all.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys({ ...dependencies, ...peerDependencies })));
    // What @grpc/grpc-js brings along.
    expect(names).toContain('@grpc/proto-loader');
  });
});

function withoutPadding(page: string): string {
  return page.replace(/ {2,}\|/g, ' |').replace(/-{3,}/g, '---');
}
