// Migrations of applications run the statements of a version, so a version that was released stays as its file has it.

import { readdirSync, readFileSync } from 'node:fs';
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

const EXAMPLES = 'docs/examples/databases';
const tablesIn = (sql: string): string[] =>
  [...sql.matchAll(/CREATE TABLE IF NOT EXISTS "(\w+)"/g)].map(([, name]) => name ?? '');

describe('the examples of databases', () => {
  it('migrate to the newest version', () => {
    const texts = readdirSync(`${EXAMPLES}/migrations`).map((name) =>
      readFileSync(join(EXAMPLES, 'migrations', name), 'utf8'),
    );
    const versions = texts.map((text) => Number(/toVersion: (\d+)/.exec(text)?.[1]));
    expect(versions).toEqual(texts.map(() => VERSIONS.length));
    const files = ['prisma/migrations/2_rocketmq/migration.sql', 'drizzle/migrations/0001_rocketmq.sql'];
    for (const file of files)
      expect(readFileSync(join(EXAMPLES, file), 'utf8').replaceAll('--> statement-breakpoint\n', '')).toBe(schemaSql());
  });

  it('name each table to Prisma, which drops what it does not know', () => {
    const config = readFileSync(`${EXAMPLES}/prisma/prisma.config.ts`, 'utf8');
    const named = [...config.matchAll(/'public\.(\w+)'/g)].map(([, name]) => name);
    expect(named.sort()).toEqual(tablesIn(schemaSql()).sort());
  });
});
