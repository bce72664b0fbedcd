import { describe, expect, it } from '@jest/globals';
import { until } from '../../../../tools/until.js';
import { SystemClock } from './clock.js';
import { ManualClock } from './manual-clock.js';
import { TravelClock, type TravelPoint } from './travel-clock.js';

function clocks() {
  const real = new ManualClock(1_000);
  const jumps: [TravelPoint, TravelPoint][] = [];
  const clock = new TravelClock(real, (from, to) => jumps.push([from, to]));
  return { real, clock, jumps };
}

describe('TravelClock', () => {
  it('runs at the speed of the real clock, also after a jump', () => {
    const { real, clock } = clocks();
    real.advanceTo(1_500);
    expect(clock.nowMs()).toBe(1_500);
    clock.advanceTo(10_000);
    expect([clock.nowMs(), clock.offsetMs]).toEqual([10_000, 8_500]);
    real.advanceTo(1_600);
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([10_100, 10_100]);
  });

  it('runs the tasks that a jump makes due in order, each at its own time, and those that they schedule in between', () => {
    const { clock } = clocks();
    const fired: [string, number][] = [];
    clock.schedule(200, () => fired.push(['late', clock.nowMs()]));
    clock.schedule(100, () => {
      fired.push(['early', clock.nowMs()]);
      clock.schedule(50, () => fired.push(['between', clock.nowMs()]));
    });
    clock.schedule(300, () => fired.push(['not yet', clock.nowMs()]));
    clock.advanceTo(1_250);
    expect(fired).toEqual([
      ['early', 1_100],
      ['between', 1_150],
      ['late', 1_200],
    ]);
    expect([clock.nowMs(), clock.nextDueAtMs(), clock.ranTasks]).toEqual([1_250, 1_300, 3]);
  });

  it('runs what it did not pass when the real clock gets there, and nothing twice', () => {
    const { real, clock } = clocks();
    const fired: number[] = [];
    clock.schedule(1_000, () => fired.push(real.nowMs()));
    clock.schedule(100, () => fired.push(real.nowMs()));
    clock.advanceTo(1_700);
    expect(fired).toEqual([1_000]);
    real.advanceTo(1_299);
    expect(fired).toEqual([1_000]);
    real.advanceTo(5_000);
    expect(fired).toEqual([1_000, 1_300]);
  });

  it('never goes back, and does not report a jump that is none', () => {
    const { real, clock, jumps } = clocks();
    clock.advanceTo(500);
    clock.advanceTo(1_000);
    expect([clock.nowMs(), jumps.length]).toEqual([1_000, 0]);
    clock.advanceTo(2_000.5);
    real.advanceTo(1_010);
    expect(clock.nowMs()).toBe(2_011);
    expect(jumps).toEqual([
      [
        { realMs: 1_000, movedMs: 1_000 },
        { realMs: 1_000, movedMs: 2_001 },
      ],
    ]);
  });

  it('has not jumped when its listener throws', () => {
    const clock = new TravelClock(new ManualClock(1_000), () => {
      throw new Error('disk full');
    });
    expect(() => clock.advanceTo(2_000)).toThrow('disk full');
    expect(clock.nowMs()).toBe(1_000);
  });

  it('does not run canceled tasks', () => {
    const { real, clock } = clocks();
    const task = clock.schedule(100, () => {
      throw new Error('ran');
    });
    task.cancel();
    clock.advanceTo(2_000);
    real.advanceTo(2_000);
    expect([clock.ranTasks, clock.nextDueAtMs()]).toEqual([0, undefined]);
  });

  it('leaves what a task schedules at once to the event loop, so that an endless chain does not block it', async () => {
    const clock = new TravelClock(new SystemClock());
    let links = 0;
    const next = (): void => {
      if (++links < 5) clock.schedule(0, next);
    };
    clock.schedule(10_000, next);
    clock.advanceTo(clock.nowMs() + 10_000);
    expect(links).toBe(1);
    await until(() => links === 5);
  });
});
