// What each page reads, on an embedded broker with control.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { ControlClient } from 'nestjs-rocketmq/broker';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ConsoleBrowser } from '../../../../test/fixtures/console-bench.js';
import { startStandaloneConsole } from '../mount/standalone.js';

let broker: TestBroker;
let connection: Connection;
let producer: Producer;
let admin: RocketMQAdmin;
let browser: ConsoleBrowser;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  broker = await TestBroker.start({
    strict: true,
    nameServerPort: 0,
    controlPort: 0,
    topics: [{ name: 'orders' }, { name: 'reminders', type: 'delay' }, { name: 'payments', type: 'transaction' }],
    groups: [{ name: 'billing', maxDeliveryAttempts: 1 }],
    recallEnabled: true,
  });
  closers.push(() => broker.stop());
  connection = new Connection({ endpoints: broker.endpoints });
  closers.push(() => connection.close());
  producer = new Producer(connection, { transactionCheckers: { payments: () => 'unknown' } });
  await producer.start();
  closers.push(() => producer.close());
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  const control = new ControlClient({ endpoint: broker.controlEndpoint });
  const console = await startStandaloneConsole({ admin, control, connection, title: 'Test' });
  closers.push(() => console.close());
  browser = await ConsoleBrowser.open(console);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function consumer(): Promise<SimpleConsumer> {
  const made = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic: 'orders' }] });
  await made.start();
  closers.push(() => made.close());
  return made;
}

async function bury(...bodies: readonly string[]): Promise<void> {
  const own = await consumer();
  for (const body of bodies) {
    await producer.send({ topic: 'orders', body, keys: ['k'], tag: 't', properties: { color: 'blue' } });
    for (const message of await own.receive({ maxMessages: 1 })) await own.forwardToDeadLetterQueue(message);
  }
}

describe('the pages', () => {
  it('know the session, and an overview with what is wrong', async () => {
    expect((await browser.get('/api/session')).body).toMatchObject({
      title: 'Test',
      kind: 'embedded',
      actions: expect.arrayContaining(['replay', 'deliver', 'faults']),
      has: { app: false, time: false, control: true },
    });
    expect((await browser.get('/api/overview')).body).toMatchObject({
      problems: [],
      counts: { topics: 3, groups: 1 },
      troubles: { differing: [], skew: [], unknown: [] },
    });
  });

  it('list the first fifty problems, and how many more there are', async () => {
    for (let index = 0; index < 60; index++) broker.declareTopic({ name: `%DLQ%group-${index}` });
    admin.topicOffsets = () => Promise.reject(new Error('broker-a is away'));
    const { problems } = (await browser.get('/api/dead-letters')).body;
    expect(problems).toHaveLength(51);
    expect(problems[0]).toMatchObject({ name: 'group-0', error: { message: 'broker-a is away' } });
    expect(problems[50]).toMatchObject({ name: '10 more', error: { message: 'not listed here' } });
  });

  it('show a topic with its queues and groups, and what is in flight', async () => {
    const own = await consumer();
    const { messageId } = await producer.send({ topic: 'orders', body: 'one' });
    const [message] = await own.receive();
    expect((await browser.get('/api/topics/orders')).body).toMatchObject({
      counts: { messages: 1, groups: 1 },
      queues: expect.arrayContaining([expect.objectContaining({ minOffset: 0, maxOffset: 1 })]),
      groups: [{ consumerGroup: 'billing' }],
      problems: [],
    });
    expect((await browser.get(`/api/topics/orders/messages/${messageId}`)).body).toMatchObject({
      stored: [{ messageId, body: { kind: 'text', text: 'one' } }],
      inFlight: [{ messageId, group: 'billing', state: 'held', attempt: 1 }],
    });
    expect((await browser.get('/api/in-flight?group=billing')).body).toMatchObject({ deliveries: [{ messageId }] });
    expect((await browser.get('/api/groups/billing')).body).toMatchObject({
      topics: ['orders'],
      isOwn: false,
      clients: { clients: [{}] },
      problems: [],
    });
    if (message !== undefined) await own.ack(message);
  });

  it('list dead letters of all groups, compare one with its original, and replay a selection at a rate', async () => {
    await bury('one', 'two', 'three');
    expect((await browser.get('/api/dead-letters')).body).toMatchObject({
      groups: [{ consumerGroup: 'billing', deadLetters: 3 }],
      problems: [],
    });
    expect((await browser.get('/api/groups/billing/dead-letters?topic=other')).body.deadLetters).toEqual([]);
    const { body } = await browser.get('/api/groups/billing/dead-letters?topic=orders');
    const positions: string[] = body.deadLetters.map(({ position }: { position: string }) => position);
    expect(positions).toHaveLength(3);
    const compared = await browser.get(
      `/api/groups/billing/dead-letters/compare?position=${encodeURIComponent(positions[0] ?? '')}`,
    );
    expect(compared.body).toMatchObject({
      deadLetter: { position: positions[0], originTopic: 'orders' },
      original: { topic: 'orders', messageId: compared.body.deadLetter.messageId },
      problems: [],
    });
    const chosen = positions.slice(0, 2);
    const { plan, done } = await browser.change({
      action: 'replay',
      consumerGroup: 'billing',
      positions: [...chosen, 'gone/0/99'],
      perSecond: 50,
    });
    expect(plan.preview).toMatchObject({ planned: [{}, {}], gone: ['gone/0/99'], perSecond: 50 });
    expect(done).toMatchObject({ outcome: 'done', details: { replayed: 2, missing: 0 } });
    const sent = done.details.results.map((one: { position: string }) => one.position);
    expect(sent.sort()).toEqual([...chosen].sort());
    const again = await browser.change({ action: 'replay', consumerGroup: 'billing', positions: chosen });
    expect(again.plan.preview).toMatchObject({ planned: [], skipped: [{}, {}] });
  });

  it('send an edited copy of a dead letter as a message of its own, with a mark', async () => {
    await bury('{"total":"wrong"}');
    const { body } = await browser.get('/api/groups/billing/dead-letters');
    const { position, messageId } = body.deadLetters[0];
    const edit = { action: 'replay', consumerGroup: 'billing', positions: [position], edited: { text: '{"total":1}' } };
    const { plan, done } = await browser.change(edit);
    expect(plan.preview).toMatchObject({ topic: 'orders', bytes: 11, consumerGroups: ['billing'] });
    expect(done.outcome).toBe('done');
    expect(done.details.messageId).not.toBe(messageId);
    const { messages } = (await browser.get(`/api/topics/orders/messages?id=${done.details.messageId}`)).body;
    expect(messages).toMatchObject([
      {
        tag: 't',
        keys: ['k'],
        properties: { color: 'blue', DEAD_LETTER_EDIT: `billing/${position}` },
        body: { text: '{"total":1}' },
      },
    ]);
  });

  it('list delayed messages with a calendar, deliver one now, and cancel one', async () => {
    const [first, second] = [
      await producer.send({ topic: 'reminders', body: 'soon', delayMs: 3_600_000 }),
      await producer.send({ topic: 'reminders', body: 'later', delayMs: 7_200_000 }),
    ];
    const { body: page } = await browser.get('/api/delayed?topic=reminders');
    expect(page.messages).toMatchObject([
      { messageId: first.messageId, originTopic: 'reminders', body: { text: 'soon' } },
      { messageId: second.messageId, recallHandle: expect.any(String) },
    ]);
    expect((await browser.get('/api/delayed/calendar')).body).toMatchObject({
      total: 2,
      isPartial: false,
      byMinute: [{ count: 1 }, { count: 1 }],
    });
    const { done } = await browser.change({ action: 'deliver', topic: 'reminders', messageIds: [first.messageId] });
    expect(done.outcome).toBe('done');
    expect((await browser.get('/api/topics/reminders/messages')).body.messages).toHaveLength(1);
    const messageIds = [second.messageId];
    const recall = { action: 'recall', topic: 'reminders', messageIds };
    expect((await browser.change(recall)).done).toMatchObject({ outcome: 'done' });
    expect((await browser.get('/api/delayed')).body.messages).toEqual([]);
    const gone = await browser.post('/api/plans', { action: 'deliver', topic: 'reminders', messageIds });
    expect(gone).toMatchObject({ status: 409, body: { error: { code: 'NOT_WAITING' } } });
  });

  it('cancel and deliver several delayed messages at once, without those that do not wait any more', async () => {
    const sent: string[] = [];
    for (const body of ['a', 'b', 'c', 'd'])
      sent.push((await producer.send({ topic: 'reminders', body, delayMs: 3_600_000 })).messageId);
    const [a = '', b = '', c = '', d = ''] = sent;
    await browser.change({ action: 'deliver', topic: 'reminders', messageIds: [a] });
    const recall = await browser.change({ action: 'recall', topic: 'reminders', messageIds: [a, b] });
    expect(recall.plan.preview).toMatchObject({ waiting: [{ messageId: b }], gone: [a] });
    expect(recall.done).toMatchObject({ outcome: 'done', text: '1 message canceled' });
    const deliver = await browser.change({ action: 'deliver', topic: 'reminders', messageIds: [c, d] });
    expect(deliver.plan.target).toEqual({ topic: 'reminders', messageIds: `${c} ${d}` });
    expect(deliver.done).toMatchObject({ outcome: 'done', text: '2 messages delivered' });
    expect((await browser.get('/api/delayed')).body.messages).toEqual([]);
    const { body: stored } = await browser.get('/api/topics/reminders/messages');
    expect(stored.messages.map(({ messageId }: { messageId: string }) => messageId).sort()).toEqual([a, c, d].sort());
  });

  it('show open transactions and faults', async () => {
    const half = await producer.beginTransaction({ topic: 'payments', body: 'half' });
    expect((await browser.get('/api/transactions')).body).toMatchObject({
      open: [{ topic: 'payments', checks: 0, nextCheckMs: expect.any(Number), body: { text: 'half' } }],
      messages: [],
      failures: [],
    });
    await half.rollback();
    const rule = { rpc: 'sendMessage', action: { kind: 'delay', delayMs: 1 }, times: 2 };
    expect((await browser.change({ action: 'faults', rule })).done).toMatchObject({ outcome: 'done' });
    expect((await browser.get('/api/faults')).body).toMatchObject({ faults: [{ kind: 'rpc', left: 2, rule }] });
    expect((await browser.change({ action: 'faults', clear: true })).done.details).toEqual({ faults: [] });
    const wrong = await browser.change({ action: 'faults', rule: { rpc: 'nothing' } });
    expect(wrong.done).toMatchObject({ error: { code: 'ILLEGAL_ARGUMENT' } });
  });

  it('send messages, and reject fields that are unknown or wrong', async () => {
    const message = { topic: 'orders', text: 'hi', tag: 'a', keys: ['k1'], properties: { p: 'v' } };
    const { plan, done } = await browser.change({ action: 'send', ...message });
    expect(plan.preview).toMatchObject({ topic: 'orders', type: 'normal', bytes: 2 });
    expect(done).toMatchObject({ outcome: 'done', details: { messageId: expect.any(String) } });
    for (const [change, text] of [
      [{ action: 'send', topic: 'nowhere', text: 'x' }, 'does not exist'],
      [{ action: 'send', topic: 'orders' }, 'text must be a non-empty string'],
      [{ action: 'send', topic: 'orders', text: 'x', tags: 'y' }, 'tags is unknown'],
      [{ action: 'send', topic: 'orders', text: 'x', keys: 'y' }, 'keys must be a list'],
      [{ action: 'explode' }, 'action must be one of'],
      [[], 'the body must be a JSON object'],
    ] as const)
      expect((await browser.post('/api/plans', change)).body.error.message).toContain(text);
  });

  it('say that a group does not exist, instead of showing that it has nothing', async () => {
    const rejected = { status: 404, body: { error: { code: 'NO_GROUP' } } };
    expect(await browser.get('/api/groups/nope')).toMatchObject(rejected);
    expect(await browser.get('/api/groups/nope/dead-letters')).toMatchObject(rejected);
  });

  it('say that the topic of a message does not exist', async () => {
    const rejected = { status: 404, body: { error: { code: 'NO_TOPIC' } } };
    expect(await browser.get('/api/topics/nope/messages/01')).toMatchObject(rejected);
  });

  it('say which of them exist only elsewhere', async () => {
    for (const [path, code] of [
      ['/api/app', 'NO_APPLICATION'],
      ['/api/time', 'NO_TIME'],
    ] as const)
      expect(await browser.get(path)).toMatchObject({ status: 404, body: { error: { code } } });
    const time = await browser.post('/api/plans', { action: 'time', next: true });
    expect(time.body).toMatchObject({ error: { code: 'NO_TIME' } });
  });

  it('say what failed when the broker is away, and do not hang', async () => {
    await broker.stop();
    const paths = ['overview', 'topics', 'topics/orders', 'groups/billing', 'dead-letters', 'delayed', 'transactions'];
    for (const path of [...paths, 'in-flight', 'faults', 'session', 'topics/orders/messages']) {
      const { status, body } = await browser.get(`/api/${path}`);
      const problems = JSON.stringify([body.error, body.failures, body.problems]);
      if (path !== 'session') expect([path, problems]).toEqual([path, expect.stringMatching(/not|rejected|away/)]);
      expect([path, status]).toEqual([path, path === 'session' || path === 'transactions' ? 200 : 502]);
    }
  });
});
