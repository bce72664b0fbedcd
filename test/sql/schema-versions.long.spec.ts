// Migrations of applications run the statements of a version, so a version that was released stays as its file has it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { type DialectName, schemaSql } from 'nestjs-rocketmq/sql';

/** Versions that were released. A new one gets a file for each dialect; the files of the others never change. */
const VERSIONS = [1, 2, 3];

describe.each<DialectName>(['postgresql', 'mysql'])('the tables for %s', (dialect) => {
  it.each(VERSIONS)('of version %i are as they were', (version) => {
    const file = join('test/sql/schema-versions', `${dialect}-${version}.sql`);
    expect(schemaSql({ dialect, fromVersion: version - 1, toVersion: version })).toBe(readFileSync(file, 'utf8'));
  });

  it('have no version without a file', () => {
    const all = VERSIONS.map((version) => schemaSql({ dialect, fromVersion: version - 1, toVersion: version }));
    expect(schemaSql({ dialect })).toBe(all.join(''));
  });

  it('reject versions that do not exist', () => {
    const newest = VERSIONS.length;
    for (const toVersion of [newest + 1, -1, 0.5, Number.NaN])
      expect(() => schemaSql({ dialect, toVersion })).toThrow('ILLEGAL_OPTION');
    expect(() => schemaSql({ dialect, fromVersion: newest + 1 })).toThrow('ILLEGAL_OPTION');
    expect(() => schemaSql({ dialect, fromVersion: 1, toVersion: 0 })).toThrow('ILLEGAL_OPTION');
  });
});
