// The plan of the benchmarks: consistency of sections, columns and goals, and the total duration.

import { describe, expect, it } from '@jest/globals';
import { columnOf } from './columns.js';
import { GOALS } from './goals.js';
import { secondsOf } from './lib/estimate.js';
import type { Section } from './section.js';
import { SECTIONS } from './sections.js';

const MINUTE_SECONDS = 60;
const ROUNDS = 3;
const EMBEDDED = /^embedded-/;

const quickColumns = ({ columns, quickColumns: chosen }: Section): readonly string[] =>
  chosen ?? columns.filter((id) => !columnOf(id).isSlowToGet);

/** The duration of one quick round, or of three rounds. */
function seconds(sections: readonly Section[], columnsOf: (section: Section) => readonly string[], isQuick = false) {
  const all = sections.flatMap((section) => {
    const rounds = isQuick || section.isOnce === true ? 1 : ROUNDS;
    return columnsOf(section).map(
      (id) => rounds * secondsOf(columnOf(id), (isQuick && section.quickTask) || section.task),
    );
  });
  return all.reduce((sum, one) => sum + one, 0);
}

describe('the plan of the benchmarks', () => {
  it('has a column for each name, and a program for each column', () => {
    const names = SECTIONS.flatMap(({ columns, quickColumns: chosen = [] }) => [...columns, ...chosen]);
    for (const name of names) expect(columnOf(name).program).toMatch(/^(java|go)$|\.mjs$/);
  });

  it('measures the figures of its goals, in sections that show them', () => {
    for (const { section: id, column = 'ours', kind, against = [] } of GOALS) {
      const section = SECTIONS.find((one) => one.id === id);
      expect(section?.columns).toEqual(expect.arrayContaining([column, ...against]));
      expect(section?.figures).toContain(kind);
    }
  });

  it('takes less than 47 minutes for three rounds, and less than 110 seconds with --quick', () => {
    const whole = seconds(
      SECTIONS.filter(({ isLong, isOf4x }) => !isLong && !isOf4x),
      ({ columns }) => columns,
    );
    expect(whole).toBeLessThan(47 * MINUTE_SECONDS);
    const quick = SECTIONS.filter(({ quickTask }) => quickTask !== undefined);
    expect(seconds(quick, quickColumns, true)).toBeLessThan(90);
  });

  it('takes less than 6 minutes for the embedded broker, and less than 25 seconds with --quick', () => {
    const embedded = SECTIONS.filter(({ id, isLong }) => EMBEDDED.test(id) && !isLong);
    expect(seconds(embedded, ({ columns }) => columns)).toBeLessThan(6 * MINUTE_SECONDS);
    expect(seconds(embedded, quickColumns, true)).toBeLessThan(25);
  });

  it('reaches brokers of 4.x by name server alone, and takes less than 7 minutes for three rounds', () => {
    const of4x = SECTIONS.filter(({ isOf4x }) => isOf4x);
    for (const { columns } of of4x) for (const id of columns) expect(columnOf(id).by).toBe('name-server');
    expect(seconds(of4x, ({ columns }) => columns)).toBeLessThan(7 * MINUTE_SECONDS);
  });
});
