// The numbers that the benchmarks print.

import { describe, expect, it } from '@jest/globals';
import { evaluateGoal, GOALS } from './goals.js';
import { comparability } from './lib/comparability.js';
import { Figures } from './lib/figures.js';
import { rotated } from './lib/rounds.js';
import { median, medianRatio, percentile } from './lib/statistics.mjs';
import { table } from './lib/table.js';
import { SECTIONS } from './sections.js';

function run(section: string, column: string, round: number, cpuMicros: number) {
  return { section, column, round, load: 0, figures: { cpuMicros } };
}

describe('a percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);

  it('is the value that this share of the values does not exceed', () => {
    expect([1, 50, 99, 100].map((percent) => percentile(hundred, percent))).toEqual([1, 50, 99, 100]);
    expect(percentile([7], 99)).toBe(7);
    expect(percentile([1, 2, 3], 50)).toBe(2);
  });

  it('of no values is NaN', () => {
    expect(percentile([], 50)).toBeNaN();
  });
});

describe('a median', () => {
  it('is the middle, or the mean of the two in the middle, whatever the order', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('of ratios compares measurements of the same round', () => {
    expect(medianRatio([10, 100, 40], [5, 100, 10])).toBe(2);
    expect(medianRatio([10, undefined, 40], [5, 1, undefined])).toBe(2);
    expect(medianRatio([undefined], [1])).toBeUndefined();
  });
});

describe('the order of the columns', () => {
  it('moves on by one each round', () => {
    expect([0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
  });
});

describe('a goal', () => {
  const goal = { section: 'send-64', kind: 'cpuMicros', against: ['node'], is: 'at most', limit: 0.5 } as const;

  it('is met by the median of the rounds', () => {
    const runs = [80, 40, 50].flatMap((ours, round) => [
      run('send-64', 'ours', round, ours),
      run('send-64', 'node', round, 100),
    ]);
    expect(evaluateGoal(goal, new Figures(runs))).toMatchObject({ figure: '0.50 ×', verdict: 'met' });
    expect(evaluateGoal({ ...goal, limit: 0.4 }, new Figures(runs))).toMatchObject({ verdict: 'not met' });
  });

  it('against several others uses the best of them', () => {
    const runs = [run('send-64', 'ours', 0, 50), run('send-64', 'node', 0, 100), run('send-64', 'java', 0, 40)];
    expect(evaluateGoal({ ...goal, against: ['node', 'java'] }, new Figures(runs))).toMatchObject({
      verdict: 'not met',
    });
  });

  it('without measurements is neither met nor missed', () => {
    expect(evaluateGoal(goal, new Figures([run('send-64', 'ours', 0, 50)]))).toMatchObject({ verdict: 'not measured' });
  });

  it('names an existing section and figures', () => {
    const sections = new Map(SECTIONS.map((section) => [section.id, section]));
    for (const { section, kind } of GOALS) expect(sections.get(section)?.figures).toContain(kind);
  });
});

describe('a run', () => {
  const rivals = (node: number) => new Figures([run('send-64', 'node', 0, node), run('send-64', 'lean', 0, 500)]);

  it('is comparable if the cost of the other clients is unchanged within 30 %', () => {
    expect(comparability(rivals(157)).isComparable).toBe(true);
    expect(comparability(rivals(158)).isComparable).toBe(false);
    expect(comparability(rivals(82)).isComparable).toBe(true);
    expect(comparability(rivals(81)).isComparable).toBe(false);
  });

  it('without other clients has no comparability', () => {
    expect(comparability(new Figures([run('send-64', 'lean', 0, 45)])).isComparable).toBeUndefined();
  });
});

describe('a table', () => {
  it('is Markdown with aligned columns', () => {
    expect(
      table(
        ['', 'µs'],
        [
          ['ours', '1.0'],
          ['theirs', '12.5'],
        ],
      ),
    ).toBe(['|        |   µs |', '| ------ | ---: |', '| ours   |  1.0 |', '| theirs | 12.5 |'].join('\n'));
  });
});
