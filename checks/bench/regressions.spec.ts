// The check that the library has not become slower.

import { describe, expect, it } from '@jest/globals';
import { Figures } from './lib/figures.js';
import { keptRatios, ratiosOf, regressions, WATCHED } from './regressions.js';

const CPU: Readonly<Record<string, number>> = { ours: 60, lean: 40, node: 120 };

function figures(factors: readonly number[]): Figures {
  const runs = factors.flatMap((factor, round) =>
    WATCHED.sections.flatMap((section) =>
      WATCHED.columns.map((column) => {
        const cpuMicros = (CPU[column] ?? 0) * (column === 'ours' ? factor : 1) * (round + 1);
        return { section, column, round, load: 1, figures: { cpuMicros } };
      }),
    ),
  );
  return new Figures(runs);
}

const COMMITTED = { 'send-64': { lean: 1.5, node: 0.5 }, drain: { lean: 1.5, node: 0.5 } };

describe('bench -- --check', () => {
  it('compares within each round, and takes the median', () => {
    expect(ratiosOf(figures([1, 1, 1.9]))).toEqual(COMMITTED);
  });

  it('names what is worse by more than chance', () => {
    expect(regressions(ratiosOf(figures([1.2, 1.2, 1.2])), COMMITTED)).toEqual([]);
    expect(regressions(ratiosOf(figures([1.3, 1.3, 1])), COMMITTED)).toContain(
      'drain: 1.95 × the CPU time of lean, committed 1.50 ×',
    );
    expect(regressions({}, COMMITTED)).toHaveLength(4);
  });

  it('throws when a client failed', () => {
    const failed = new Figures([{ section: 'drain', column: 'node', round: 0, load: 1, error: 'it ended' }]);
    expect(() => ratiosOf(failed)).toThrow('drain, node: it ended');
  });

  it('has a committed ratio for all that it measures', () => {
    const [, ...others] = WATCHED.columns;
    const expected = WATCHED.sections.map((section) => [section, others]);
    const kept = Object.entries(keptRatios()).map(([section, ratios]) => [section, Object.keys(ratios)]);
    expect(kept).toEqual(expected);
  });
});
