import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TimeLine, type TimePoint } from './time-line.js';

/** Stretches of moved time: real time before each, real time that each took, and how far it moved. */
const stretches = fc.array(
  fc.record({
    beforeMs: fc.integer({ min: 0, max: 1_000_000 }),
    tookMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5_000 })),
    movedMs: fc.integer({ min: 1, max: 400 * 86_400_000 }),
  }),
  { maxLength: 20 },
);
type Stretches = typeof stretches extends fc.Arbitrary<infer T> ? T : never;

const START_MS = 1_800_000_000_000;

function lineOf(all: Stretches): TimeLine {
  const line = new TimeLine();
  let point: TimePoint = { realMs: START_MS, brokerMs: START_MS };
  for (const { beforeMs, tookMs, movedMs } of all) {
    const from = { realMs: point.realMs + beforeMs, brokerMs: point.brokerMs + beforeMs };
    point = { realMs: from.realMs + tookMs, brokerMs: from.brokerMs + tookMs + movedMs };
    line.add(from);
    line.add(point);
  }
  return line;
}

const momentMs = fc.integer({ min: START_MS - 1_000_000, max: START_MS + 30_000_000 });

describe('TimeLine', () => {
  it('changes nothing before the time was moved', () => {
    const line = new TimeLine();
    expect([line.toClient(5), line.toBroker(5), line.toBrokerLast(5), line.offsetMs]).toEqual([5, 5, 5, 0]);
  });

  it('shifts what comes after a jump, and keeps what was before it', () => {
    const line = lineOf([{ beforeMs: 1_000, tookMs: 0, movedMs: 3_600_000 }]);
    expect(line.offsetMs).toBe(3_600_000);
    expect(line.toClient(START_MS + 400)).toBe(START_MS + 400);
    expect(line.toBroker(START_MS + 1_500)).toBe(START_MS + 3_601_500);
    expect(line.toClient(START_MS + 3_601_500)).toBe(START_MS + 1_500);
    // All that the jump has passed happened at one moment for the clients.
    expect(line.toClient(START_MS + 1_800_000)).toBe(START_MS + 1_000);
    expect(line.toBroker(START_MS + 1_000)).toBe(START_MS + 1_000);
    expect(line.toBrokerLast(START_MS + 1_000)).toBe(START_MS + 3_601_000);
  });

  it('returns to clients the moments that they sent', () => {
    fc.assert(
      fc.property(stretches, momentMs, (all, clientMs) => {
        const line = lineOf(all);
        expect(line.toClient(line.toBroker(clientMs))).toBe(clientMs);
      }),
    );
  });

  it('keeps the order of moments', () => {
    fc.assert(
      fc.property(stretches, momentMs, momentMs, (all, one, other) => {
        const line = lineOf(all);
        const [earlier, later] = [Math.min(one, other), Math.max(one, other)];
        expect(line.toClient(earlier)).toBeLessThanOrEqual(line.toClient(later));
        expect(line.toBroker(earlier)).toBeLessThanOrEqual(line.toBroker(later));
      }),
    );
  });

  it('finds by a time of the clients exactly what has this time for them', () => {
    fc.assert(
      fc.property(stretches, momentMs, momentMs, (all, brokerMs, clientMs) => {
        const line = lineOf(all);
        expect(brokerMs >= line.toBroker(clientMs)).toBe(line.toClient(brokerMs) >= clientMs);
        expect(brokerMs <= line.toBrokerLast(clientMs)).toBe(line.toClient(brokerMs) <= clientMs);
      }),
    );
  });

  it('finds the first moment also where a real millisecond is hours of the clock', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const tookMs = 1 + (seed % 9);
      const line = lineOf([{ beforeMs: seed * 7_919, tookMs, movedMs: 86_400_000 * (1 + (seed % 366)) }]);
      const fromMs = START_MS + seed * 7_919;
      for (let clientMs = fromMs + 1; clientMs <= fromMs + tookMs; clientMs++) {
        const first = line.toBroker(clientMs);
        expect([line.toClient(first - 1) < clientMs, line.toClient(first) >= clientMs]).toEqual([true, true]);
      }
    }
  });

  it('keeps the order when real time goes back', () => {
    const line = lineOf([{ beforeMs: 1_000, tookMs: 0, movedMs: 1_000 }]);
    const added = line.add({ realMs: START_MS, brokerMs: START_MS + 9_000 });
    expect(added).toEqual({ realMs: START_MS + 1_000, brokerMs: START_MS + 9_000 });
  });

  it('joins its oldest stretches without moving later ones', () => {
    const line = lineOf([
      { beforeMs: 1_000, tookMs: 10, movedMs: 1_000 },
      { beforeMs: 1_000, tookMs: 10, movedMs: 2_000 },
      { beforeMs: 1_000, tookMs: 10, movedMs: 3_000 },
    ]);
    const moments = [START_MS, START_MS + 1_000, START_MS + 2_030, START_MS + 100_000];
    const before = moments.map((moment) => line.toBroker(moment));
    expect(line.joinOldest()).toHaveLength(2);
    expect(line.all).toHaveLength(4);
    expect(moments.map((moment) => line.toBroker(moment))).toEqual(before);
  });
});
