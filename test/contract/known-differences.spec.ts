// Checks that the list of known differences names existing cases. Every run checks that each of them still differs (support/contract.ts).

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { KNOWN_DIFFERENCES } from './support/known-differences.js';

const sources = ['test/contract', 'test/real', 'test/alone', 'test/secured']
  .map((folder) => resolve(folder))
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.startsWith('support'))
      .map((path) => readFileSync(join(folder, path), 'utf8')),
  )
  .join('\n');

/** Rows of the error catalogue are named `RPC: row`, and some end with the name that they test. */
function isDeclared(title: string): boolean {
  const row = title.replace(/^[^:]+: /, '').replace(/[A-Z_]+$/, '');
  return sources.includes(title) || sources.includes(row);
}

describe('the list of known differences', () => {
  it('names cases that exist', () => {
    const titles = new Set(KNOWN_DIFFERENCES.map(({ title }) => title));
    expect([...titles].filter((title) => !isDeclared(title))).toEqual([]);
  });

  it('has at most one entry for a case, a version and a transport', () => {
    const keys = KNOWN_DIFFERENCES.flatMap(
      ({ title, backend, before = 'any', versions = [before], transports = ['any'] }) =>
        versions.flatMap((version) => transports.map((transport) => `${backend} ${version} ${transport} ${title}`)),
    );
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });
});
