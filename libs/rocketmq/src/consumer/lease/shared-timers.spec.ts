import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../support/manual-clock.js';
import { SharedTimers, type Timed } from './shared-timers.js';

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
      timers.at(atMs, { onTime: () => void ran.push(`${name} at ${clock.nowMs()}`) });
    }
    clock.advanceTo(30);
    timers.at(30, { onTime: () => void ran.push(`again at ${clock.nowMs()}`) });
    clock.advanceTo(40);
    expect(ran).toEqual(['late at 0', 'a at 10', 'b at 10', 'c at 20', 'again at 30']);
  });

  it('leave nothing waiting on the clock once all timers of a moment are canceled', () => {
    const clock = new ManualClock(0);
    const timers = new SharedTimers(clock);
    const ran: string[] = [];
    const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ onTime: () => void ran.push(name) })) as [Timed, Timed, Timed];
    for (const timed of [a, b, c]) timers.at(10, timed);
    timers.cancel(10, a);
    timers.cancel(10, b);
    timers.cancel(10, b);
    expect(clock.nextDueAtMs()).toBe(10);
    timers.cancel(10, c);
    expect(clock.nextDueAtMs()).toBeUndefined();
    timers.at(10, { onTime: () => void ran.push('d') });
    clock.advanceTo(10);
    expect(ran).toEqual(['d']);
  });

  it('do not run a timer that another one of the same moment has canceled', () => {
    const clock = new ManualClock(0);
    const timers = new SharedTimers(clock);
    const ran: string[] = [];
    const second = { onTime: () => void ran.push('second') };
    const first = {
      onTime: () => {
        ran.push('first');
        timers.cancel(10, second);
      },
    };
    timers.at(10, first);
    timers.at(10, second);
    clock.advanceTo(10);
    expect(ran).toEqual(['first']);
  });

  it('call what is added for the moment that has come at the next turn', () => {
    const clock = new ManualClock(0);
    const timers = new SharedTimers(clock);
    let calls = 0;
    const again: Timed = {
      onTime: () => {
        if (++calls < 3) timers.at(10, again);
        expect(clock.nextDueAtMs()).toBe(calls < 3 ? 10 : undefined);
      },
    };
    timers.at(10, again);
    clock.advanceTo(20);
    expect(calls).toBe(3);
  });
});
