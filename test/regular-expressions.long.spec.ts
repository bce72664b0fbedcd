// No external input may block the process: a checker analyzes every regular expression of the sources for super-linear backtracking.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import typescript from 'typescript';

type Checker = typeof import('recheck');

/** The time limit for one expression, with all others in parallel on a busy machine. */
const TIMEOUT_MS = 60_000;
let checker: Checker;

beforeAll(async () => {
  // In this process, because a helper process would not be stopped.
  process.env.RECHECK_BACKEND = 'pure';
  checker = await import('recheck');
});

/** Why it is not linear; undefined if it is. */
function fault(pattern: string, flags: string): string | undefined {
  // What it reads is counted, because on a busy machine its own time limits find faults that are none.
  const counted = { incubationTimeout: null, attackTimeout: null };
  const { status, ...found } = checker.checkSync(pattern, flags, { timeout: TIMEOUT_MS, ...counted });
  if (status === 'safe') return undefined;
  return 'complexity' in found ? found.complexity?.summary : `${status}: it could not be judged`;
}

const sources = ['libs', 'apps']
  .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && /(?<!\.spec|\.d)\.ts$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((file) => !/\/(node_modules|dist|generated)\//.test(file));

interface Found {
  readonly file: string;
  readonly pattern: string;
  readonly flags: string;
}

function expressionsIn(file: string): Found[] {
  const found: Found[] = [];
  const look = (node: typescript.Node): void => {
    if (typescript.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      found.push({ file, pattern: node.text.slice(1, end), flags: node.text.slice(end + 1) });
    }
    typescript.forEachChild(node, look);
  };
  look(typescript.createSourceFile(file, readFileSync(file, 'utf8'), typescript.ScriptTarget.Latest, true));
  return found;
}

const expressions = sources.flatMap(expressionsIn);

describe('the regular expressions of the sources', () => {
  it('are all found', () => {
    expect(expressions.length).toBeGreaterThan(50);
    const made = sources.filter((file) => /\bRegExp\(/.test(readFileSync(file, 'utf8')));
    expect(made).toEqual([]);
  });

  it('are analyzed: the checker finds repeated scans of digits, and nested repetitions', () => {
    expect(fault('^(?:\\d+\\.?\\d*)x?$', '')).toContain('2nd degree polynomial');
    expect(fault('\\s*$', '')).toContain('2nd degree polynomial');
    expect(fault('^(?:a+)+$', '')).toContain('exponential');
    expect(fault('^\\d+(?:\\.\\d*)?x?$', '')).toBeUndefined();
  });

  it.each(expressions.map(({ file, pattern, flags }) => [`/${pattern}/${flags}`, file, pattern, flags] as const))(
    'read a text in a time that grows with its length: %s in %s',
    (_, __, pattern, flags) => {
      expect(fault(pattern, flags)).toBeUndefined();
    },
    2 * TIMEOUT_MS,
  );
});
