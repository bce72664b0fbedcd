// What the pages say of a cluster whose answers and clocks the spec decides: hours, brokers that are away, sixty groups.

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import type { Json } from '../../../../test/fixtures/console-bench.js';
import { ConsoleCore } from '../../../../test/fixtures/console-core.js';
import type { ConsoleApplication } from '../source.js';
import { LagTrend } from './lag-trend.js';

const HOUR_MS = 3_600_000;
const failures = [{ name: 'broker-b', error: new Error('timeout') }];

/** A cluster with these groups; those without a lag cannot be asked. */
class Cluster {
  readonly lag = new Map<string, number>();
  groups: readonly string[] = [];
  failures: typeof failures = [];
  /** Those of the application. */
  own: readonly string[] = [];
  clients: readonly object[] = [{}];
  /** Of those who ask for clients. */
  clientFailures: typeof failures = [];
  /** How long the answer to a question takes. */
  latencyMs = (_question: number): number => 0;
  asked = 0;

  readonly admin = {
    listTopics: async () => ({ topics: [], failures: this.failures }),
    listGroups: async () => ({
      groups: this.groups.map((consumerGroup) => ({ consumerGroup })),
      failures: this.failures,
    }),
    groupLag: async (consumerGroup: string) => {
      const latencyMs = this.latencyMs(this.asked++);
      if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs));
      const lag = this.lag.get(consumerGroup);
      if (lag === undefined) throw new Error('no broker answers');
      return { lag, topics: [{ topic: 'orders', lag, retries: 0, queues: [] }], failures: [] };
    },
    groupClients: async () => ({ clients: this.clients, subscriptions: [], failures: this.clientFailures }),
    topicOffsets: async () => ({ total: 0, queues: [], failures: [] }),
    describeTopic: async (topic: string) => ({ topic }),
    groupsOfTopic: async () => ({ consumerGroups: this.groups, failures: [] }),
    brokerVersions: async () => ({ brokers: [], failures: [] }),
    brokerClocks: async () => ({ brokers: [], failures: [] }),
  } as unknown as RocketMQAdmin;
}

let cluster: Cluster;
let core: ConsoleCore;
/** What the machine's clock is set to, apart from what has passed. */
let setMs = 0;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'], now: 1_000_000_000_000 });
  setMs = 0;
  cluster = new Cluster();
  const monotonicMs = (): number => Date.now() - 1_000_000_000_000;
  const listeners = (): object[] => cluster.own.map((consumerGroup) => ({ consumerGroup }));
  const application = { listeners, events: () => [], attempts: () => [] } as unknown as ConsoleApplication;
  core = new ConsoleCore({ admin: cluster.admin, application, nowMs: () => Date.now() + setMs, monotonicMs });
});
afterEach(() => {
  core.close();
  jest.useRealTimers();
});

/** Lets time pass, a second at a time, and something happen before each. */
async function pass(ms: number, each: () => void = () => {}): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
    each();
    await jest.advanceTimersByTimeAsync(1_000);
  }
}

const overview = (): Promise<Json> => core.ask('/api/overview');
const growing = async (): Promise<readonly string[]> =>
  (await overview()).troubles.growing.map(({ consumerGroup }: Json) => consumerGroup);

describe('the first page', () => {
  it('lists a group whose lag grows, which nobody has opened', async () => {
    cluster.groups = ['billing', 'steady'];
    let lag = 0;
    cluster.lag.set('steady', 7);
    core.console.watch.attach();
    await pass(120_000, () => {
      lag += 1_000;
      cluster.lag.set('billing', lag);
    });
    expect(await growing()).toEqual(['billing']);
  });

  it('lists a group whose lag grows all the time, however long its brokers take to answer', async () => {
    cluster.groups = ['billing'];
    cluster.own = ['billing'];
    const latencies = [320, 20, 150, 40, 260, 30, 90, 10, 300, 25, 180, 15];
    cluster.latencyMs = (question) => latencies[question % latencies.length] ?? 0;
    core.console.watch.attach();
    const rise = (): void => void cluster.lag.set('billing', Date.now());
    await pass(120_000, rise);
    let times = 0;
    for (let seconds = 0; seconds < 300; seconds++) {
      await pass(1_000, rise);
      times += (await growing()).length;
    }
    expect(times).toBe(300);
  });

  it('lists a group whose lag grows beside a thousand others, and many of the application', async () => {
    cluster.own = Array.from({ length: 45 }, (_, index) => `own-${index}`);
    cluster.groups = [...cluster.own, ...Array.from({ length: 1_000 }, (_, index) => `other-${index}`)];
    for (const group of cluster.groups) cluster.lag.set(group, 1);
    core.console.watch.attach();
    await pass(55 * 60_000, () => cluster.lag.set('other-10', Date.now()));
    expect(await growing()).toEqual(['other-10']);
  }, 60_000);

  it('does not list a group without consumers whose brokers did not all answer', async () => {
    cluster.groups = ['billing'];
    cluster.lag.set('billing', 5);
    cluster.clients = [];
    cluster.clientFailures = failures;
    core.console.watch.attach();
    await pass(5_000);
    const troubles = async (): Promise<Json> => (await overview()).troubles;
    expect(await troubles()).toMatchObject({ unattended: [], unknown: [{ consumerGroup: 'billing' }] });
    cluster.clientFailures = [];
    await pass(15_000);
    expect(await troubles()).toMatchObject({ unattended: [{ consumerGroup: 'billing' }], unknown: [] });
  });

  it('does not call a lag growing that was looked at hours apart', async () => {
    cluster.groups = ['billing'];
    const looks = [1, 1, 1, 2];
    for (const lag of looks) {
      cluster.lag.set('billing', lag);
      const leave = core.console.watch.attach();
      await pass(5_000);
      leave();
      await pass(90_000);
      await jest.advanceTimersByTimeAsync(4 * HOUR_MS);
    }
    core.console.watch.attach();
    await pass(2_000);
    expect(await growing()).toEqual([]);
  });

  it('does not show what was known before everybody left as what is', async () => {
    cluster.groups = ['billing'];
    cluster.lag.set('billing', 80_000);
    const leave = core.console.watch.attach();
    await pass(5_000);
    expect((await overview()).counts).toMatchObject({ sampled: 1, lag: 80_000 });
    leave();
    await pass(90_000);
    await jest.advanceTimersByTimeAsync(20 * HOUR_MS);
    expect((await overview()).counts).toMatchObject({ sampled: 0, lag: 0 });
  });

  it('keeps what was last known of a group that cannot be asked, and says so', async () => {
    cluster.groups = ['billing', 'other'];
    cluster.lag.set('billing', 70_000).set('other', 1);
    core.console.watch.attach();
    await pass(15_000);
    cluster.lag.delete('billing');
    await pass(30_000);
    expect(await overview()).toMatchObject({
      counts: { lag: 70_001 },
      troubles: { unknown: [{ consumerGroup: 'billing', lag: 70_000, problem: 'no broker answers' }] },
    });
  });

  it('is kept up when the clock of the machine is set back', async () => {
    cluster.groups = ['billing'];
    cluster.lag.set('billing', 5);
    core.console.watch.attach();
    await pass(15_000);
    setMs = -HOUR_MS;
    cluster.lag.set('billing', 900_000);
    cluster.groups = ['billing', 'new'];
    cluster.lag.set('new', 0);
    await pass(30_000);
    expect((await overview()).counts).toMatchObject({ groups: 2, lag: 900_000 });
  });
});

describe('the watch', () => {
  it('keeps the history of groups that only a broker has that is away', async () => {
    cluster.groups = ['billing', 'other'];
    cluster.lag.set('billing', 5).set('other', 5);
    core.console.watch.attach();
    core.console.watch.pin('billing');
    await pass(120_000);
    const points = (): number => core.console.watch.historyOf('billing')?.points('hour').length ?? 0;
    const before = points();
    cluster.groups = ['other'];
    cluster.failures = failures;
    await pass(20_000);
    cluster.groups = ['billing', 'other'];
    cluster.failures = [];
    await pass(20_000);
    expect(before).toBeGreaterThan(5);
    expect(points()).toBeGreaterThan(before);
    cluster.groups = ['other'];
    await pass(20_000);
    expect(points()).toBe(0);
  });

  it('looks at every group, also when fifty others are watched, and at no more than five a second', async () => {
    cluster.groups = Array.from({ length: 60 }, (_, index) => `g${index}`);
    for (const group of cluster.groups) cluster.lag.set(group, 1);
    core.console.watch.attach();
    for (const group of cluster.groups.slice(0, 50)) core.console.watch.pin(group);
    await pass(60_000);
    const never = cluster.groups.filter((group) => core.console.watch.sampleOf(group) === undefined);
    expect(never).toEqual([]);
    expect(cluster.asked).toBeLessThanOrEqual(5 * 61);
  });

  it('keeps the charts of the application when a tab names groups that do not exist', async () => {
    cluster.groups = ['billing', 'other'];
    cluster.own = ['billing'];
    cluster.lag.set('billing', 5).set('other', 5);
    core.console.watch.attach();
    for (let index = 0; index < 50; index++) core.console.watch.pin(`no-${index}`);
    core.console.watch.pin('other');
    await pass(60_000);
    const points = (group: string): number => core.console.watch.historyOf(group)?.points('hour').length ?? 0;
    expect([points('billing') > 3, points('other') > 3]).toEqual([true, true]);
  });

  it('asks for the lag of a topic once, however many viewers open it', async () => {
    cluster.groups = Array.from({ length: 20 }, (_, index) => `g${index}`);
    for (const group of cluster.groups) cluster.lag.set(group, 1);
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => core.ask('/api/topics/orders', undefined, { viewer: `v${index}` })),
    );
    expect(cluster.asked).toBe(20);
  });
});

describe('the lag of a group', () => {
  const grows = (stepMs: number, lags: readonly number[]): boolean => {
    const trend = new LagTrend();
    for (const [index, lag] of lags.entries())
      trend.add({ atMs: index * stepMs, lag, position: 0, end: lag }, 15 * 60_000);
    return trend.isGrowing;
  };

  it.each([
    ['has risen for a minute', 20_000, [1, 2, 2, 3], true],
    ['has risen for some seconds', 5_000, [1, 2, 3], false],
    ['has fallen in between', 20_000, [1, 3, 2, 4], false],
    ['stays', 20_000, [5, 5, 5, 5], false],
    ['was looked at hours apart', 4 * HOUR_MS, [1, 1, 1, 1, 1, 2], false],
  ])('that %s', (_, stepMs, lags, expected) => {
    expect(grows(stepMs, lags)).toBe(expected);
  });
});
