// The computations of `npm run check load`: options, search, figures, and the detection of losses.

import { describe, expect, it } from '@jest/globals';
import { endingOf } from '../../scripts/demo/demo-client.js';
import { valuesIn } from '../options.js';
import { partsOf } from './lib/profile.js';
import { LOAD_CHECK } from './load/check.js';
import { costOf, figuresOf } from './load/figures.js';
import { detailOf, PARTS, partOf } from './load/parts.js';
import { planOf, scheduleOf } from './load/plan.js';
import { searchRate } from './load/rate-search.js';
import { problemsIn, reportText } from './load/report.js';
import { violationsOf } from './load/violations.js';

const installed = { hasPostgres: true };

function planned(args: readonly string[], here = installed) {
  return planOf(valuesIn(LOAD_CHECK.options, args).values, here);
}

describe('the options of a load', () => {
  it('measure both brokers with one, two and four instances', () => {
    expect(planned([])).toMatchObject({ database: 'postgres', rounds: 1, notes: [] });
    expect(planned([]).setups.map(({ backend, instances }) => `${backend} ${instances}`)).toEqual([
      'embedded 1',
      'embedded 2',
      'embedded 4',
      'rocketmq 1',
      'rocketmq 2',
      'rocketmq 4',
    ]);
  });

  it('exclude several instances if PostgreSQL is not installed, and report it', () => {
    const plan = planned(['--backend', 'embedded'], { hasPostgres: false });
    expect(plan.setups).toEqual([{ backend: 'embedded', instances: 1 }]);
    expect(plan.notes.join('; ')).toMatch(/PostgreSQL is not installed.*only one instance, not 2 or 4/);
  });

  it.each([
    [['--backend', 'kafka'], '--backend knows embedded, embedded-sync, rocketmq, not "kafka"'],
    [['--instances', '1,many'], '--instances knows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, not "many"'],
    [['--instances', ''], '--instances needs a value'],
    [['--seconds', '0'], '--seconds must be an integer'],
    [['--seconds', '1'], '--seconds 1: a try has to last longer than the limit of 1000 ms'],
    [['--clients', '1e9'], '--clients must be an integer'],
    [['--database', 'oracle'], '--database knows postgres, pglite, not "oracle"'],
    [['--sceonds', '3'], 'there is no option --sceonds'],
  ])('reject %j and name what is wrong', (args, message) => {
    expect(() => planned(args)).toThrow(message);
  });

  it('reject PostgreSQL if it is not installed', () => {
    const read = () => planned(['--database', 'postgres'], { hasPostgres: false });
    expect(read).toThrow('--database postgres: it is not installed');
  });

  it('profile only if asked to', () => {
    expect(planned([]).isProfiled).toBe(false);
    expect(planned(['--profile']).isProfiled).toBe(true);
  });

  it('start each round with another setup', () => {
    const plan = planned(['--backend', 'embedded', '--rounds', '2']);
    const order = scheduleOf(plan).map(({ instances, round }) => `${round}:${instances}`);
    expect(order).toEqual(['0:1', '0:2', '0:4', '1:2', '1:4', '1:1']);
  });
});

describe('the search for the highest rate', () => {
  const sustains = (most: number) => async (rate: number) => ({ isSustained: rate <= most });

  it.each([0.1, 0.5, 0.9, 1, 3, 10])(
    'ends within a tenth below it, when the first guess is %d times as high',
    async (off) => {
      const { best, isHighest } = await searchRate({ start: 100 * off, maxTries: 20 }, sustains(100));
      expect(isHighest).toBe(true);
      expect(best?.rate).toBeLessThanOrEqual(100);
      expect(best?.rate).toBeGreaterThanOrEqual(90);
    },
  );

  it('reports when it had to stop early', async () => {
    const { best, isHighest, tries } = await searchRate({ start: 10, maxTries: 3 }, sustains(100));
    expect(isHighest).toBe(false);
    expect(tries).toHaveLength(3);
    expect(best?.rate).toBeCloseTo(25.6);
  });

  it('finds no rate if none is sustained, and ends', async () => {
    const { best, tries } = await searchRate({ start: 50, maxTries: 100 }, sustains(0));
    expect(best).toBeUndefined();
    expect(tries.length).toBeLessThan(20);
  });
});

type Ending = NonNullable<ReturnType<typeof endingOf>>;

const START = 1_000_000;

/** Ten orders per second, each with its own duration. */
function orders(latenciesMs: readonly number[], more: { readonly postMs?: number } = {}) {
  const placed = latenciesMs.map((_, index) => ({
    sku: 'product-0',
    id: `order-${index}`,
    dueAtMs: START + index * 100,
    lateMs: 0,
    postMs: more.postMs ?? 5,
  }));
  const endings = new Map(
    latenciesMs.map((latencyMs, index) => {
      const at = START + index * 100 + latencyMs;
      return [`order-${index}`, { outcome: 'reserved' as const, reservedAtMs: at, doneAtMs: at }];
    }),
  );
  return { placed, endings, limitMs: 1_000 };
}

const hundred = Array.from({ length: 100 }, (_, index) => index + 1);

describe('a rate', () => {
  it('is sustained when 99 of 100 orders are done in time', () => {
    const figures = figuresOf(orders([...hundred.slice(1), 5_000]));
    expect(figures).toMatchObject({ orders: 100, failed: 0, isSustained: true });
    expect(figures.reservedMs).toEqual({ p50: 51, p90: 91, p99: 100, max: 5_000 });
  });

  it('is not sustained when the latency of orders keeps growing', () => {
    expect(figuresOf(orders(hundred.map((one) => one * 11))).isSustained).toBe(false);
  });

  it('is not sustained when an order was rejected or did not complete', () => {
    const { placed, endings, limitMs } = orders([10, 10, 10]);
    const rejected = placed.map((one, index) => (index === 1 ? { ...one, id: undefined, error: '503' } : one));
    expect(figuresOf({ placed: rejected, endings, limitMs })).toMatchObject({
      orders: 2,
      failed: 1,
      isSustained: false,
    });
    endings.delete('order-2');
    expect(figuresOf({ placed, endings, limitMs })).toMatchObject({ orders: 3, failed: 0, isSustained: false });
  });

  it('is not sustained when the time-outs lag behind the reservations', () => {
    const { placed, endings, limitMs } = orders([10, 10, 10]);
    for (const [id, ending] of endings) endings.set(id, { ...ending, doneAtMs: ending.doneAtMs + 2_000 });
    const figures = figuresOf({ placed, endings, limitMs });
    expect(figures.reservedMs.max).toBe(10);
    expect(figures.isSustained).toBe(false);
  });

  it('has the CPU time of the processes per order', () => {
    const before = { own: { broker: 1_000_000 }, machine: 7_000_000 };
    const after = { own: { broker: 3_000_000 }, machine: 12_000_000 };
    const cost = costOf(before, after, { orders: 100, elapsedMs: 4_000 });
    expect(cost).toEqual({ millisPerOrder: { broker: 20 }, cores: { broker: 0.5 }, otherCores: 0.75 });
  });
});

describe('the time line of an order', () => {
  const step = (what: string, status: string, at: number) => ({ what, status, at: new Date(START + at).toISOString() });
  const ending = (...history: ReturnType<typeof step>[]) => endingOf({ id: 'order-0', sku: 'book', history });

  it('is complete when the stock is reserved and the time-out scheduled, in either order', () => {
    const created = step('created', 'PENDING_STOCK', 0);
    const scheduled = step('time-out scheduled', 'PENDING_STOCK', 30);
    const reserved = step('stock reserved', 'PENDING_PAYMENT', 50);
    expect(ending(created)).toBeUndefined();
    expect(ending(created, reserved)).toBeUndefined();
    expect(ending(created, scheduled)).toBeUndefined();
    const ended = { outcome: 'reserved', reservedAtMs: START + 50, doneAtMs: START + 50 };
    expect(ending(created, scheduled, reserved)).toEqual(ended);
    const late = step('time-out scheduled', 'PENDING_PAYMENT', 70);
    expect(ending(created, reserved, late)).toEqual({ ...ended, doneAtMs: START + 70 });
  });

  it('is complete when the stock is rejected', () => {
    const rejected = step('stock rejected', 'REJECTED', 20);
    expect(ending(rejected)).toEqual({ outcome: 'rejected', reservedAtMs: START + 20, doneAtMs: START + 20 });
  });
});

describe('the invariants after a load', () => {
  const products = [{ sku: 'product-0', quantity: 1_000 }];
  const good = () => ({
    ...orders([1, 2, 3]),
    products,
    stock: [{ sku: 'product-0', available: 997, reserved: 3, sold: 0 }],
  });

  it('hold for a correct run', () => {
    expect(violationsOf(good())).toEqual([]);
  });

  it('are violated when an order is lost', () => {
    const run = good();
    run.endings.delete('order-1');
    run.stock = [{ sku: 'product-0', available: 998, reserved: 2, sold: 0 }];
    expect(violationsOf(run)).toEqual([expect.stringMatching(/neither reserved nor rejected.*: order-1$/)]);
  });

  it('are violated when an order was rejected despite sufficient stock', () => {
    const run = good();
    const endings = new Map<string, Ending>([...run.endings]);
    endings.set('order-1', { outcome: 'rejected', reservedAtMs: START, doneAtMs: START });
    const stock = [{ sku: 'product-0', available: 998, reserved: 2, sold: 0 }];
    expect(violationsOf({ ...run, endings, stock })).toEqual([expect.stringMatching(/^rejected.*: order-1$/)]);
  });

  it.each([
    ['a piece is gone', { available: 996, reserved: 3, sold: 0 }, /996 available \+ 3 reserved \+ 0 sold is not 1000/],
    ['a piece is reserved twice', { available: 996, reserved: 4, sold: 0 }, /4 reserved, but its orders have 3/],
    ['a piece is sold that nobody paid', { available: 997, reserved: 2, sold: 1 }, /2 reserved, but its orders have 3/],
  ])('are violated when %s', (_, pieces, message) => {
    expect(violationsOf({ ...good(), stock: [{ sku: 'product-0', ...pieces }] })).toEqual([
      expect.stringMatching(message),
    ]);
  });

  it('are violated when a product is missing, or two orders have the same id', () => {
    expect(violationsOf({ ...good(), stock: [] })).toEqual(['product-0 is not in stock any more']);
    const run = good();
    const placed = run.placed.map((one) => ({ ...one, id: 'order-0' }));
    expect(violationsOf({ ...run, placed })[0]).toMatch(/^ids given to two orders: order-0/);
  });

  it('allow an order without an answer to exist or not', () => {
    const run = good();
    const placed = run.placed.map((one, index) => (index === 1 ? { ...one, id: undefined, error: 'cut off' } : one));
    const stockOf = (reserved: number) => [{ sku: 'product-0', available: 1_000 - reserved, reserved, sold: 0 }];
    for (const reserved of [2, 3]) expect(violationsOf({ ...run, placed, stock: stockOf(reserved) })).toEqual([]);
    for (const reserved of [1, 4]) {
      const violation = `product-0: ${reserved} reserved, but its orders have 2 to 3`;
      expect(violationsOf({ ...run, placed, stock: stockOf(reserved) })).toEqual([violation]);
    }
  });
});

describe('the parts of a demo', () => {
  it.each([
    ['node:_http_server', 'HTTP'],
    ['file:///here/node_modules/express/lib/express.js', 'HTTP'],
    ['file:///here/node_modules/@nestjs/core/index.js', 'Nest'],
    ['file:///here/node_modules/pg/lib/client.js', 'database'],
    ['file:///here/node_modules/@nestjs/x/node_modules/kysely/index.js', 'database'],
    ['file:///here/apps/order-demo/dist/main.js', 'business'],
    ['file:///here/libs/demo-kit/dist/index.js', 'business'],
    ['file:///here/libs/rocketmq/dist/cjs/sql.js', 'library: sql'],
    ['file:///here/libs/rocketmq/dist/cjs/nest.js', 'library: nest'],
    ['file:///here/libs/rocketmq/dist/cjs/chunks/client.js', 'library: client'],
    ['file:///here/libs/rocketmq/dist/cjs/opentelemetry.js', 'telemetry'],
    ['node:internal/http2/core', 'library: client'],
  ])('own their files: %s', (url, part) => {
    expect(partOf({ functionName: 'f', url })).toBe(part);
    expect(PARTS).toContain(part);
  });

  it('pay for what has no part', () => {
    for (const url of ['', 'node:internal/streams/writable', 'file:///here/node_modules/ms/index.js'])
      expect(partOf({ functionName: 'f', url })).toBeUndefined();
  });

  it('show the socket writes that they cause', () => {
    const nodeOf = (id: number, functionName: string, url: string, children: number[] = []) => {
      return { id, callFrame: { functionName, url, lineNumber: 0 }, children };
    };
    const nodes = [
      nodeOf(1, '(root)', '', [2, 4]),
      nodeOf(2, 'flush', 'file:///here/libs/rocketmq/dist/cjs/chunks/socket-output.js', [3]),
      nodeOf(3, 'writev', ''),
      nodeOf(4, 'query', 'file:///here/node_modules/pg/lib/client.js', [5]),
      nodeOf(5, 'writeUtf8String', ''),
    ];
    const shares = partsOf({ nodes, samples: [2, 3, 4, 5], timeDeltas: [10, 40, 20, 30] }, partOf, detailOf);
    expect(Object.fromEntries(shares.map(({ place, percent }) => [place, percent]))).toEqual({
      'library: client': 10,
      'library: client: socket writes': 40,
      database: 20,
      'database: socket writes': 30,
    });
    expect(PARTS).toContain('library: client: socket writes');
  });
});

describe('the report of a load', () => {
  const spread = { p50: 10, p90: 20, p99: 30, max: 40 };
  const tried = (rate: number) => ({
    rate,
    orders: 100,
    failed: 0,
    perSecond: rate,
    isSustained: true,
    postMs: spread,
    reservedMs: spread,
    doneMs: spread,
    lateMs: spread,
    millisPerOrder: { 'order-demo': 5, broker: 3 },
    cores: { 'order-demo': 0.9, broker: 0.4 },
    otherCores: 0.02,
  });
  const run = (round: number, rate: number) => ({
    backend: 'embedded',
    instances: 2,
    round,
    label: 'embedded',
    result: { compared: tried(20), best: tried(rate), isHighest: true, tries: [], violations: [] as string[] },
  });
  const outcome = (runs: readonly Parameters<typeof problemsIn>[0][number][]) => ({
    date: '2026-01-01',
    machine: { cpu: 'a cpu', cores: 2, memoryGiB: 8, system: 'Linux', node: '20', java: 'no Java' },
    database: 'PostgreSQL',
    plan: planned(['--rounds', '2']),
    runs,
  });

  it('contains the median of the rounds and the busiest process', () => {
    const text = reportText(outcome([run(0, 100), run(1, 140)]));
    expect(text).toMatch(/\| embedded, 2 +\| +120 \(100-140\) \|/);
    expect(text).toContain('order-demo, 0.90 cores');
    expect(text).not.toContain('WRONG');
  });

  it('shows that more may be sustained if no higher rate was tried', () => {
    const one = run(0, 100);
    expect(reportText(outcome([{ ...one, result: { ...one.result, isHighest: false } }]))).toMatch(/≥ 100/);
  });

  it('warns when the machine was busy with other work', () => {
    expect(reportText(outcome([run(0, 100)]))).not.toContain('NOT QUIET');
    const busy = run(1, 100);
    busy.result.compared.otherCores = 1.5;
    expect(reportText(outcome([run(0, 100), busy]))).toMatch(/^NOT QUIET: .*1\.5 cores/m);
  });

  it('contains the CPU time of each demo by part if it was profiled', () => {
    const one = run(0, 100);
    expect(reportText(outcome([one]))).not.toContain('by part');
    const shares = [
      { place: 'database', percent: 60 },
      { place: 'library: client', percent: 30 },
      { place: 'library: sql', percent: 10 },
    ];
    const text = reportText(outcome([{ ...one, result: { ...one.result, profiles: { 'order-demo': shares } } }]));
    const [head, line] = ['broker, inventory-demo +\\| HTTP', 'embedded, 2: order-demo'].map((begin) =>
      new RegExp(`^\\| ${begin}.*$`, 'm')
        .exec(text)?.[0]
        .split('|')
        .slice(2, -1)
        .map((cell) => cell.trim()),
    );
    const percent = Object.fromEntries((head ?? []).map((part, index) => [part, line?.[index]]));
    expect(percent).toMatchObject({ database: '60', library: '40', 'library: client': '30', HTTP: '0' });
  });

  it('lists losses and failures', () => {
    const lost = run(0, 100);
    lost.result.violations.push('an order is lost');
    const broken = {
      backend: 'rocketmq',
      instances: 1,
      round: 1,
      label: 'Apache RocketMQ',
      error: 'order-demo ended\nits log',
    };
    expect(problemsIn([lost, broken])).toEqual([
      'embedded, 2 inventory-demo, round 1: an order is lost',
      'Apache RocketMQ, 1 inventory-demo, round 2: order-demo ended',
    ]);
    expect(reportText(outcome([lost, broken]))).toContain('WRONG');
  });
});
