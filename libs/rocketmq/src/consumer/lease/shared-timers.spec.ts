import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../support/manual-clock.js';
import { SharedTimers } from './shared-timers.js';

describe('shared timers', () => {
  it('run each callback once at its time', () => {
    const clock = new ManualClock(0);
    const timers = new SharedTimers(clock);
    const ran: string[] = [];
    for (const [name, atMs] of [
      ['a', 10],
      ['b', 10],
      ['c', 20],
      ['late', -5],
    ] as const) {
      timers.at(atMs, () => ran.push(`${name} at ${clock.nowMs()}`));
    }
    clock.advanceTo(30);
    timers.at(30, () => ran.push(`again at ${clock.nowMs()}`));
    clock.advanceTo(40);
    expect(ran).toEqual(['late at 0', 'a at 10', 'b at 10', 'c at 20', 'again at 30']);
  });

  it('leave nothing waiting on the clock once all timers of a moment are canceled', () => {
    const clock = new ManualClock(0);
    const timers = new SharedTimers(clock);
    const ran: string[] = [];
    const tasks = ['a', 'b', 'c'].map((name) => timers.at(10, () => ran.push(name)));
    tasks[0]?.cancel();
    tasks[1]?.cancel();
    tasks[1]?.cancel();
    expect(clock.nextDueAtMs()).toBe(10);
    tasks[2]?.cancel();
    expect(clock.nextDueAtMs()).toBeUndefined();
    timers.at(10, () => ran.push('d'));
    clock.advanceTo(10);
    expect(ran).toEqual(['d']);
  });

  it('do not run a timer that another one of the same moment has canceled', () => {
    const clock = new ManualClock(0);
    const timers = new SharedTimers(clock);
    const ran: string[] = [];
    timers.at(10, () => {
      ran.push('first');
      second.cancel();
    });
    const second = timers.at(10, () => ran.push('second'));
    clock.advanceTo(10);
    expect(ran).toEqual(['first']);
  });
});
