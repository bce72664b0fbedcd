// What other pages, other viewers and hostile messages try with the console.

import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { ControlClient } from 'nestjs-rocketmq/broker';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { builtPages, ConsoleBrowser, type Json, sendRaw } from '../../../test/fixtures/console-bench.js';
import type { ConsoleOptions } from './access/options.js';
import { startStandaloneConsole } from './mount/standalone.js';

const SECRET = 'the-secret-4711';
const SCRIPT = '"><script>alert(1)</script>';

let broker: TestBroker;
let admin: RocketMQAdmin;
let connection: Connection;
let producer: Producer;
const closers: (() => unknown)[] = [];

beforeAll(builtPages);
beforeEach(async () => {
  broker = await TestBroker.start({
    strict: true,
    nameServerPort: 0,
    controlPort: 0,
    topics: [{ name: 'orders' }, { name: 'reminders', type: 'delay' }, { name: 'payments', type: 'transaction' }],
    groups: [{ name: 'billing' }],
  });
  closers.push(() => broker.stop());
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  connection = new Connection({ endpoints: broker.endpoints });
  closers.push(() => connection.close());
  producer = new Producer(connection, { transactionCheckers: { payments: () => 'unknown' } });
  await producer.start();
  closers.push(() => producer.close());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function opened(options: ConsoleOptions = {}): Promise<{ browser: ConsoleBrowser; url: string; port: number }> {
  const control = new ControlClient({ endpoint: broker.controlEndpoint });
  const console = await startStandaloneConsole({ admin, control, connection }, options);
  closers.push(() => console.close());
  const browser = await ConsoleBrowser.open(console);
  return { browser, url: console.url, port: console.port };
}

async function bury(body: string): Promise<void> {
  const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic: 'orders' }] });
  await consumer.start();
  await producer.send({ topic: 'orders', body, keys: ['key-1'], properties: { color: 'blue' } });
  for (const message of await consumer.receive()) await consumer.forwardToDeadLetterQueue(message);
  await consumer.close();
}

const send = { action: 'send', topic: 'orders', text: 'forged' };

describe('another page in the browser', () => {
  it.each([
    ['another origin', { origin: 'http://evil.example' }],
    ['another port of this machine', { origin: 'http://127.0.0.1:1' }],
    ['an opaque origin', { origin: 'null' }],
    ['an origin that is none', { origin: '::' }],
    ['no own header', { 'x-rocketmq-console': undefined }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['text', { 'content-type': 'text/plain' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling domain', { 'sec-fetch-site': 'same-site' }],
    ['the address line', { 'sec-fetch-site': 'none' }],
    ['a name that was bound again', { host: 'evil.example', origin: 'http://evil.example' }],
  ])('changes nothing: %s', async (_, wrong) => {
    const { browser, port } = await opened();
    const { plan } = (await browser.post('/api/plans', send)).body;
    const { cookie = '' } = browser.headers;
    const own = { host: `127.0.0.1:${port}`, cookie, origin: browser.origin, 'x-rocketmq-console': '1' };
    const all: Record<string, string | undefined> = { ...own, 'content-type': 'application/json', ...wrong };
    const headers = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as never;
    for (const [path, body] of [
      ['/api/plans', send],
      ['/api/executions', { plan }],
    ] as const) {
      const rejected = await sendRaw({ port, path, method: 'POST', headers, body: JSON.stringify(body) });
      expect([403, 415]).toContain(rejected.status);
      expect(rejected.body).toMatch(/"code":"(FOREIGN_PAGE|FOREIGN_HOST|NOT_JSON)"/);
    }
    expect((await admin.topicOffsets('orders')).total).toBe(0);
  });

  it.each([
    ['sec-fetch-site', 'cross-site'],
    ['sec-fetch-site', 'same-site'],
    ['origin', 'http://evil.example'],
    ['origin', 'null'],
  ])('reads nothing, and opens no stream: %s: %s', async (name, value) => {
    const { browser } = await opened();
    for (const path of ['/api/topics', '/api/events?follow=orders'])
      expect(await browser.get(path, { [name]: value })).toMatchObject({
        status: 403,
        body: { error: { code: 'FOREIGN_PAGE' } },
      });
    for (const own of [{ 'sec-fetch-site': 'same-origin' }, { origin: browser.origin }])
      expect((await browser.get('/api/topics', own as Json)).status).toBe(200);
  });

  it('reads nothing by a name that was bound again, and does not use up the token', async () => {
    const { browser, url, port } = await opened();
    const { cookie = '' } = browser.headers;
    const token = new URL(url).search;
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', 'localhost.evil.example'])
      for (const path of ['/', '/api/topics', '/api/events', '/assets/main.js', `/${token}`]) {
        const { status, body } = await sendRaw({ port, path, headers: { host, cookie } });
        expect([host, path, status, body.includes('FOREIGN_HOST')]).toEqual([host, path, 403, true]);
      }
    const fresh = await startStandaloneConsole({ admin });
    closers.push(() => fresh.close());
    const { pathname, search } = new URL(fresh.url);
    const stolen = await sendRaw({ port: fresh.port, path: pathname + search, headers: { host: 'evil.example' } });
    expect(stolen.status).toBe(403);
    expect((await fetch(fresh.url, { redirect: 'manual' })).status).toBe(303);
  });

  it('cannot frame the page, guess its type, or learn its address', async () => {
    const { browser } = await opened();
    for (const path of ['/', '/api/topics', '/assets/main.js']) {
      const { headers } = await browser.get(path);
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
  });
});

describe('hostile requests', () => {
  it('get no file but those of the page', async () => {
    const { browser, port } = await opened();
    const headers = { host: `127.0.0.1:${port}`, cookie: browser.headers.cookie ?? '' };
    for (const path of [
      '/assets/../../../package.json',
      '/assets/..%2f..%2f..%2fpackage.json',
      '/assets/%2e%2e/package.json',
      '/assets/..\\package.json',
      '/assets//etc/passwd',
      '/assets/main.js%00.html',
      '/assets/constructor',
      '//assets/../package.json',
      '/assets/../assets/main.js',
    ]) {
      const { status, body } = await sendRaw({ port, path, headers });
      const isPage = body.includes('<base href=');
      expect([path, status === 404 || isPage, body.includes('devDependencies')]).toEqual([path, true, false]);
    }
  });

  it('with a body that is too large, or none, are rejected', async () => {
    const { browser } = await opened();
    const large = await browser.post('/api/plans', { ...send, text: 'x'.repeat(1_100_000) });
    expect(large).toMatchObject({ status: 413, body: { error: { code: 'TOO_LARGE' } } });
    for (const body of ['', 'null', '[]', '"x"', '{"action":{}}', '{"action":"__proto__"}', '{"action":"constructor"}'])
      expect([body, (await browser.post('/api/plans', body)).status]).toEqual([body, 400]);
    for (const body of ['null', '{}', '{"plan":{}}', '{"plan":"x","more":1}'])
      expect([body, (await browser.post('/api/executions', body)).status]).toEqual([body, 400]);
    expect((await browser.post('/api/executions', { plan: 'guessed' })).body).toMatchObject({
      error: { code: 'NO_PLAN' },
    });
  });

  it('with a path that is not encoded correctly, or with other methods, are rejected', async () => {
    const { browser, port } = await opened();
    const headers = { host: `127.0.0.1:${port}`, cookie: browser.headers.cookie ?? '' };
    expect((await sendRaw({ port, path: '/api/topics/%zz', headers })).status).toBe(400);
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS'])
      for (const path of ['/api/topics/orders', '/'])
        expect([method, (await sendRaw({ port, path, method, headers })).status]).toEqual([method, 405]);
  });

  it('open at most 100 event streams, which are free again when they close', async () => {
    const { browser } = await opened();
    expect((await browser.get(`/api/events?groups=${Array(51).fill('g').join(',')}`)).status).toBe(400);
    const leaving = new AbortController();
    const open = await Promise.all(
      Array.from({ length: 100 }, () => browser.raw('/api/events', { signal: leaving.signal })),
    );
    expect(open.map(({ status }) => status)).toEqual(open.map(() => 200));
    expect(await browser.get('/api/events')).toMatchObject({ status: 503, body: { error: { code: 'TOO_MANY' } } });
    leaving.abort();
    await Promise.allSettled(open.map((one) => one.text()));
    const deadlineMs = Date.now() + 30_000;
    for (;;) {
      const seen = await browser.events('/api/events', 'event: samples').catch(() => '');
      if (seen !== '') break;
      expect(Date.now()).toBeLessThan(deadlineMs);
    }
  });
});

describe('bodies that are hidden', () => {
  it('are in no answer, and no search says what they have', async () => {
    const { browser } = await opened({ bodies: 'hidden', actions: 'all' });
    await bury(SECRET);
    const { messageId } = await producer.send({ topic: 'reminders', body: SECRET, delayMs: 3_600_000 });
    const { body: letters } = await browser.get('/api/groups/billing/dead-letters');
    const [letter] = letters.deadLetters;
    const position = encodeURIComponent(letter.position);
    const answers: Json[] = [letters];
    const half = await producer.beginTransaction({ topic: 'payments', body: SECRET });
    const open = await browser.get('/api/transactions');
    expect(open.body.open).toHaveLength(1);
    answers.push(open);
    await half.rollback();
    for (const path of [
      '/api/topics/orders/messages',
      '/api/topics/orders/messages?key=key-1',
      `/api/topics/orders/messages/${letter.messageId}`,
      `/api/topics/reminders/messages/${messageId}`,
      `/api/groups/billing/dead-letters/compare?position=${position}`,
      '/api/delayed',
      '/api/in-flight',
    ]) {
      const answer = await browser.get(path);
      expect([path, answer.status]).toEqual([path, 200]);
      answers.push(answer);
    }
    answers.push(await browser.post('/api/plans', { action: 'replay', consumerGroup: 'billing', again: true }));
    const edited = { action: 'replay', consumerGroup: 'billing', positions: [letter.position], edited: { text: 'x' } };
    answers.push(await browser.post('/api/plans', edited));
    answers.push(await browser.post('/api/plans', { action: 'deliver', topic: 'reminders', messageIds: [messageId] }));
    answers.push(await browser.get('/api/audit'));
    for (const answer of answers) {
      const text = JSON.stringify(answer);
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain(Buffer.from(SECRET).toString('base64'));
      expect(text).not.toContain('"error":{"code"');
    }
    const found = async (text: string): Promise<number> =>
      (await browser.get(`/api/topics/orders/messages?text=${text}`)).body.messages.length;
    expect([await found('4711'), await found('nothing'), await found('blue')]).toEqual([0, 0, 1]);
  });

  it('are not in what a page follows', async () => {
    const { browser } = await opened({ bodies: 'hidden' });
    const seen = browser.events('/api/events?follow=orders', 'mark-2');
    const leak = browser.events('/api/events?follow=orders&text=4711', 'mark-4711');
    const sending = setInterval(() => {
      void producer.send({ topic: 'orders', body: SECRET, keys: ['mark-2'] });
      void producer.send({ topic: 'orders', body: SECRET, keys: ['mark-4711'] });
    }, 200);
    try {
      expect(await seen).not.toContain(SECRET);
      const matched = await leak;
      expect(matched).not.toContain(SECRET);
      expect(matched).not.toContain('mark-2');
    } finally {
      clearInterval(sending);
    }
  });
});

describe('messages that someone else wrote', () => {
  it('are data, never a page: scripts in keys, properties, bodies and names', async () => {
    const { browser, port } = await opened();
    const sent = await producer.send({
      topic: 'orders',
      body: SCRIPT,
      keys: ['"><img/src=x>'],
      tag: '<b>',
      properties: { [SCRIPT.replaceAll(' ', '')]: SCRIPT },
    });
    for (const path of ['/api/topics/orders/messages', `/api/topics/orders/messages/${sent.messageId}`]) {
      const { headers, body } = await browser.get(path);
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(JSON.stringify(body)).toContain('<script>');
    }
    const own = { host: `127.0.0.1:${port}`, cookie: browser.headers.cookie ?? '', accept: 'text/html' };
    for (const path of ['/topics/"><script>alert(1)</script>', '/"><script>', '/topics/%22%3E%3Cscript%3E'])
      expect((await sendRaw({ port, path: path.replaceAll(' ', ''), headers: own })).body).not.toContain('<script>');
    const error = await browser.raw('/api/%3Cscript%3E', { headers: { accept: 'text/html' } });
    expect(error.headers.get('content-type')).toBe('application/json; charset=utf-8');
    await error.text();
  });
});
