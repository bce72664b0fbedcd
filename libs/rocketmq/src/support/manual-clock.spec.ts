import { describe, expect, it } from '@jest/globals';
import { sleep } from './clock.js';
import { ManualClock } from './manual-clock.js';

describe('ManualClock', () => {
  it('runs due tasks in order of time, each at its own time', () => {
    const clock = new ManualClock(1_000);
    const fired: [string, number][] = [];
    clock.schedule(200, () => fired.push(['late', clock.nowMs()]));
    clock.schedule(100, () => {
      fired.push(['early', clock.nowMs()]);
      clock.schedule(50, () => fired.push(['between', clock.nowMs()]));
    });
    clock.advanceTo(1_250);
    expect(fired).toEqual([
      ['early', 1_100],
      ['between', 1_150],
      ['late', 1_200],
    ]);
    expect(clock.nowMs()).toBe(1_250);
  });

  it('does not run canceled tasks', () => {
    const clock = new ManualClock(0);
    let fired = false;
    clock
      .schedule(10, () => {
        fired = true;
      })
      .cancel();
    clock.advanceTo(20);
    expect(fired).toBe(false);
    expect(clock.nextDueAtMs()).toBeUndefined();
  });

  it('runs a task that is due immediately without being moved', async () => {
    const clock = new ManualClock(0);
    await sleep(clock, 0);
    expect(clock.nowMs()).toBe(0);
  });

  it('drops a sleep that was aborted, and rejects it with the reason', async () => {
    const clock = new ManualClock(0);
    const controller = new AbortController();
    const waiting = sleep(clock, 1_000, controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(clock.nextDueAtMs()).toBeUndefined();
  });

  it('lists tracked work until it ends', () => {
    const clock = new ManualClock(0);
    const end = clock.track('handler of orders');
    expect(clock.activeWork()).toEqual(['handler of orders']);
    end();
    end();
    expect(clock.activeWork()).toEqual([]);
  });
});
