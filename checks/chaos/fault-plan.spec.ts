import { describe, expect, it } from '@jest/globals';
import { type Breakable, FAULT_KINDS, type ProcessFaultKind, planOf } from './fault-plan.js';
import { type Intent, intentsOf } from './intents.js';
import { MIN_FAULTS } from './required-counts.js';

const apps = ['order-demo', 'inventory-demo'];
const all: readonly ProcessFaultKind[] = ['kill', 'stop', 'restart'];
const embedded: Breakable = { processes: new Map([...apps, 'broker'].map((name) => [name, all])), links: apps };
const rocketmq: Breakable = {
  processes: new Map([
    ...apps.map((name) => [name, all] as const),
    ...['broker', 'proxy'].map((name) => [name, all.slice(0, 2)] as const),
  ]),
  links: apps,
};
const remoting: Breakable = {
  processes: new Map([
    ...apps.map((name) => [name, all] as const),
    ...['broker', 'broker-1', 'name-server'].map((name) => [name, all.slice(0, 2)] as const),
  ]),
  links: apps,
};
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);

describe('the plan of a run', () => {
  it('is the same for the same seed, and differs for different seeds', () => {
    expect(planOf(embedded, { seed: 7, rounds: 3 })).toEqual(planOf(embedded, { seed: 7, rounds: 3 }));
    expect(planOf(embedded, { seed: 7, rounds: 3 })).not.toEqual(planOf(embedded, { seed: 8, rounds: 3 }));
  });

  it.each([
    ['embedded', embedded],
    ['rocketmq', rocketmq],
    ['remoting', remoting],
  ])(
    'has enough of every kind on %s, hits every target in every way, and never one twice at once',
    (_name, breakable) => {
      for (const seed of SEEDS) {
        const faultGroups = planOf(breakable, { seed, rounds: 2 });
        const faults = faultGroups.flatMap((group) => group.faults);
        for (const kind of FAULT_KINDS) {
          expect(faults.filter((fault) => fault.kind === kind).length).toBeGreaterThanOrEqual(2 * MIN_FAULTS);
        }
        const names = new Set(faults.map(({ kind, target }) => `${kind} ${target}`));
        const processFaults = [...breakable.processes.values()].flat().length;
        expect(names.size).toBe(processFaults + 4 * breakable.links.length);
        for (const { faults: together } of faultGroups) {
          expect(new Set(together.map(({ target }) => target)).size).toBe(together.length);
        }
      }
    },
  );

  it('has faults that overlap, and the second of two begins within the first', () => {
    const doubles = SEEDS.flatMap((seed) => planOf(embedded, { seed, rounds: 1 })).filter(
      ({ faults }) => faults.length > 1,
    );
    expect(doubles.length).toBeGreaterThan(SEEDS.length);
    for (const { faults } of doubles) expect(faults[1]?.afterMs).toBeLessThan(faults[0]?.lengthMs ?? 0);
  });

  it('has stops longer than a lease only if requested', () => {
    const longest = (withLongStops: boolean) =>
      Math.max(
        ...SEEDS.flatMap((seed) => planOf(embedded, { seed, rounds: 1, withLongStops }))
          .flatMap(({ faults }) => faults)
          .map(({ lengthMs }) => lengthMs),
      );
    expect(longest(false)).toBeLessThan(2_000);
    expect(longest(true)).toBeGreaterThan(10_000);
  });
});

describe('the intents of a customer', () => {
  const first = (seed: number, customer: number, count = 400): Intent[] => {
    const intents = intentsOf(seed, customer);
    return Array.from({ length: count }, () => intents.next().value);
  };

  it('are the same for the same seed and customer, and differ otherwise', () => {
    expect(first(1, 2)).toEqual(first(1, 2));
    expect(first(1, 2)).not.toEqual(first(1, 3));
    expect(first(1, 2)).not.toEqual(first(2, 2));
  });

  it('include every kind', () => {
    const intents = first(1, 0);
    const plans = new Set(intents.map(({ plan }) => plan));
    expect([...plans].sort()).toEqual(
      ['cancel', 'cancel-at-once', 'leave', 'pay', 'pay-and-cancel', 'pay-late', 'pay-twice'].sort(),
    );
    expect(new Set(intents.map(({ sku }) => sku)).size).toBe(3);
  });
});
