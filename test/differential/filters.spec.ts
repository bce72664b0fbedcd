// The filters of the embedded broker, and those by tag of the client, beside the results of a real server in filters.json.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { compileSqlFilter, SqlFilterError } from '../../libs/rocketmq/src/broker/filter/sql-filter.js';
import { Filters } from '../../libs/rocketmq/src/broker/services/filters.js';
import { AnswerError } from '../../libs/rocketmq/src/broker/services/status.js';
import type { StoredMessage } from '../../libs/rocketmq/src/broker/store/records.js';
import { FilterType } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { FILTERS, MESSAGES } from './filter-cases.js';

/** A digit for each message, 1 where it matches; or `rejected`. */
type Results = string;

interface Table {
  readonly version: string;
  readonly messages: readonly Readonly<Record<string, string>>[];
  readonly tags: readonly (readonly [string, Results])[];
  readonly sql: readonly (readonly [string, Results])[];
}

const table: Table = JSON.parse(readFileSync(new URL('filters.json', import.meta.url), 'utf8'));

function resultsOf(matches: (properties: Readonly<Record<string, string>>) => boolean): Results {
  return table.messages.map((properties) => (matches(properties) ? '1' : '0')).join('');
}

function byTag(expression: string): Results {
  try {
    const { matches } = new Filters().of({ type: FilterType.TAG, expression });
    return resultsOf(({ TAGS: tag }) => matches({ tag } as StoredMessage));
  } catch (error) {
    if (error instanceof AnswerError) return 'rejected';
    throw error;
  }
}

function bySql(expression: string): Results {
  try {
    const matches = compileSqlFilter(expression);
    return resultsOf((properties) =>
      matches((name) => (Object.hasOwn(properties, name) ? (properties[name] ?? null) : null)),
    );
  } catch (error) {
    if (error instanceof SqlFilterError) return 'rejected';
    throw error;
  }
}

/** The real server reads a complete expression and ignores what is behind it, where this broker rejects the whole. */
function isReadInPart(expression: string, real: Results): boolean {
  return Array.from(expression).some((_, length) => bySql(expression.slice(0, length)) === real);
}

describe('the table of filters', () => {
  it('has the results of 5.5.0 for all cases; otherwise run `npm run filters`', () => {
    const { version, messages, tags, sql } = table;
    const first = (rows: Table['sql']) => rows.map(([expression]) => expression);
    expect({ version, messages, tags: first(tags), sql: first(sql) }).toEqual({
      version: '5.5.0',
      messages: MESSAGES,
      ...FILTERS,
    });
  });
});

describe('filters by tag', () => {
  it('match what they match on a real server, and are rejected where it rejects them', () => {
    expect(table.tags.map(([expression]) => [expression, byTag(expression)])).toEqual(table.tags);
  });
});

describe('filters by SQL92', () => {
  const differing = table.sql.filter(([expression, real]) => bySql(expression) !== real);

  it('match what they match on a real server, but for text behind a complete expression, which is rejected', () => {
    const wrong = differing.filter(
      ([expression, real]) => bySql(expression) !== 'rejected' || !isReadInPart(expression, real),
    );
    expect(wrong).toEqual([]);
  });

  it('differ there: a leading zero ends a number, and a filter ends with a mistake', () => {
    const expressions = differing.map(([expression]) => expression);
    expect(expressions).toEqual(expect.arrayContaining(['a = 05', 'a = 0x10', "a = '1' garbage", "a LIKE '1%'"]));
  });
});
