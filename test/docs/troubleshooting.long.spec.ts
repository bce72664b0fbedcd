// The page has a row for every error code, with its meaning and what to do.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Code } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { STATUS_MEANINGS } from '../../libs/rocketmq/src/protocol/grpc/status.js';
import { errorCodes } from './error-codes.js';

const codes = errorCodes();
const page = readFileSync('docs/guide/troubleshooting.md', 'utf8');
const rows = [...page.matchAll(/^\| (.+) \|$/gm)].map(([, row = '']) =>
  row.split(/(?<!\\)\|/).map((cell) => cell.trim()),
);

describe('docs/guide/troubleshooting.md', () => {
  it('explains each error code of the library and what to do', () => {
    const explained = new Set(
      rows.filter((row) => row.length === 3 && row.every((cell) => cell !== '')).map(([code]) => code),
    );
    const missing = [...codes].filter(([code]) => !explained.has(`\`${code}\``));
    expect(missing.map(([code, file]) => `${code} (${file})`)).toEqual([]);
  });

  it('knows no error code that the library does not throw', () => {
    const listed = rows
      .filter((row) => row.length === 3)
      .flatMap(([code = '']) => /^`([A-Z0-9_]+)`$/.exec(code)?.[1] ?? []);
    expect(listed.filter((code) => !codes.has(code))).toEqual([]);
    expect(listed.length).toBeGreaterThan(100);
  });

  it('lists each code of the server with its number, whether it took effect and whether to retry', () => {
    const listed = rows.filter((row) => row.length === 6 && /^\d+$/.test(row[0] ?? '')).map((row) => row.slice(0, 4));
    const known = [...STATUS_MEANINGS].map(([code, { outcome, retryable }]) => [
      String(code),
      `\`${Code[code]}\``,
      outcome,
      retryable ? 'yes' : 'no',
    ]);
    expect(listed).toEqual(known.sort(([a], [b]) => Number(a) - Number(b)));
  });

  it('finds codes in every notation of the sources', () => {
    for (const code of ['ILLEGAL_MESSAGE_GROUP', 'CLOSED', 'TRANSACTION_FENCED', 'TOPIC_NOT_FOUND', 'SYSTEM_BUSY']) {
      expect(codes.has(code)).toBe(true);
    }
  });
});
