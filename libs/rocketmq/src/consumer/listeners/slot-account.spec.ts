import { describe, expect, it } from '@jest/globals';
import { below, type Chance, seededRandom } from '../../../../../tools/random.js';
import { SECOND_MS } from '../../support/clock.js';
import {
  type GrantedSlots,
  NO_SLOTS,
  SLOT_LEASE_MS,
  SLOT_RENEWAL_MS,
  SLOT_TURN_MS,
  type SlotAccount,
  withSlots,
} from './slot-account.js';

interface Run {
  readonly fromMs: number;
  untilMs: number;
}

/** The most that ran at once. */
function maxConcurrent(runs: readonly Run[]): number {
  const steps = runs.flatMap(({ fromMs, untilMs }) =>
    fromMs < untilMs
      ? ([
          [fromMs, 1],
          [untilMs, -1],
        ] as const)
      : [],
  );
  let [now, most] = [0, 0];
  for (const [, step] of [...steps].sort(([one, up], [other, down]) => one - other || up - down)) {
    now += step;
    most = Math.max(most, now);
  }
  return most;
}

/** An instance that runs handlers in its slots as long as its lease lasts, and no longer. */
class Instance {
  count = 0;
  allowed = 0;
  untilMs = 0;
  asksAtMs: number;
  running: Run[] = [];
  waitingSinceMs: number | undefined;

  constructor(
    public holder: string,
    private readonly chance: Chance,
    private readonly longestMs: number,
  ) {
    this.asksAtMs = chance() * SECOND_MS;
  }

  pass(nowMs: number): void {
    if (nowMs >= this.untilMs) this.cut(this.untilMs);
    this.running = this.running.filter(({ untilMs }) => untilMs > nowMs);
  }

  cut(atMs: number): void {
    for (const run of this.running) run.untilMs = Math.min(run.untilMs, atMs);
    this.running = [];
    this.count = 0;
    this.allowed = 0;
  }

  kept(wanted: number): number {
    return Math.max(this.running.length, Math.min(this.count, this.allowed, wanted));
  }

  hold({ count, allowed, untilMs }: GrantedSlots): void {
    this.count = count;
    this.allowed = allowed;
    this.untilMs = untilMs;
  }

  /** In each slot that it may use, begins a handler before it asks again, or none. */
  begin(nowMs: number): Run[] {
    const begun: Run[] = [];
    for (let free = this.allowed - this.running.length; free > 0; free--) {
      const fromMs = nowMs + this.chance() * (this.asksAtMs - nowMs) * (this.chance() < 0.5 ? 0 : 1);
      if (fromMs >= this.untilMs || this.chance() < 0.1) continue;
      begun.push({ fromMs, untilMs: fromMs + this.chance() * this.longestMs });
    }
    this.running.push(...begun);
    return begun;
  }
}

const ask = (account: SlotAccount, nowMs: number, most: number, holder: string, wanted: number, kept = 0) => {
  const { account: after = account, granted } = withSlots(account, nowMs, most, { holder, wanted, kept });
  return { account: after, granted };
};

describe('the account of a limit on concurrent handlers', () => {
  it.each(Array.from({ length: 60 }, (_, seed) => seed))(
    'lets no more run at once than it says, when instances are slow, stand still or die (seed %p)',
    (seed) => {
      const chance = seededRandom(seed);
      const most = 1 + below(chance, seed % 3 === 0 ? 2 : 20);
      const longestMs = seed % 2 === 0 ? SECOND_MS : 3 * SLOT_LEASE_MS;
      const instances = Array.from(
        { length: 1 + below(chance, 7) },
        (_, index) => new Instance(`${index}`, chance, longestMs),
      );
      const runs: Run[] = [];
      let account = NO_SLOTS;
      for (let nowMs = 0; nowMs < 1_000 * SECOND_MS; ) {
        const next = instances.reduce((one, other) => (other.asksAtMs < one.asksAtMs ? other : one));
        nowMs = Math.max(nowMs, next.asksAtMs);
        next.pass(nowMs);
        const wanted = chance() < 0.2 ? 0 : 1 + below(chance, 2 * most);
        const kept = next.kept(wanted);
        const isLost = chance() < 0.05;
        const done = ask(account, nowMs, most, next.holder, wanted, kept);
        if (!isLost || chance() < 0.5) account = done.account;
        if (isLost) {
          next.count = Math.min(next.count, kept);
          next.allowed = Math.min(next.allowed, kept);
        } else next.hold(done.granted);
        const standsStill = chance() < 0.02;
        next.asksAtMs = nowMs + chance() * (standsStill ? 2 * SLOT_LEASE_MS : SLOT_RENEWAL_MS);
        if (!isLost) runs.push(...next.begin(nowMs));
        if (chance() > 0.01) continue;
        next.cut(Math.min(next.untilMs, nowMs + chance() * (next.asksAtMs - nowMs)));
        next.holder = `${next.holder}, again`;
      }
      // Those that stand still have not noticed the end of their leases yet.
      for (const one of instances) one.pass(Number.POSITIVE_INFINITY);
      expect(runs.length).toBeGreaterThan(10);
      expect(maxConcurrent(runs)).toBeLessThanOrEqual(most);
      expect(account.holders.reduce((sum, [, slots]) => sum + slots, 0)).toBeLessThanOrEqual(most);
    },
  );

  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    'gives each that waits a slot before long, and its share, whoever was first (seed %p)',
    (seed) => {
      const chance = seededRandom(seed);
      const most = 1 + below(chance, 6);
      const instances = Array.from(
        { length: 1 + below(chance, 8) },
        (_, index) => new Instance(`${index}`, chance, SECOND_MS),
      );
      const runs: Run[] = [];
      let [account, longestMs, ran]: [SlotAccount, number, number] = [NO_SLOTS, 0, 0];
      const endMs = 300 * SECOND_MS;
      for (let nowMs = 0; nowMs < endMs; ) {
        const next = instances.reduce((one, other) => (other.asksAtMs < one.asksAtMs ? other : one));
        nowMs = next.asksAtMs;
        next.pass(nowMs);
        const wanted = most + 1;
        const done = ask(account, nowMs, most, next.holder, wanted, next.kept(wanted));
        account = done.account;
        next.hold(done.granted);
        const { count, allowed } = done.granted;
        if (allowed > 0) next.waitingSinceMs = undefined;
        else next.waitingSinceMs ??= nowMs;
        longestMs = Math.max(longestMs, nowMs - (next.waitingSinceMs ?? nowMs));
        next.asksAtMs = nowMs + (count > allowed || allowed === 0 ? SECOND_MS / 2 : SLOT_RENEWAL_MS);
        const begun = next.begin(nowMs);
        runs.push(...begun);
        ran += begun.length;
      }
      expect(maxConcurrent(runs)).toBeLessThanOrEqual(most);
      const rounds = Math.ceil(instances.length / most);
      expect(longestMs).toBeLessThanOrEqual(rounds * (SLOT_TURN_MS + SLOT_RENEWAL_MS + 3 * SECOND_MS));
      expect(ran).toBeGreaterThan(0);
      const share = Math.floor(most / instances.length);
      for (const { allowed } of instances) expect(allowed).toBeGreaterThanOrEqual(share);
    },
  );

  it('gives one instance all that others do not want, and takes back what is above its share when they do', () => {
    let { account, granted } = ask(NO_SLOTS, 0, 10, 'a', 16);
    expect(granted).toEqual({ count: 10, allowed: 10, untilMs: SLOT_LEASE_MS, wasLost: false });
    ({ account, granted } = ask(account, 1_000, 10, 'b', 2));
    expect(granted).toMatchObject({ count: 0, allowed: 0 });
    ({ account, granted } = ask(account, 2_000, 10, 'a', 16, 10));
    expect(granted).toMatchObject({ count: 10, allowed: 8 });
    ({ account, granted } = ask(account, 3_000, 10, 'a', 16, 7));
    expect(granted).toMatchObject({ count: 8, allowed: 8 });
    ({ account, granted } = ask(account, 4_000, 10, 'b', 9));
    expect(granted).toMatchObject({ count: 2, allowed: 2 });
    ({ account, granted } = ask(account, 5_000, 10, 'a', 16, 0));
    expect(granted).toMatchObject({ count: 5, allowed: 5 });
    ({ account } = ask(account, 6_000, 10, 'a', 0));
    expect(ask(account, 6_000, 10, 'b', 9, 2).granted).toMatchObject({ count: 9, allowed: 9 });
  });

  it('frees the slots of one that died after its lease, and forgets one that waited', () => {
    let { account } = ask(NO_SLOTS, 0, 2, 'a', 2);
    ({ account } = ask(account, 0, 2, 'b', 1));
    expect(ask(account, SLOT_LEASE_MS - 1, 2, 'c', 2).granted.count).toBe(0);
    expect(ask(account, SLOT_LEASE_MS, 2, 'c', 2).granted.count).toBe(2);
  });

  it('reports slots that the store has forgotten', () => {
    const { account } = ask(NO_SLOTS, 0, 2, 'a', 2);
    expect(ask(account, SLOT_LEASE_MS, 2, 'a', 2, 2).granted).toMatchObject({ count: 2, wasLost: true });
    const { account: taken } = ask(account, SLOT_LEASE_MS, 2, 'b', 2);
    expect(ask(taken, SLOT_LEASE_MS, 2, 'a', 2, 1).granted).toMatchObject({ count: 1, allowed: 0, wasLost: true });
  });

  it('need not change for each request', () => {
    const { account } = ask(NO_SLOTS, 0, 2, 'a', 2);
    const again = (nowMs: number) => withSlots(account, nowMs, 2, { holder: 'a', kept: 2, wanted: 2 });
    expect(again(1_000)).toEqual({
      account: undefined,
      granted: { count: 2, allowed: 2, untilMs: SLOT_LEASE_MS, wasLost: false },
    });
    expect(again(SLOT_RENEWAL_MS).granted.untilMs).toBe(SLOT_LEASE_MS + SLOT_RENEWAL_MS);
  });

  it('does not hold slots up for long when the clock was set back', () => {
    const hourMs = 3_600 * SECOND_MS;
    const { account } = ask(NO_SLOTS, hourMs, 1, 'a', 1);
    const { account: waited, granted } = ask(account, 0, 1, 'b', 1);
    expect(granted.count).toBe(0);
    expect(ask(waited, SLOT_LEASE_MS, 1, 'b', 1).granted.count).toBe(1);
  });
});
