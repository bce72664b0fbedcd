// What handlers threw: who sees its text, and how much of it is kept.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type HandlerAttempt, type RocketMQEvent, RocketMQListener, RocketMQModule } from 'nestjs-rocketmq';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { Subject } from 'rxjs';
import { ConsoleBrowser, type Json } from '../../../../test/fixtures/console-bench.js';
import { soon } from '../../../../tools/until.js';
import { applicationOf } from '../mount/application.js';
import { RocketMQConsoleModule, type RocketMQConsoleModuleOptions } from '../mount/module.js';
import { startStandaloneConsole } from '../mount/standalone.js';

@Injectable()
class Billing {
  @RocketMQListener('orders', { consumerGroup: 'billing', maxAttempts: 1 })
  bill(body: string): void {
    // Node quotes what it cannot parse.
    JSON.parse(body);
  }
}

describe('what a handler threw at a body', () => {
  let broker: TestBroker;
  const apps: INestApplication[] = [];
  let messageId = '';

  beforeEach(async () => {
    const topics = [{ name: 'orders' }, { name: 'operations' }];
    broker = await TestBroker.start({ strict: true, nameServerPort: 0, topics, groups: [{ name: 'billing' }] });
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    await broker.stop();
  });

  /** What the pages say, once the message is a dead letter. */
  async function pages(options: RocketMQConsoleModuleOptions, viewer: string): Promise<Record<string, Json>> {
    const { endpoints, nameServerEndpoint: nameServer } = broker;
    const connections = RocketMQModule.forRoot({ endpoints, nameServer, operations: { topic: 'operations' } });
    const compiled = await Test.createTestingModule({
      imports: [connections, RocketMQConsoleModule.forRoot(options)],
      providers: [Billing],
    }).compile();
    const app = compiled.createNestApplication({ logger: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    const connection = new Connection({ endpoints: broker.endpoints });
    const producer = new Producer(connection);
    await producer.start();
    ({ messageId } = await producer.send({ topic: 'orders', body: '"card 4711"' }));
    await producer.close();
    await connection.close();
    const browser = new ConsoleBrowser(`${await app.getUrl()}/rocketmq`, { 'x-user': viewer });
    const letters = async (): Promise<Json> => (await browser.get('/api/groups/billing/dead-letters')).body;
    await soon(async () => (await letters()).deadLetters?.length === 1);
    return {
      message: (await browser.get(`/api/topics/orders/messages/${messageId}`)).body,
      letters: await letters(),
      app: (await browser.get('/api/app')).body,
    };
  }

  it('is its name where bodies are hidden', async () => {
    const all = await pages({ bodies: 'hidden' }, 'ada');
    expect(JSON.stringify(all)).not.toContain('card');
    const name = expect.stringMatching(/^SyntaxError \(its text is hidden/);
    expect(all.message).toMatchObject({ attempts: [{ error: name, next: 'dead letter, attempts-exhausted' }] });
    expect(all.message.attempts[0].stack).toBeUndefined();
    expect(all.message.elsewhere).toEqual([]);
    expect(all.message.events).toMatchObject([{ text: name, error: name }]);
    expect(all.letters).toMatchObject({ deadLetters: [{ reason: name, cause: 'SyntaxError' }] });
  });

  it('is shown by a rule to those who see the body, and to nobody where no message is at hand', async () => {
    const viewer = (request: { headers: Record<string, string> }): string | undefined => request.headers['x-user'];
    const all = await pages({ viewer, bodies: (_, who) => (who === 'ada' ? 'shown' : Buffer.from('masked')) }, 'ada');
    const text = expect.stringContaining('card 4711');
    expect(all.message).toMatchObject({ attempts: [{ error: text, stack: text }], events: [{ text }] });
    expect(all.letters).toMatchObject({ deadLetters: [{ reason: text, cause: 'SyntaxError' }] });
    expect(JSON.stringify(all.app)).not.toContain('card');
    const bob = new ConsoleBrowser(`${await apps[0]?.getUrl()}/rocketmq`, { 'x-user': 'bob' });
    const seen = await bob.get(`/api/topics/orders/messages/${messageId}`);
    expect(JSON.stringify(seen.body)).not.toContain('card');
  });

  it.each([
    ['hidden', expect.stringMatching(/^SyntaxError \(its text is hidden/)],
    ['shown', expect.stringContaining('card 4711')],
  ] as const)('is known to a console that never ran the handler, where bodies are %s', async (bodies, error) => {
    await pages({}, 'ada');
    for (const app of apps.splice(0)) await app.close();
    const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint ?? '' });
    const standalone = await startStandaloneConsole(
      { admin },
      { bodies, operationsTopic: 'operations', actions: ['replay'] },
    );
    const browser = await ConsoleBrowser.open(standalone);
    const { body } = await browser.get('/api/groups/billing/failures');
    const letters = (await browser.get('/api/groups/billing/dead-letters')).body;
    const planned = async (cause: string): Promise<Json> =>
      (await browser.post('/api/plans', { action: 'replay', consumerGroup: 'billing', cause })).body;
    expect((await planned('SyntaxError')).preview.planned).toMatchObject([{ deadLetter: { messageId } }]);
    expect((await planned('TypeError')).preview.planned).toEqual([]);
    const message = (await browser.get(`/api/topics/orders/messages/${messageId}`)).body;
    await standalone.close();
    await admin.close();
    expect(body).toMatchObject({
      errors: [
        { topic: 'orders', errorName: 'SyntaxError', error, retried: 0, deadLettered: 1, latest: { messageId } },
      ],
      mayBeMore: false,
      failures: [],
    });
    expect(letters).toMatchObject({ deadLetters: [{ reason: error, cause: 'SyntaxError' }], keepsFailures: true });
    const next = 'dead letter, attempts-exhausted';
    expect(message).toMatchObject({ elsewhere: [{ consumerGroup: 'billing', deliveryAttempt: 1, error, next }] });
    if (bodies === 'hidden') expect(JSON.stringify([body, letters, message.elsewhere])).not.toContain('card');
  });

  it('is shown where bodies are', async () => {
    const all = await pages({ bodies: 'shown' }, 'ada');
    for (const page of Object.values(all)) expect(JSON.stringify(page)).toContain('card 4711');
  });
});

it('the rest of an error that is cut is not kept in memory', async () => {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const [events$, attempts$] = [new Subject<RocketMQEvent>(), new Subject<HandlerAttempt>()];
  const application = applicationOf({ events: { events$, attempts$ } } as never);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < 60; index++) {
    const error = new Error(Buffer.alloc(1_000_000, 97 + (index % 20)).toString('latin1'));
    const settlement = { kind: 'retry', delayMs: 1 };
    const about = { consumerGroup: 'g', topic: 't', messageId: `${index}`, deliveryAttempt: 1 };
    attempts$.next({ ...about, startedAtMs: 0, durationMs: 1, result: { kind: 'failed', error, settlement } } as never);
    events$.next({ ...about, type: 'dead-lettered', atMs: 1, reason: 'not-retryable', error } as never);
  }
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
  expect(application.attempts('5')[0]?.error).toHaveLength(500);
  expect(application.events()[0]?.error).toHaveLength(500);
  application.close();
});
