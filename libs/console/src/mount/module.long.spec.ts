import type { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  Injectable,
  VersioningType,
} from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { createPglite } from 'demo-kit';
import { RocketMQListener, RocketMQModule } from 'nestjs-rocketmq';
import { Schedule, schemaSql } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ConsoleBrowser, sendRaw } from '../../../../test/fixtures/console-bench.js';
import { until } from '../../../../tools/until.js';
import { RocketMQConsoleModule, type RocketMQConsoleModuleOptions } from './module.js';

@Injectable()
class Billing {
  @RocketMQListener('orders', { consumerGroup: 'billing' })
  bill(body: unknown): void {
    if (body === 'bad') throw new Error('card declined');
  }
}

@Injectable()
class AdminGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest().headers.authorization === 'let me in';
  }
}

let broker: TestBroker;
const apps: INestApplication[] = [];

beforeEach(async () => {
  broker = await TestBroker.start({
    strict: true,
    nameServerPort: 0,
    topics: [{ name: 'orders' }],
    groups: [{ name: 'billing' }],
  });
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  await broker.stop();
});

async function started(
  options: RocketMQConsoleModuleOptions = {},
  prepare: (app: INestApplication) => void = () => {},
): Promise<string> {
  const compiled = await Test.createTestingModule({
    imports: [
      RocketMQModule.forRoot({ endpoints: broker.endpoints, nameServer: broker.nameServerEndpoint }),
      RocketMQConsoleModule.forRoot(options),
    ],
    providers: [Billing],
  }).compile();
  const app = compiled.createNestApplication({ logger: false });
  apps.push(app);
  prepare(app);
  await app.listen(0, '127.0.0.1');
  return app.getUrl();
}

describe('the console in an application', () => {
  it('answers below its path, the global prefix and a version', async () => {
    const url = await started({ path: 'queues' }, (app) => {
      app.setGlobalPrefix('internal');
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    });
    const response = await fetch(`${url}/internal/queues/api/topics`);
    expect([response.status, await response.json()]).toMatchObject([200, { topics: [{ topic: 'orders' }] }]);
    expect((await fetch(`${url}/internal/queues/api/topics/orders/messages?limit=0`)).status).toBe(400);
    expect((await fetch(`${url}/internal/queues/api/groups/billing`)).status).toBe(200);
  });

  it('is closed by its guards', async () => {
    const url = await started({ guards: [AdminGuard] });
    expect((await fetch(`${url}/rocketmq/api/topics`)).status).toBe(403);
    const headers = { authorization: 'let me in' };
    expect((await fetch(`${url}/rocketmq/api/topics`, { headers })).status).toBe(200);
  });

  it('answers only this machine without guards, by its name and address', async () => {
    const url = await started();
    const { port } = new URL(url);
    expect((await fetch(`http://localhost:${port}/rocketmq/api/topics`)).status).toBe(200);
    const foreign = await sendRaw({
      port: Number(port),
      path: '/rocketmq/api/topics',
      headers: { host: 'evil.example' },
    });
    expect(foreign).toMatchObject({ status: 403, body: expect.stringContaining('FOREIGN_HOST') });
  });

  it('does not start in production without guards', async () => {
    const before = process.env.NODE_ENV;
    process.env.NODE_ENV = 'production';
    try {
      await expect(started()).rejects.toThrow('in production set guards');
    } finally {
      process.env.NODE_ENV = before;
    }
  });

  it('names the viewer in what it writes down', async () => {
    const entries: { viewer: string | undefined }[] = [];
    const viewer = (request: { headers: Record<string, string> }): string | undefined => request.headers['x-user'];
    const url = await started({ viewer, actions: 'all', audit: (entry: never) => entries.push(entry) } as never);
    const post = async (path: string, body: unknown, user: string) => {
      const own = { 'content-type': 'application/json', 'x-rocketmq-console': '1', origin: new URL(url).origin };
      const response = await fetch(url + path, {
        method: 'POST',
        headers: { ...own, 'x-user': user },
        body: JSON.stringify(body),
      });
      return response.json() as Promise<Record<string, unknown>>;
    };
    const plan = { action: 'rewind', consumerGroup: 'billing', topic: 'orders', to: 'end' };
    const { plan: id } = await post('/rocketmq/api/plans', plan, 'ada');
    expect(await post('/rocketmq/api/executions', { plan: id }, 'bob')).toMatchObject({ error: { code: 'NO_PLAN' } });
    expect(await post('/rocketmq/api/executions', { plan: id }, 'ada')).toMatchObject({ outcome: 'done' });
    expect(entries).toMatchObject([
      { viewer: 'bob', action: 'rewind', outcome: 'rejected' },
      { viewer: 'ada', action: 'rewind', outcome: 'done' },
    ]);
  });
});

describe('what the application says', () => {
  it.each([
    ['throws', (request: never) => (request as { user: { email: string } }).user.email],
    ['rejects', async () => Promise.reject(new Error('the database is away'))],
    ['is no name', () => 4711],
  ])('of a viewer, when that %s: the request is answered, and nothing is changed', async (_, viewer) => {
    const url = await started({ viewer: viewer as never });
    const response = await fetch(`${url}/rocketmq/api/topics`);
    expect([response.status, await response.json()]).toMatchObject([500, { error: { code: 'NO_VIEWER' } }]);
  });

  it('of a viewer, may take a moment', async () => {
    const url = await started({ viewer: async () => 'ada', actions: ['listeners'] });
    const browser = new ConsoleBrowser(`${url}/rocketmq`);
    const change = { action: 'listeners', listener: 'Billing.bill', change: 'pause' };
    expect((await browser.change(change)).done).toMatchObject({ outcome: 'done' });
    expect((await browser.get('/api/audit')).body.entries).toMatchObject([{ viewer: 'ada' }]);
  });

  it('in an option that is misspelled keeps it from starting', async () => {
    await expect(started({ authorise: () => false } as never)).rejects.toThrow('no option "authorise"');
    await expect(started({ acces: 'by-application' } as never)).rejects.toThrow('no option "acces"');
  });
});

describe('the schedule of the application', () => {
  let database: PGlite;
  beforeAll(async () => {
    database = await createPglite();
    await database.exec(schemaSql());
  });
  afterAll(() => database.close());

  it('is found among its providers, shown and changed', async () => {
    const find = (app: ModuleRef) => ({ schedule: app.get(Schedule, { strict: false }), database });
    const compiled = await Test.createTestingModule({
      imports: [
        RocketMQModule.forRoot({ endpoints: broker.endpoints, nameServer: broker.nameServerEndpoint }),
        RocketMQConsoleModule.forRoot({ actions: ['schedule'], schedule: find }),
      ],
      providers: [Schedule],
    }).compile();
    const app = compiled.createNestApplication({ logger: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const message = { topic: 'orders', body: 'x' };
    await database.transaction((tx) => app.get(Schedule).set(tx, { key: 'nightly', message, cron: '0 3 * * *' }));
    const browser = new ConsoleBrowser(`${await app.getUrl()}/rocketmq`);
    expect((await browser.get('/api/session')).body).toMatchObject({ has: { schedule: true }, actions: ['schedule'] });
    const { done } = await browser.change({ action: 'schedule', key: 'nightly', change: 'pause', reason: 'holidays' });
    expect(done).toMatchObject({ outcome: 'done', text: 'entry nightly is paused' });
    expect((await browser.get('/api/schedule')).body).toMatchObject({
      entries: [{ key: 'nightly', topic: 'orders', cron: '0 3 * * *', paused: { reason: 'holidays' } }],
    });
  });

  it('is not there without the option', async () => {
    const browser = new ConsoleBrowser(`${await started({ actions: 'all' })}/rocketmq`);
    const { body } = await browser.get('/api/session');
    expect([body.has.schedule, body.actions.includes('schedule')]).toEqual([false, false]);
    expect(await browser.get('/api/schedule')).toMatchObject({
      status: 404,
      body: { error: { code: 'NO_SCHEDULE', message: expect.stringContaining('option schedule') } },
    });
  });

  it.each<[string, unknown, string]>([
    ['is no function', {}, 'option schedule of the console must be a function'],
    ['returns something else', () => ({ schedule: {} }), 'option schedule of the console must return'],
    ['finds no provider', (app: ModuleRef) => ({ schedule: app.get(Schedule, { strict: false }) }), 'Schedule'],
  ])('keeps the application from starting when the option %s', async (_, schedule, problem) => {
    await expect(started({ schedule: schedule as never })).rejects.toThrow(problem);
  });
});

it('two consoles of one connection have each their own path, guards and options', async () => {
  const compiled = await Test.createTestingModule({
    imports: [
      RocketMQModule.forRoot({ endpoints: broker.endpoints, nameServer: broker.nameServerEndpoint }),
      RocketMQConsoleModule.forRoot({ path: 'ops', guards: [AdminGuard], actions: ['replay'] }),
      RocketMQConsoleModule.forRoot({ path: 'view', actions: [] }),
    ],
  }).compile();
  const app = compiled.createNestApplication({ logger: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  const ops = new ConsoleBrowser(`${await app.getUrl()}/ops`);
  const view = new ConsoleBrowser(`${await app.getUrl()}/view`);
  expect([(await ops.get('/api/session')).status, (await view.get('/api/session')).body.actions]).toEqual([403, []]);
  expect((await ops.get('/api/session', { authorization: 'let me in' })).body.actions).toEqual(['replay']);
});

describe('the console of an embedded broker', () => {
  async function embedded(options: RocketMQConsoleModuleOptions = {}): Promise<ConsoleBrowser> {
    const compiled = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot({ endpoints: 'embedded:' }), RocketMQConsoleModule.forRoot(options)],
      providers: [Billing],
    }).compile();
    const app = compiled.createNestApplication({ logger: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    return new ConsoleBrowser(`${await app.getUrl()}/rocketmq`);
  }

  it('changes everything, shows bodies, and controls the broker without a port', async () => {
    const browser = await embedded();
    const { body: session } = await browser.get('/api/session');
    expect(session).toMatchObject({ kind: 'embedded', has: { app: true, control: true } });
    expect(session.actions).toContain('send');
    const { done } = await browser.change({ action: 'send', topic: 'orders', text: 'hello' });
    const { body: trail } = await browser.get(`/api/topics/orders/messages/${done.details.messageId}`);
    expect(trail).toMatchObject({ stored: [{ body: { text: 'hello' } }], inFlight: expect.any(Array), problems: [] });
    const rule = { times: 1 };
    expect((await browser.change({ action: 'faults', rule })).done).toMatchObject({ outcome: 'done' });
    expect((await browser.get('/api/faults')).body).toMatchObject({ faults: [{ kind: 'connections' }] });
  });

  it('pauses and resumes the listeners of this instance, changes their concurrency, and shows its events', async () => {
    const browser = await embedded();
    const listener = 'Billing.bill';
    const state = async () => (await browser.get('/api/app')).body.listeners[0];
    expect(await state()).toMatchObject({ name: listener, consumerGroup: 'billing', status: 'listening' });
    const pause = await browser.change({ action: 'listeners', listener, change: 'pause' });
    expect(pause).toMatchObject({
      plan: { preview: { listener: { name: listener, status: 'listening' } } },
      done: { outcome: 'done' },
    });
    expect(await state()).toMatchObject({ status: 'paused' });
    await browser.change({ action: 'listeners', listener, change: 'resume' });
    await browser.change({ action: 'listeners', listener, change: 'concurrency', concurrency: 3 });
    expect(await state()).toMatchObject({ status: 'listening', concurrency: 3 });
    const { body } = await browser.get('/api/app');
    expect(body.health).toMatchObject({ status: 'up' });
    expect(body.events.map(({ kind }: { kind: string }) => kind)).toEqual(
      expect.arrayContaining(['connected', 'paused', 'resumed', 'concurrency-changed']),
    );
    expect((await browser.get('/api/groups/billing')).body).toMatchObject({ isOwn: true });
    const unknown = await browser.post('/api/plans', { action: 'listeners', listener: 'X.y', change: 'pause' });
    expect(unknown).toMatchObject({ status: 404, body: { error: { code: 'NO_LISTENER' } } });
  });

  it('shows after how many attempts its listeners give a message up', async () => {
    @Injectable()
    class Careful {
      @RocketMQListener('orders', { consumerGroup: 'careful', maxAttempts: 2 })
      handle(): void {}
    }
    const compiled = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot({ endpoints: 'embedded:' }), RocketMQConsoleModule.forRoot()],
      providers: [Billing, Careful],
    }).compile();
    const app = compiled.createNestApplication({ logger: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const browser = new ConsoleBrowser(`${await app.getUrl()}/rocketmq`);
    const page = async (group: string) => (await browser.get(`/api/groups/${group}`)).body;
    const { maxDeliveryAttempts } = await page('billing');
    expect(await page('careful')).toMatchObject({ isOwn: true, ownAttempts: [2], maxDeliveryAttempts });
    expect(await page('billing')).toMatchObject({ isOwn: true, ownAttempts: [maxDeliveryAttempts] });
    const { listeners } = (await browser.get('/api/app')).body;
    expect(listeners).toMatchObject([{ name: 'Billing.bill' }, { name: 'Careful.handle', maxAttempts: 2 }]);
  });

  it('shows the calls of its own handlers on the page of a message', async () => {
    const browser = await embedded();
    const { done: sent } = await browser.change({ action: 'send', topic: 'orders', text: '"x"' });
    const page = async () => (await browser.get(`/api/topics/orders/messages/${sent.details.messageId}`)).body;
    await until(async () => (await page()).attempts.length > 0);
    const { startedAtMs, endedAtMs, ...attempt } = (await page()).attempts[0];
    expect(attempt).toEqual({
      consumerGroup: 'billing',
      topic: 'orders',
      messageId: sent.details.messageId,
      deliveryAttempt: 1,
    });
    expect(endedAtMs).toBeGreaterThanOrEqual(startedAtMs);
  });

  it('shows what a handler of its own has thrown, where, and what follows', async () => {
    const browser = await embedded();
    const { done } = await browser.change({ action: 'send', topic: 'orders', text: '"bad"' });
    const page = async () => (await browser.get(`/api/topics/orders/messages/${done.details.messageId}`)).body;
    await until(async () => (await page()).attempts.length > 0);
    expect((await page()).attempts[0]).toMatchObject({
      deliveryAttempt: 1,
      error: 'card declined',
      stack: expect.stringContaining('Billing.bill'),
      next: expect.stringMatching(/^retry in \d+ ms$/),
    });
  });

  it('shows and changes nothing by itself in production', async () => {
    const before = process.env.NODE_ENV;
    process.env.NODE_ENV = 'production';
    try {
      const browser = await embedded({ access: 'by-application' });
      expect((await browser.get('/api/session')).body).toMatchObject({ actions: [] });
      const rejected = await browser.post('/api/plans', { action: 'send', topic: 'orders', text: 'x' });
      expect(rejected).toMatchObject({ status: 403, body: { error: { code: 'NOT_ALLOWED' } } });
    } finally {
      process.env.NODE_ENV = before;
    }
  });

  it.each(['', '/', 'a//b', ':id', '*'])('rejects the path %j, which would hide other pages', (path) => {
    expect(() => RocketMQConsoleModule.forRoot({ path })).toThrow('option path of the console');
  });
});
