// What is written down, whatever goes wrong with who decides and who listens.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { TestBroker } from 'nestjs-rocketmq/testing';
import type { Json } from '../../../../test/fixtures/console-bench.js';
import { ConsoleCore } from '../../../../test/fixtures/console-core.js';
import { soon } from '../../../../tools/until.js';
import type { ConsoleSource } from '../source.js';
import type { ConsoleOptions } from './options.js';

const rewind = { action: 'rewind', consumerGroup: 'billing', topic: 'orders', to: 'end' };

let broker: TestBroker;
let admin: RocketMQAdmin;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  broker = await TestBroker.start({
    strict: true,
    nameServerPort: 0,
    topics: [{ name: 'orders' }],
    groups: [{ name: 'billing' }],
  });
  closers.push(() => broker.stop());
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function opened(options: ConsoleOptions, source: Partial<ConsoleSource> = {}): ConsoleCore {
  const core = new ConsoleCore({ admin, ...source }, options);
  closers.push(() => core.close());
  return core;
}

describe('the audit', () => {
  it('has the attempt to carry out the plan of another viewer, whose plan stays', async () => {
    const core = opened({});
    const plan = await core.plan(rewind);
    expect(await core.execute(plan, { viewer: 'eve' })).toMatchObject({ error: { code: 'NO_PLAN' } });
    expect(await core.audit()).toMatchObject([{ viewer: 'eve', action: 'rewind', outcome: 'rejected' }]);
    expect(await core.execute(plan)).toMatchObject({ outcome: 'done' });
  });

  it('has a change that nobody could decide about, whose plan stays, and no viewer sees why', async () => {
    const entries: Json[] = [];
    let isDown = false;
    const authorize = async (): Promise<boolean> => {
      if (isDown) throw Object.assign(new Error('connect 10.1.2.3:5432 user=app'), { code: 'ECONNREFUSED' });
      return true;
    };
    const core = opened({ authorize, audit: (entry) => void entries.push(entry) });
    const plan = await core.plan(rewind);
    isDown = true;
    const failed = await core.execute(plan);
    expect([failed.status, failed.error.code, JSON.stringify(failed).includes('10.1.2.3')]).toEqual([
      500,
      'UNDECIDED',
      false,
    ]);
    const shown = await core.audit();
    const target = { consumerGroup: 'billing', topic: 'orders', to: 'end' };
    expect(shown).toMatchObject([{ outcome: 'rejected', target, text: 'authorize failed; the log says why' }]);
    expect(JSON.stringify(shown)).not.toContain('10.1.2.3');
    expect(entries).toMatchObject([{ outcome: 'rejected', text: expect.stringContaining('10.1.2.3') }]);
    expect(core.lines.join()).toContain('10.1.2.3');
    isDown = false;
    expect(await core.execute(plan)).toMatchObject({ outcome: 'done' });
  });

  it.each([
    ['throws', () => fail()],
    ['rejects', async () => fail()],
  ])('that %s costs neither the change nor the process, and is logged', async (_, audit) => {
    const core = opened({ audit });
    expect(await core.change(rewind)).toMatchObject({ outcome: 'done' });
    await soon(() => core.lines.some((line) => line.includes('the audit failed: the database is away')));
  });

  it('is called also when the log throws', async () => {
    const entries: Json[] = [];
    const core = opened({ audit: (entry) => void entries.push(entry) }, { log: fail });
    expect(await core.change(rewind)).toMatchObject({ outcome: 'done' });
    expect(entries).toMatchObject([{ action: 'rewind', outcome: 'done' }]);
  });

  it('writes one line for each entry, in which a value cannot pass for something else', async () => {
    const core = opened({ authorize: () => false });
    const topic = 'x: rejected: not allowed\nconsole: ada: replay consumerGroup billing: done\u2028\u001b[2J';
    await core.plan({ action: 'faults', rule: { rpc: topic } }, { viewer: 'eve\nconsole: ada' });
    await core.plan(rewind, { viewer: 'eve\nconsole: ada' });
    expect(core.lines.length).toBeGreaterThan(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    for (const line of core.lines) expect(line).not.toMatch(/[\n\u2028\u001b]/);
    expect(core.lines.at(-1)).toContain('console: "eve\\nconsole: ada": rewind consumerGroup billing');
  });
});

function fail(): never {
  throw new Error('the database is away');
}

describe('options', () => {
  it.each([
    [{ authorise: () => false }, 'the console has no option "authorise"'],
    [{ body: 'hidden' }, 'the console has no option "body"'],
    [{ operationsTopic: '' }, 'option operationsTopic of the console must be the name of a topic'],
    [{ actions: ['replays'] }, 'option actions of the console must be'],
    [{ authorize: true }, 'option authorize of the console must be a function'],
  ])('that are wrong are rejected: %j', (options, message) => {
    expect(() => opened(options as never)).toThrow(message);
  });

  it('of who may do what: only true is yes', async () => {
    const core = opened({ authorize: (() => {}) as never });
    expect(await core.plan(rewind)).toMatchObject({ status: 403, error: { code: 'NOT_ALLOWED' } });
  });
});

describe('plans', () => {
  it('are carried out by their owner only, once, and within five minutes', async () => {
    const clock = { ms: 0 };
    const core = opened({}, { monotonicMs: () => clock.ms });
    const plan = await core.plan(rewind);
    expect(await core.execute(plan, { viewer: 'bob' })).toMatchObject({ error: { code: 'NO_PLAN' } });
    const both = await Promise.all([core.execute(plan), core.execute(plan)]);
    expect(both.map(({ outcome, error }) => outcome ?? error.code).sort()).toEqual(['NO_PLAN', 'done']);
    const old = await core.plan(rewind);
    clock.ms += 5 * 60_000;
    expect(await core.execute(old)).toMatchObject({ error: { code: 'NO_PLAN' } });
  });

  it('are allowed again when they are carried out, and everything is written down', async () => {
    const lost = new Set<string>();
    const core = opened({ authorize: (viewer) => !lost.has(viewer ?? '') });
    const { plan } = await core.plan(rewind);
    lost.add('ada');
    expect(await core.execute({ plan })).toMatchObject({ error: { code: 'NOT_ALLOWED' } });
    expect(await core.audit()).toMatchObject([
      { viewer: 'ada', remoteAddress: '10.0.0.1', action: 'rewind', outcome: 'rejected', plan },
    ]);
  });

  it('of one viewer do not make those of others go, and the oldest of them goes first', async () => {
    const core = opened({});
    const ada = await core.plan(rewind);
    const eve = { viewer: 'eve' };
    const first = await core.plan(rewind, eve);
    for (let i = 0; i < 50; i++) await core.plan(rewind, eve);
    expect(await core.execute(first, eve)).toMatchObject({
      error: { code: 'NO_PLAN', message: expect.stringContaining('50 newer ones were made') },
    });
    expect(await core.execute(ada)).toMatchObject({ outcome: 'done' });
  });
});

describe('whoever may only look', () => {
  it('cannot make the entries of others go, nor fill the memory', async () => {
    const core = opened(
      { authorize: (viewer) => viewer === 'ada' },
      { control: () => ({ faults: async () => [] }) as never },
    );
    await core.change(rewind);
    const rule = { rpc: 'sendMessage', ['x'.repeat(100_000)]: 'y'.repeat(100_000) };
    for (let i = 0; i < 1_100; i++) await core.plan({ action: 'faults', rule }, { viewer: 'eve' });
    const entries = await core.audit();
    expect(entries).toContainEqual(expect.objectContaining({ viewer: 'ada', action: 'rewind', outcome: 'done' }));
    expect(entries.filter(({ viewer }) => viewer === 'eve')).toHaveLength(200);
    expect(JSON.stringify(entries).length).toBeLessThan(300_000);
  });
});

describe('a request that is wrong', () => {
  it.each([
    '/api/topics/bad%20name/messages',
    '/api/topics/orders/messages?after=garbage',
    '/api/topics/orders/messages?id=%20',
    '/api/topics/orders/messages?from=5&to=3',
    '/api/groups/billing/dead-letters?after=x',
  ])('is answered as one: %s', async (path) => {
    expect(await opened({}).ask(path)).toMatchObject({ status: 400, error: { code: expect.any(String) } });
  });
});
