import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ConsoleBrowser, sendRaw } from '../../../../test/fixtures/console-bench.js';
import type { ConsoleOptions } from '../access/options.js';
import { startStandaloneConsole } from './standalone.js';

let broker: TestBroker;
let admin: RocketMQAdmin;
let connection: Connection;
const closers: (() => Promise<unknown> | unknown)[] = [];

beforeEach(async () => {
  broker = await TestBroker.start({
    strict: true,
    nameServerPort: 0,
    topics: [{ name: 'orders' }],
    groups: [{ name: 'billing' }],
  });
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  connection = new Connection({ endpoints: broker.endpoints });
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await connection.close();
  await admin.close();
  await broker.stop();
});

async function opened(options: ConsoleOptions = {}): Promise<ConsoleBrowser> {
  const console = await startStandaloneConsole({ admin }, options);
  closers.push(() => console.close());
  return ConsoleBrowser.open(console);
}

async function bury(body: string): Promise<string> {
  const producer = new Producer(connection);
  closers.push(() => producer.close());
  const { messageId } = await producer.send({ topic: 'orders', body, keys: ['order-1'], tag: 'paid' });
  const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic: 'orders' }] });
  await consumer.start();
  for (const message of await consumer.receive()) await consumer.forwardToDeadLetterQueue(message);
  await consumer.close();
  return messageId;
}

describe('the standalone console', () => {
  it('lets in the browser with the token, once, and nobody else', async () => {
    const console = await startStandaloneConsole({ admin });
    closers.push(() => console.close());
    const browser = await ConsoleBrowser.open(console);
    expect((await browser.get('/api/topics')).status).toBe(200);
    expect((await fetch(console.url, { redirect: 'manual' })).status).toBe(401);
    expect((await fetch(`${browser.origin}/api/topics`)).status).toBe(401);
    expect((await fetch(`${browser.origin}/?token=guessed`, { redirect: 'manual' })).status).toBe(401);
  });

  it('keeps the token for a browser when something only looks at the address', async () => {
    const console = await startStandaloneConsole({ admin });
    closers.push(() => console.close());
    expect((await fetch(console.url, { method: 'HEAD', redirect: 'manual' })).status).toBe(401);
    expect((await fetch(console.url, { redirect: 'manual' })).status).toBe(303);
  });

  it('keeps it also when something fetches the page ahead, and lets the browser that is in open the address again', async () => {
    const console = await startStandaloneConsole({ admin });
    closers.push(() => console.close());
    const { status, headers } = await fetch(console.url, {
      headers: { 'sec-purpose': 'prefetch' },
      redirect: 'manual',
    });
    expect(status).toBe(303);
    const [ahead = ''] = (headers.get('set-cookie') ?? '').split(';');
    const browser = await ConsoleBrowser.open(console);
    expect((await browser.get('/api/topics')).status).toBe(200);
    const again = await browser.raw(new URL(console.url).search, { redirect: 'manual' });
    expect([again.status, again.headers.get('location'), again.headers.get('set-cookie')]).toEqual([303, '/', null]);
    // Only one is let in.
    expect((await browser.with({ cookie: ahead }).get('/api/topics')).status).toBe(401);
    expect((await fetch(console.url, { redirect: 'manual' })).status).toBe(401);
  });

  it('answers by any name where it listens for others, and still only who has the token', async () => {
    const console = await startStandaloneConsole({ admin }, { host: '0.0.0.0' });
    closers.push(() => console.close());
    const { port, url } = console;
    const { cookie = '' } = (await ConsoleBrowser.open(console)).headers;
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:/);
    const asked = (headers: Record<string, string>, path = '/api/topics') => sendRaw({ port, path, headers });
    const host = `console.internal:${port}`;
    expect((await asked({ host, cookie })).status).toBe(200);
    expect((await asked({ host })).status).toBe(401);
    expect((await asked({ host }, '/')).status).toBe(401);
    expect((await asked({ host }, `/${new URL(url).search}`)).status).toBe(401);
    const headers = { 'content-type': 'application/json', 'x-rocketmq-console': '1', origin: 'http://evil.example' };
    const forged = await sendRaw({ port, path: '/api/plans', method: 'POST', headers: { host, cookie, ...headers } });
    expect(forged).toMatchObject({ status: 403, body: expect.stringContaining('FOREIGN_PAGE') });
  });

  it.each(['', 8082])('does not listen on %j', async (host) => {
    await expect(startStandaloneConsole({ admin }, { host: host as string })).rejects.toThrow(
      /^option host of the console must be an address/,
    );
  });

  it('shows topics, groups, messages and the trail of one, and hides bodies', async () => {
    const messageId = await bury('the-secret');
    const browser = await opened();
    expect((await browser.get('/api/topics')).body).toMatchObject({ total: 1, topics: [{ topic: 'orders' }] });
    expect((await browser.get('/api/groups')).body).toMatchObject({ total: 1, groups: [{ consumerGroup: 'billing' }] });
    const { body: page } = await browser.get('/api/topics/orders/messages');
    expect(page.messages).toMatchObject([{ messageId, keys: ['order-1'], body: { kind: 'hidden', bytes: 10 } }]);
    const { body: trail } = await browser.get(`/api/topics/orders/messages/${messageId}`);
    expect(trail.groups).toMatchObject([{ consumerGroup: 'billing', deadLetters: [{ body: { kind: 'hidden' } }] }]);
    expect((await browser.get('/api/groups/billing/dead-letters')).body).toMatchObject({
      deadLetters: [{ messageId }],
    });
    expect((await browser.get('/api/topics/orders/messages?text=the-secret')).body.messages).toEqual([]);
    expect((await browser.get('/api/topics/orders/messages?text=order-1')).body.messages).toHaveLength(1);
    expect((await browser.get('/api/overview')).body).toMatchObject({ actions: [], counts: { topics: 1, groups: 1 } });
    expect(JSON.stringify([page, trail])).not.toContain('the-secret');
  });

  it('carries out a plan once, for what it may change, and writes it down', async () => {
    const messageId = await bury('x');
    const browser = await opened({ actions: ['replay'], bodies: 'shown' });
    const { body: plan } = await browser.post('/api/plans', { action: 'replay', consumerGroup: 'billing' });
    expect(plan).toMatchObject({
      action: 'replay',
      preview: { planned: [{ topic: 'orders', consumerGroups: ['billing'] }] },
    });
    expect((await admin.topicOffsets('orders')).total).toBe(1);
    const done = await browser.post('/api/executions', { plan: plan.plan });
    expect(done.body).toMatchObject({ outcome: 'done', text: '1 replayed, 0 were replayed before, 0 failed' });
    expect((await admin.topicOffsets('orders')).total).toBe(2);
    expect((await browser.post('/api/executions', { plan: plan.plan })).body).toMatchObject({
      error: { code: 'NO_PLAN' },
    });
    const rewind = { action: 'rewind', consumerGroup: 'billing', topic: 'orders', to: 'beginning' };
    expect((await browser.post('/api/plans', rewind)).body).toMatchObject({ error: { code: 'NOT_ALLOWED' } });
    const { body: audit } = await browser.get('/api/audit');
    expect(audit.entries).toMatchObject([
      { action: 'rewind', outcome: 'rejected' },
      { action: 'replay', outcome: 'done', target: { consumerGroup: 'billing' } },
    ]);
    expect((await browser.get(`/api/topics/orders/messages?id=${messageId}`)).body.messages).toHaveLength(2);
  });

  it('sends what happens to an open page: samples of its groups, and the messages of a topic', async () => {
    const browser = await opened({ bodies: 'shown' });
    const leaving = new AbortController();
    const stream = await browser.raw('/api/events?groups=billing&follow=orders', { signal: leaving.signal });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    expect(stream.headers.get('cache-control')).toContain('no-transform');
    expect(stream.headers.get('x-accel-buffering')).toBe('no');
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    let seen = '';
    const until = async (part: string): Promise<void> => {
      while (!seen.includes(part)) seen += (await reader?.read())?.value ?? '';
    };
    await until('event: messages');
    const producer = new Producer(connection);
    closers.push(() => producer.close());
    const { messageId } = await producer.send({ topic: 'orders', body: 'hello' });
    await until(messageId);
    expect(seen).toMatch(/^id: tail:\S+\nevent: messages$/m);
    await until('"consumerGroup":"billing"');
    leaving.abort();
  });

  it.each([
    ['another origin', { origin: 'http://evil.example' }],
    ['no origin', { origin: 'null' }],
    ['a form', { 'content-type': 'text/plain' }],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }],
  ])('rejects a change from %s', async (_, headers) => {
    await bury('x');
    const browser = await opened({ actions: 'all' });
    const { status } = await browser.post('/api/plans', { action: 'replay', consumerGroup: 'billing' }, headers);
    expect([403, 415]).toContain(status);
  });

  it('answers what it cannot do with a clear error', async () => {
    const browser = await opened();
    expect(await browser.get('/api/nothing')).toMatchObject({ status: 404, body: { error: { code: 'NO_PAGE' } } });
    expect(await browser.get('/api/topics/nowhere')).toMatchObject({
      status: 404,
      body: { error: { code: 'NO_TOPIC' } },
    });
    expect(await browser.get('/api/topics/orders/messages?limit=x')).toMatchObject({
      status: 400,
      body: { error: { code: 'WRONG_PARAMETER', message: 'parameter limit must be an integer from 1 to 100' } },
    });
    const { headers } = await browser.get('/api/topics');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  });
});
