import { describe, expect, it } from '@jest/globals';
import { AnswerAges, LoopWatch } from './answer-age.js';
import type { Clock } from './clock.js';

/** An event loop: its timers run when it does. */
class Loop implements Pick<Clock, 'monotonicMs' | 'schedule'> {
  private timeMs = 0;
  private readonly timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  monotonicMs(): number {
    return this.timeMs;
  }

  schedule(delayMs: number, callback: () => void) {
    const timer = { atMs: this.timeMs + delayMs, callback };
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  }

  get isIdle(): boolean {
    return this.timers.size === 0;
  }

  /** Runs without a pause. */
  run(durationMs: number): void {
    for (const endMs = this.timeMs + durationMs; this.timeMs < endMs; ) this.stand(Math.min(10, endMs - this.timeMs));
  }

  /** Stands still, then runs the timers that are due. */
  stand(durationMs: number): void {
    this.timeMs += durationMs;
    for (const timer of [...this.timers]) {
      if (timer.atMs > this.timeMs || !this.timers.delete(timer)) continue;
      timer.callback();
    }
  }
}

function watched() {
  const loop = new Loop();
  const watch = new LoopWatch(loop as unknown as Clock);
  return { loop, watch, end: watch.begin() };
}

describe('a watched event loop', () => {
  it('has read what arrived as long as it runs, from the first moment on', () => {
    const { loop, watch } = watched();
    for (const durationMs of [0, 10, 300, 5_000]) {
      loop.run(durationMs);
      expect(watch.unreadForMs(0)).toBe(0);
    }
  });

  it('may have read nothing since before it stood still, and knows when it has caught up', () => {
    const { loop, watch } = watched();
    loop.run(5_000);
    loop.stand(25_000);
    expect(watch.unreadForMs(0)).toBeGreaterThanOrEqual(25_000);
    // A timer that blocks before the sockets are read changes nothing.
    loop.stand(2_000);
    expect(watch.unreadForMs(0)).toBeGreaterThanOrEqual(27_000);
    expect(watch.unreadForMs(0)).toBeLessThanOrEqual(28_000);
    expect(watch.unreadForMs(29_000)).toBe(3_000);
    loop.run(2_000);
    expect(watch.unreadForMs(0)).toBe(0);
  });

  it('stands still before its first timer, too', () => {
    const { loop, watch } = watched();
    loop.stand(25_000);
    expect(watch.unreadForMs(0)).toBe(25_000);
  });

  it('has no timer while nothing is awaited', () => {
    const { loop, watch, end } = watched();
    const endOther = watch.begin();
    end();
    loop.run(1_000);
    expect(loop.isIdle).toBe(false);
    endOther();
    expect(loop.isIdle).toBe(true);
  });
});

describe('the age of an answer', () => {
  /** The server's clock is ahead by this. */
  const AHEAD_MS = 3_600_000;

  /** An answer that was written at `writtenAtMs` and read at `readAtMs`, on our clock. */
  const answer = (writtenAtMs: number, readAtMs: number, others: { askedAtMs?: number; unreadForMs?: number } = {}) => {
    return { askedAtMs: 0, readAtMs, unreadForMs: 0, answeredAtMs: writtenAtMs + AHEAD_MS, ...others };
  };

  it('is that of the standstill before it was read, without a time of the server', () => {
    const ages = new AnswerAges();
    const read = { readAtMs: 30_000, answeredAtMs: undefined };
    expect(ages.ageMs({ ...read, askedAtMs: 1_000, unreadForMs: 0 })).toBe(0);
    expect(ages.ageMs({ ...read, askedAtMs: 1_000, unreadForMs: 26_000 })).toBe(26_000);
  });

  it('is that of the standstill for the first answer of a server, whose clock is not known yet', () => {
    const ages = new AnswerAges();
    expect(ages.ageMs(answer(29_000, 30_000, { unreadForMs: 26_000 }))).toBe(26_000);
    expect(ages.ageMs(answer(40_000, 40_010, { askedAtMs: 39_000 }))).toBe(0);
  });

  it('follows from the time of the server once its clock is known, after a standstill and without', () => {
    const ages = new AnswerAges();
    ages.ageMs(answer(100, 101));
    expect(ages.ageMs(answer(29_900, 30_000, { unreadForMs: 26_000 }))).toBe(0);
    expect(ages.ageMs(answer(32_000, 50_000, { unreadForMs: 19_000 }))).toBe(17_999);
    expect(ages.ageMs(answer(55_000, 75_000, { askedAtMs: 54_000 }))).toBe(19_999);
  });

  it('takes a clock that was set for what it is: by more than the request took, at once, otherwise after one answer', () => {
    for (const stepMs of [3_600_000, -3_600_000]) {
      const ages = new AnswerAges();
      ages.ageMs(answer(100, 101));
      expect(ages.ageMs(answer(10_000 + stepMs, 10_001, { askedAtMs: 9_000 }))).toBe(0);
      expect(ages.ageMs(answer(40_000 + stepMs, 60_000, { askedAtMs: 39_000 }))).toBe(19_999);
    }
    const ages = new AnswerAges();
    ages.ageMs(answer(100, 101));
    const late = [20_000, 40_000, 60_000].map((atMs) =>
      ages.ageMs(answer(atMs - 12_000, atMs, { askedAtMs: atMs - 15_000 })),
    );
    expect(late.map((ms) => ms > 1_000)).toEqual([true, false, false]);
  });

  it('is found for all answers that a network held back, although the first of them may have been a clock that was set', () => {
    const ages = new AnswerAges();
    ages.ageMs(answer(100, 101));
    const late = [31_000, 32_000, 33_000].map((atMs) => ages.ageMs(answer(atMs, 50_000, { askedAtMs: 30_000 })));
    expect(late).toEqual([18_999, 17_999, 16_999]);
  });

  it('does not follow from what was known of a clock long ago: clocks drift', () => {
    const ages = new AnswerAges();
    ages.ageMs(answer(100, 101));
    const dayMs = 86_400_000;
    expect(ages.ageMs(answer(dayMs - 4_300, dayMs, { askedAtMs: dayMs - 20_000 }))).toBe(0);
  });
});
