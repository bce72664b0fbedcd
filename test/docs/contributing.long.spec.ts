// The walks through the code in CONTRIBUTING.md name every source file that their example is in.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const text = readFileSync('CONTRIBUTING.md', 'utf8');

const PLACES = ['libs/rocketmq/src', 'scripts/docs', 'docs/guide', 'docs/reference'];

/** The paths that a walk names, in its order. */
function filesOf(walk: string): readonly string[] {
  const from = text.indexOf(walk);
  const lines = text.slice(from).split('\n\n').slice(0, 2).join('\n');
  return [...lines.matchAll(/`((?:libs|scripts|test|docs)\/[\w./-]+\.\w+)`/g)].map(([, path = '']) => path);
}

/** The source files that have a word, without tests, and the pages of options. */
function filesWith(word: string, among: readonly string[]): readonly string[] {
  const found = execFileSync('git', ['grep', '-lw', word, '--', ...among], { encoding: 'utf8' });
  return found.split('\n').filter((path) => path !== '' && !path.endsWith('.spec.ts'));
}

describe.each([
  { walk: 'A consumer option, as', word: 'ackBatchSize', most: 10 },
  { walk: 'A consumer option, as', word: 'handlerTimeoutMs', most: 9, among: ['libs/rocketmq/src'] },
  { walk: 'An admin call, as', word: 'brokerClocks', most: 6, among: ['libs/rocketmq/src'] },
])('$walk $word', ({ walk, word, most, among = PLACES }) => {
  const files = filesOf(walk);

  it('names files that exist', () => {
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('names every source file that has it, and they are few', () => {
    const sources = filesWith(word, among);
    expect(sources.length).toBeLessThanOrEqual(most);
    expect(files).toEqual(expect.arrayContaining([...sources]));
  });
});
