import { describe, expect, it } from '@jest/globals';
import { MemoryStore } from '../../../../../test/fixtures/limit-store.js';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { below, type Chance, seededRandom } from '../../../../../tools/random.js';
import { onAbort } from '../../support/abort-source.js';
import { SECOND_MS, sleep } from '../../support/clock.js';
import { nextTurn } from '../../support/deadline.js';
import { type Logger, silentLogger } from '../../support/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { GroupSlots } from './group-slots.js';
import { SLOT_LEASE_MS } from './slot-account.js';

const KEY = 'concurrency:stock/orders';

interface Parts {
  readonly clock: ManualClock;
  readonly shared: MemoryStore;
  readonly most: number;
  readonly logger: Logger;
}

/** A listener that has as many messages as it can begin, or none. */
class Instance {
  running = 0;
  handled = 0;
  lost = 0;
  /** How many messages it would handle at once. */
  work = Number.POSITIVE_INFINITY;
  failure: Error | undefined;
  latencyMs = (): number => 0;
  losesAnswer = (): boolean => false;
  readonly slots: GroupSlots;
  private readonly closing = new AbortController();

  constructor(
    holder: string,
    private readonly parts: Parts,
    private readonly handlerMs: () => number,
    private readonly concurrency: number,
  ) {
    const { clock, shared, most, logger } = parts;
    const store = {
      read: async (key: string) => {
        if (this.failure !== undefined) throw this.failure;
        const latencyMs = this.latencyMs();
        if (latencyMs > 0) await sleep(clock, latencyMs);
        return shared.read(key);
      },
      write: async (key: string, version: number, state: string) => {
        const isWritten = await shared.write(key, version, state);
        if (this.failure !== undefined || this.losesAnswer()) throw this.failure ?? new Error('lost');
        return isWritten;
      },
    };
    this.slots = new GroupSlots(
      { name: 'orders', most, local: { concurrency, messagesEach: 1 } },
      { store, key: KEY, holder, clock, logger, closing: this.closing.signal },
    );
  }

  begin(): void {
    const { clock } = this.parts;
    const most = Math.min(this.work, this.concurrency);
    while (this.running < most && this.slots.take(clock.monotonicMs()) === 0) {
      this.running++;
      const { lost } = this.slots;
      const end = (): void => {
        task.cancel();
        unlisten();
        this.running--;
        this.slots.end();
      };
      const task = clock.schedule(this.handlerMs(), () => {
        this.handled++;
        end();
      });
      const unlisten = onAbort(lost, () => {
        this.lost++;
        end();
      });
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.work = 0;
    await this.slots.close();
  }
}

function bench(most: number) {
  const clock = new ManualClock(0);
  const skew = { ms: 0 };
  const store = new MemoryStore(() => clock.nowMs() + skew.ms);
  const instances: Instance[] = [];
  let atOnce = 0;
  const pass = async (durationMs: number, stepMs = 50): Promise<void> => {
    for (const endMs = clock.nowMs() + durationMs; clock.nowMs() < endMs; ) {
      clock.advanceTo(clock.nowMs() + stepMs);
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      for (const one of instances) one.begin();
      atOnce = Math.max(
        atOnce,
        instances.reduce((sum, { running }) => sum + running, 0),
      );
    }
  };
  const add = (handlerMs: number | (() => number), concurrency = 4, logger: Logger = silentLogger): Instance => {
    const each = typeof handlerMs === 'number' ? () => handlerMs : handlerMs;
    const instance = new Instance(`${instances.length}`, { clock, shared: store, most, logger }, each, concurrency);
    instances.push(instance);
    return instance;
  };
  const close = async (): Promise<void> => {
    await Promise.all(instances.map((one) => one.close()));
  };
  const stored = async (): Promise<unknown> => JSON.parse((await store.read(KEY)).state ?? '{}');
  return { clock, skew, store, instances, pass, add, close, stored, atOnce: () => atOnce };
}

describe('slots of a group', () => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'are never in use by more than there are, through failures of the store (seed %p)',
    async (seed) => {
      const chance: Chance = seededRandom(seed);
      const most = 1 + below(chance, 8);
      const { instances, pass, add, close, stored, atOnce } = bench(most);
      const longestMs = seed % 2 === 0 ? SECOND_MS : 60 * SECOND_MS;
      for (let count = 1 + below(chance, 4); count > 0; count--) {
        const one = add(() => chance() * longestMs);
        one.latencyMs = () => (chance() < 0.3 ? chance() * 3 * SECOND_MS : 0);
        one.losesAnswer = () => chance() < 0.1;
      }
      for (let round = 0; round < 150; round++) {
        await pass(chance() * 2 * SECOND_MS, 250);
        for (const one of instances) {
          one.work = below(chance, 6);
          // For 30 s on average: as long as a lease.
          one.failure = chance() < (one.failure === undefined ? 0.01 : 0.97) ? new Error('away') : undefined;
        }
      }
      expect(atOnce()).toBeLessThanOrEqual(most);
      for (const one of instances) {
        Object.assign(one, { failure: undefined, latencyMs: () => 0, losesAnswer: () => false, work: 4, handled: 0 });
      }
      await pass(120 * SECOND_MS, 250);
      expect(atOnce()).toBe(Math.min(most, 4 * instances.length));
      for (const one of instances) expect(one.handled).toBeGreaterThan(0);
      await close();
      expect(await stored()).toMatchObject({ holders: [] });
    },
  );

  it('cost a request now and then while they are in use, and none without use', async () => {
    const { store, pass, add, close } = bench(4);
    const one = add(10 * 60 * SECOND_MS);
    await pass(10 * SECOND_MS);
    const { requests } = store;
    await pass(60 * SECOND_MS);
    expect(one.running).toBe(4);
    expect(store.requests - requests).toBeLessThanOrEqual(13);
    await close();
    const idle = bench(4);
    const two = idle.add(100);
    await idle.pass(SECOND_MS);
    two.work = 0;
    await idle.pass(2 * SECOND_MS);
    const before = idle.store.requests;
    await idle.pass(60 * SECOND_MS);
    expect([idle.store.requests - before, await idle.stored()]).toMatchObject([0, { holders: [] }]);
  });

  it('are taken in steps by an instance that uses all that it has, up to what it can use', async () => {
    const { pass, add, close } = bench(100);
    const one = add(200, 16);
    await pass(2 * SECOND_MS);
    expect([one.running, one.slots.isUsedUp(2 * SECOND_MS)]).toEqual([16, false]);
    await close();
  });

  it('are shared soon with an instance that comes later', async () => {
    const { pass, add, close, atOnce } = bench(8);
    const one = add(SECOND_MS, 8);
    await pass(4 * SECOND_MS);
    expect(one.running).toBe(8);
    const two = add(SECOND_MS, 8);
    // The next renewal, the end of the handlers, and a poll.
    await pass(3 * SECOND_MS);
    expect([one.running, two.running]).toEqual([4, 4]);
    two.work = 0;
    await pass(4 * SECOND_MS);
    expect([one.running, two.running, atOnce()]).toEqual([8, 0, 8]);
    await close();
  });

  it('are not used while the answer to a request is open that gives them back', async () => {
    const { pass, add, close, atOnce } = bench(8);
    const one = add(SECOND_MS, 8);
    one.latencyMs = () => 2 * SECOND_MS;
    const two = add(SECOND_MS, 8);
    for (let count = 0; count < 30; count++) {
      one.work = count % 3 === 0 ? 8 : 1;
      await pass(3.5 * SECOND_MS);
    }
    expect([one.handled > 20, two.handled > 20, atOnce()]).toEqual([true, true, 8]);
    await close();
  });

  it('are lost when they cannot be renewed: the signals fire before others have them', async () => {
    const logger = recordingLogger();
    const { clock, pass, add, close, instances, atOnce } = bench(2);
    const one = add(1_000 * SECOND_MS, 4, logger);
    await pass(SECOND_MS);
    const two = add(1_000 * SECOND_MS);
    one.failure = new Error('away');
    await pass(SLOT_LEASE_MS - 4 * SECOND_MS);
    expect([one.running, two.running, one.slots.problem]).toEqual([2, 0, undefined]);
    one.work = 0;
    await pass(6 * SECOND_MS);
    expect([one.lost, one.running, two.running, one.slots.problem]).toEqual([2, 0, 2, 'away']);
    expect(one.slots.isUsedUp(clock.monotonicMs())).toBe(true);
    expect(logger.lines.map(([line]) => line)).toEqual([
      'error the store of limits does not answer; the listener loses its slots soon, unless it does',
      'error the slots of a listener were not renewed in time; the signals of its running handlers fire',
    ]);
    one.failure = undefined;
    await pass(2 * SECOND_MS);
    expect([one.slots.problem, atOnce(), instances.length]).toEqual([undefined, 2, 2]);
    await close();
  });

  it('are lost when the store has forgotten them, because its clock was set', async () => {
    const { pass, add, close, skew } = bench(2);
    const one = add(1_000 * SECOND_MS);
    await pass(SECOND_MS);
    skew.ms = 2 * SLOT_LEASE_MS;
    one.work = 0;
    const two = add(1_000 * SECOND_MS);
    await pass(6 * SECOND_MS);
    expect([one.lost, one.running, two.running]).toEqual([2, 0, 2]);
    skew.ms = -100 * SLOT_LEASE_MS;
    await pass(6 * SECOND_MS);
    expect([two.lost, two.running]).toEqual([0, 2]);
    await close();
  });

  it('begin nothing in a process that stood still for longer than the lease', async () => {
    const { clock, pass, add } = bench(2);
    const one = add(SECOND_MS);
    await pass(SECOND_MS);
    const { lost } = one.slots;
    const frozenMs = clock.monotonicMs() + SLOT_LEASE_MS;
    expect(one.slots.take(frozenMs)).toBeGreaterThan(0);
    expect(lost.aborted).toBe(true);
    await one.close();
  });
});
