// What is carried out is what the plan showed, by whom it was made, and it is written down.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import type { Json } from '../../../test/fixtures/console-bench.js';
import { ConsoleCore } from '../../../test/fixtures/console-core.js';
import { soon } from '../../../tools/until.js';
import type { ConsoleOptions } from './access/options.js';
import type { ConsoleSource } from './source.js';

const HOUR_MS = 3_600_000;
const rewind = { action: 'rewind', consumerGroup: 'billing', topic: 'orders', to: 'end' };
const replay = { action: 'replay', consumerGroup: 'billing' };

let broker: EmbeddedBroker;
let admin: RocketMQAdmin;
let connection: Connection;
let producer: Producer;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  broker = new EmbeddedBroker({
    nameServerPort: 0,
    timeTravel: true,
    recallEnabled: true,
    topics: [
      { name: 'orders' },
      { name: 'other' },
      { name: 'reminders', type: 'delay' },
      { name: 'payments', type: 'transaction' },
    ],
    groups: [{ name: 'billing' }],
  });
  await broker.start();
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

function opened(options: ConsoleOptions = {}, source: Partial<ConsoleSource> = {}): ConsoleCore {
  const send: ConsoleSource['send'] = (message, { signal }) => producer.send(message, { signal, timeoutMs: 10_000 });
  const core = new ConsoleCore({ admin, control: () => broker.control, send, ...source }, options);
  closers.push(() => core.close());
  return core;
}

async function bury(bodies: readonly string[], topic = 'orders', consumerGroup = 'billing'): Promise<void> {
  const consumer = new SimpleConsumer(connection, { consumerGroup, subscriptions: [{ topic }] });
  await consumer.start();
  for (const body of bodies) await producer.send({ topic, body });
  let left = bodies.length;
  while (left > 0)
    for (const message of await consumer.receive()) {
      await consumer.forwardToDeadLetterQueue(message);
      left--;
    }
  await consumer.close();
}

describe('a plan', () => {
  it('to move the time to what is next moves it no further when that has happened meanwhile', async () => {
    const core = opened();
    await producer.send({ topic: 'reminders', body: 'soon', delayMs: HOUR_MS });
    await producer.send({ topic: 'reminders', body: 'in 20 hours', delayMs: 20 * HOUR_MS });
    const plan = await core.plan({ action: 'time', next: true });
    const { offsetMs } = await broker.control.advanceTime({ byMs: HOUR_MS });
    await soon(async () => (await admin.topicOffsets('reminders')).total === 1);
    expect(await core.execute(plan)).toMatchObject({ outcome: 'done', details: { offsetMs } });
    expect((await core.ask('/api/delayed')).messages).toHaveLength(1);
  });

  it('to skip messages skips those that it showed, not those that have arrived since', async () => {
    const core = opened();
    for (let i = 0; i < 3; i++) await producer.send({ topic: 'orders', body: 'old' });
    const plan = await core.plan(rewind);
    for (let i = 0; i < 9; i++) await producer.send({ topic: 'orders', body: 'new' });
    expect(await core.execute(plan)).toMatchObject({ outcome: 'done', text: expect.stringContaining('3 are skipped') });
    expect((await admin.groupLag('billing')).lag).toBe(9);
  });

  it('to skip messages does not move a group back that has come further by itself', async () => {
    const core = opened();
    await producer.send({ topic: 'orders', body: 'old' });
    const plan = await core.plan(rewind);
    for (let i = 0; i < 20; i++) await producer.send({ topic: 'orders', body: 'new' });
    await admin.rewindGroup({ consumerGroup: 'billing', topic: 'orders', to: { kind: 'end' } });
    expect(await core.execute(plan)).toMatchObject({ outcome: 'done' });
    expect((await admin.groupLag('billing')).lag).toBe(0);
  });

  it('to rewind to a time names the time for who decides and who reads the audit', async () => {
    const asked: Json[] = [];
    const core = opened({ authorize: (_, __, target) => asked.push(target) > 0 });
    await core.change({ ...rewind, to: 'time', timeMs: 86_400_000 });
    const target = { consumerGroup: 'billing', topic: 'orders', to: 'time', time: '1970-01-02T00:00:00.000Z' };
    expect(asked).toEqual([target, target]);
    expect(await core.audit()).toMatchObject([{ target, outcome: 'done' }]);
  });

  it('to replay sends each dead letter once, when two viewers carry theirs out together', async () => {
    const core = opened();
    await bury(Array.from({ length: 12 }, (_, i) => `x-${i}`));
    const stored = (await admin.topicOffsets('orders')).total;
    const [ada, bob] = [{ viewer: 'ada' }, { viewer: 'bob' }];
    const [first, second] = await Promise.all([core.plan(replay, ada), core.plan(replay, bob)]);
    const done = await Promise.all([core.execute(first, ada), core.execute(second, bob)]);
    expect(done.map(({ outcome, error }) => outcome ?? error.code).sort()).toEqual(['BUSY', 'done']);
    expect((await admin.topicOffsets('orders')).total - stored).toBe(12);
    expect((await core.audit()).map(({ outcome }) => outcome).sort()).toEqual(['done', 'rejected']);
    // What was rejected was not used up, and finds that everything was replayed.
    const [later] = await Promise.all(
      [ada, bob].flatMap((viewer, index) =>
        done[index]?.error === undefined ? [] : core.execute(index === 0 ? first : second, viewer),
      ),
    );
    expect(later).toMatchObject({ details: { replayed: 0, replayedBefore: 12 } });
  });

  it('to replay does not send what lies at the same position when the queue was created again', async () => {
    const core = opened();
    await bury(['planned']);
    const plan = await core.plan(replay);
    await admin.deleteTopic('%DLQ%billing');
    await bury(['never shown'], 'other');
    const stored = (await admin.topicOffsets('other')).total;
    expect(await core.execute(plan)).toMatchObject({ outcome: 'partly', details: { replayed: 0, missing: 1 } });
    expect((await admin.topicOffsets('other')).total).toBe(stored);
  });

  it('to replay those of a topic sends no others, and other groups leave them alone', async () => {
    const core = opened();
    await bury(['a', 'b']);
    await bury(['c'], 'other');
    const { outcome } = await core.change({ ...replay, originTopic: 'other', onlyThisGroup: true });
    expect([outcome, (await admin.topicOffsets('orders')).total, (await admin.topicOffsets('other')).total]).toEqual([
      'done',
      2,
      2,
    ]);
    const { messages } = await admin.browseMessages('other', { order: 'newest-first', limit: 1 });
    expect(messages).toMatchObject([{ properties: { DEAD_LETTER_REPLAY_GROUP: expect.any(String) } }]);
    expect(await core.audit()).toMatchObject([{ target: { deadLetters: '1', onlyThisGroup: 'true' } }]);
  });

  it('to replay all leaves out a dead letter of which an edited copy was sent', async () => {
    const core = opened();
    await bury(['{"amount":-1}']);
    const [letter] = (await core.ask('/api/groups/billing/dead-letters')).deadLetters;
    const edited = { text: '{"amount":1}' };
    expect(await core.change({ ...replay, positions: [letter.position], edited })).toMatchObject({ outcome: 'done' });
    const { preview } = await core.plan(replay);
    expect([preview.planned, preview.skipped]).toMatchObject([[], [{ position: letter.position }]]);
  });
});

describe('a plan to replay the dead letters of all groups', () => {
  const all = { action: 'replay', allGroups: true };

  beforeEach(async () => {
    broker.declareGroup({ name: 'audit' });
    await bury(['a', 'b']);
    await bury(['c'], 'other', 'audit');
  });

  it('sends those of each group once, and is written down with the groups', async () => {
    const core = opened();
    const plan = await core.plan({ ...all, onlyThisGroup: true });
    const { planned, skipped, failed, problems } = plan.preview;
    expect({ skipped, failed, problems }).toEqual({ skipped: [], failed: [], problems: [] });
    expect(planned.map(({ deadLetter, topic }: Json) => `${deadLetter.consumerGroup} ${topic}`)).toEqual([
      'audit other',
      'billing orders',
      'billing orders',
    ]);
    await bury(['after the plan'], 'other', 'audit');
    const done = await core.execute(plan);
    expect(done).toMatchObject({ outcome: 'done', details: { replayed: 3, missing: 0 } });
    expect(done.details.results.map(({ consumerGroup }: Json) => consumerGroup)).toEqual([
      'audit',
      'billing',
      'billing',
    ]);
    expect([(await admin.topicOffsets('orders')).total, (await admin.topicOffsets('other')).total]).toEqual([4, 3]);
    const target = { consumerGroups: 'audit billing', deadLetters: '3', onlyThisGroup: 'true', topic: 'orders other' };
    expect(await core.audit()).toMatchObject([{ action: 'replay', target, outcome: 'done' }]);
    const { preview } = await core.plan(all);
    expect([preview.planned, preview.skipped]).toMatchObject([
      [{ deadLetter: { consumerGroup: 'audit' } }],
      [{}, {}, {}],
    ]);
  });

  it('asks for each group and its topics, as the plan of a group does', async () => {
    const asked: Json[] = [];
    const core = opened({
      authorize: (_, __, target) => {
        asked.push(target);
        return target.consumerGroup !== 'billing';
      },
    });
    expect(await core.plan(all)).toMatchObject({ status: 403, error: { code: 'NOT_ALLOWED' } });
    expect(asked).toEqual([
      { consumerGroup: 'audit', deadLetters: '1', topic: 'other' },
      { consumerGroup: 'billing', deadLetters: '2', topic: 'orders' },
    ]);
    expect(await opened({ actions: ['rewind'] }).plan(all)).toMatchObject({ status: 403 });
  });

  it('does not run beside the replay of one of its groups', async () => {
    const core = opened();
    const [whole, slow] = [await core.plan(all), await core.plan({ ...replay, perSecond: 1 })];
    const running = core.execute(slow);
    await soon(async () => (await admin.topicOffsets('orders')).total === 3);
    expect(await core.execute(whole)).toMatchObject({ status: 409, error: { code: 'BUSY' } });
    expect(await running).toMatchObject({ outcome: 'done' });
    expect(await core.execute(whole)).toMatchObject({ details: { replayed: 1, replayedBefore: 2 } });
  });

  it('lists the first of many that it leaves out, and says how many more there are', async () => {
    await bury(
      Array.from({ length: 205 }, (_, index) => `${index}`),
      'other',
      'audit',
    );
    for (let after: string | undefined = ''; after !== undefined; )
      ({ next: after } = await admin.replayDeadLetters('audit', { limit: 100, ...(after !== '' && { after }) }));
    const { preview } = await opened().plan(all);
    expect([preview.planned.length, preview.skipped.length, preview.more]).toEqual([2, 200, { skipped: 6, failed: 0 }]);
    const one = await opened().plan({ action: 'replay', consumerGroup: 'audit' });
    expect([one.preview.skipped.length, one.preview.more]).toEqual([200, { skipped: 6, failed: 0 }]);
  });

  it('advises what somebody can do who replays all groups', async () => {
    await bury(
      Array.from({ length: 300 }, (_, index) => `${index}`),
      'other',
      'audit',
    );
    const message = expect.stringContaining('; replay one group at a time, or choose a higher rate');
    expect(await opened().plan({ ...all, perSecond: 1 })).toMatchObject({ status: 400, error: { message } });
    const fewer = expect.stringContaining('; choose fewer dead letters, or choose a higher rate');
    const ofOne = { action: 'replay', consumerGroup: 'audit', perSecond: 1 };
    expect(await opened().plan(ofOne)).toMatchObject({ status: 400, error: { message: fewer } });
  });

  it('leaves nothing chosen out in silence', async () => {
    const chosen = { ...all, consumerGroup: 'billing' };
    expect(await opened().plan(chosen)).toMatchObject({ status: 400, error: { code: 'WRONG_PARAMETER' } });
  });
});

describe('what happens between plan and execution', () => {
  const later = { topic: 'reminders', body: 'x', delayMs: HOUR_MS };
  const edit = async (core: ConsoleCore): Promise<object> => {
    const { deadLetters } = await core.ask('/api/groups/billing/dead-letters');
    return { ...replay, positions: [deadLetters[0].position], edited: { text: 'edited' } };
  };

  it('does not let a rewind skip what somebody has set back', async () => {
    const core = opened();
    for (let one = 0; one < 20; one++) await producer.send({ topic: 'orders', body: 'x' });
    await core.change({ ...rewind, to: 'end' });
    for (let one = 0; one < 3; one++) await producer.send({ topic: 'orders', body: 'x' });
    const plan = await core.plan(rewind);
    await core.change({ ...rewind, to: 'beginning' }, { viewer: 'bob' });
    expect(await core.execute(plan)).toMatchObject({ status: 409, error: { code: 'SET_BACK' } });
    expect((await admin.groupLag('billing')).lag).toBeGreaterThan(15);
  });

  it('is not canceled: a message that was delivered', async () => {
    const core = opened();
    const ids = await Promise.all([later, later].map(async (one) => (await producer.send(one)).messageId));
    const plans = await Promise.all(
      [ids, ids.slice(1)].map((messageIds) => core.plan({ action: 'recall', topic: 'reminders', messageIds })),
    );
    await broker.control.deliverNow({ topic: 'reminders', messageId: ids[1] ?? '' });
    const text = `1 message canceled; 1 did not wait any more: ${ids[1]}`;
    expect(await core.execute(plans[0] as never)).toMatchObject({ outcome: 'partly', text });
    expect(await core.execute(plans[1] as never)).toMatchObject({ status: 409, error: { code: 'NOT_WAITING' } });
  });

  it('says of which messages it does not know whether they were changed', async () => {
    const core = opened();
    const { messageId } = await producer.send(later);
    const plan = await core.plan({ action: 'recall', topic: 'reminders', messageIds: [messageId, 'invented'] });
    const lost = Object.assign(new Error('no answer'), { code: 'DEADLINE_EXCEEDED', outcome: 'unknown' });
    admin.recallDelayed = () => Promise.reject(lost);
    const text = `0 messages canceled; 1 may be canceled or not: ${messageId}`;
    expect(await core.execute(plan)).toMatchObject({ outcome: 'partly', text });
    expect((await core.audit())[0]).toMatchObject({ text, target: { messageIds: messageId } });
  });

  it('changes all entries of an id once', async () => {
    const core = opened();
    broker.control.addFault({ rpc: 'sendMessage', action: { kind: 'dropResponse' }, times: 1 });
    const { messageId } = await producer.send(later);
    const plan = await core.plan({ action: 'deliver', topic: 'reminders', messageIds: [messageId] });
    expect(plan.preview.waiting).toHaveLength(1);
    expect(await core.execute(plan)).toMatchObject({ outcome: 'done', text: '1 message delivered' });
    expect((await core.ask('/api/delayed')).messages).toEqual([]);
  });

  it('sends a dead letter once: as an edited copy, or as it is', async () => {
    const core = opened();
    await bury(['x']);
    const all = await core.plan(replay);
    const [first, second] = [await core.plan(await edit(core)), await core.plan(await edit(core), { viewer: 'bob' })];
    expect(await core.execute(first)).toMatchObject({ outcome: 'done' });
    expect(await core.execute(second, { viewer: 'bob' })).toMatchObject({
      status: 409,
      error: { code: 'EDITED_BEFORE' },
    });
    expect(await core.execute(all)).toMatchObject({
      text: expect.stringMatching('^0 replayed, 1 were replayed before'),
    });
  });

  it('counts an edited copy whose answer was lost', async () => {
    const lost = Object.assign(new Error('no answer'), { outcome: 'unknown' });
    const core = opened({}, { send: () => Promise.reject(lost) });
    await bury(['x']);
    await core.change(await edit(core));
    expect((await core.plan(replay)).preview).toMatchObject({ planned: [], skipped: [{}] });
  });

  it('does not count for another dead letter at the position of the edited one', async () => {
    const core = opened();
    await bury(['first']);
    await core.change(await edit(core));
    await admin.deleteTopic('%DLQ%billing');
    await bury(['another'], 'other');
    expect((await core.plan(replay)).preview).toMatchObject({ planned: [{}], skipped: [] });
  });
});

describe('a rule', () => {
  const noOrders: ConsoleOptions['authorize'] = (_, __, { topic }) => topic !== 'orders';
  const first = async (core: ConsoleCore): Promise<string> =>
    (await core.ask('/api/groups/billing/dead-letters')).deadLetters[0].position;

  it('about sending is asked about an edited copy, which puts what a viewer writes into a topic', async () => {
    await bury(['x']);
    const edited = async (options: ConsoleOptions) => {
      const core = opened(options);
      const rejected = await core.plan({ ...replay, positions: [await first(core)], edited: { text: 'forged' } });
      return [rejected.error?.code, (await core.audit())[0]?.target];
    };
    const target = { consumerGroup: 'billing', topic: 'orders', position: expect.any(String), edited: 'true' };
    expect(await edited({ actions: ['replay'] })).toMatchObject(['NOT_ALLOWED', { consumerGroup: 'billing' }]);
    expect(await edited({ actions: ['send'] })).toMatchObject(['NOT_ALLOWED', { consumerGroup: 'billing' }]);
    expect(await edited({ authorize: noOrders })).toMatchObject(['NOT_ALLOWED', target]);
    expect(await edited({ authorize: (_, action) => action !== 'send' })).toMatchObject(['NOT_ALLOWED', target]);
    expect(await edited({ authorize: (_, action) => action !== 'replay' })).toMatchObject(['NOT_ALLOWED', target]);
    expect(await edited({ actions: ['replay', 'send'] })).toEqual([undefined, undefined]);
    expect((await admin.topicOffsets('orders')).total).toBe(1);
  });

  it('is asked about each topic that a replay sends to, when it is planned and when it is carried out', async () => {
    await bury(['x']);
    await bury(['y'], 'other');
    const asked: Json[] = [];
    let isClosed = false;
    const core = opened({
      authorize: (_, action, target) => {
        asked.push([action, target]);
        return !isClosed || target.topic !== 'orders';
      },
    });
    const plan = await core.plan(replay);
    const about = (topic: string) => ['replay', { consumerGroup: 'billing', deadLetters: '2', topic }];
    expect(asked).toEqual([about('orders'), about('other')]);
    isClosed = true;
    expect(await core.execute(plan)).toMatchObject({ error: { code: 'NOT_ALLOWED' } });
    isClosed = false;
    await core.execute(plan);
    const [done, rejected] = await core.audit();
    expect(done).toMatchObject({ outcome: 'done', target: { consumerGroup: 'billing', topic: 'orders other' } });
    expect(rejected).toMatchObject({ outcome: 'rejected', target: { consumerGroup: 'billing', topic: 'orders' } });
  });

  it.each([
    { action: 'send', topic: 'orders', text: 'x' },
    { action: 'rewind', consumerGroup: 'billing', topic: 'orders', to: 'end' },
    { action: 'listeners', listener: 'Billing.bill', change: 'pause' },
    { action: 'pause', consumerGroup: 'billing', change: 'pause', reason: 'x' },
    { action: 'replay', consumerGroup: 'billing' },
    { action: 'time', by: HOUR_MS },
  ])('about a topic is asked about $action', async (change) => {
    const listener = { name: 'Billing.bill', topic: 'orders', consumerGroup: 'billing', filter: '*', running: 0 };
    const listeners = () => [{ ...listener, status: 'listening', concurrency: 1 }];
    const application = { listeners, events: () => [], instance: 'here' } as never;
    const core = opened({ authorize: noOrders }, { application });
    if (change.action === 'replay' || change.action === 'pause') await bury(['x']);
    // Its consumer has it for a while, which ends on the way.
    if (change.action === 'time') {
      const consumer = new SimpleConsumer(connection, {
        consumerGroup: 'billing',
        subscriptions: [{ topic: 'orders' }],
      });
      await consumer.start();
      await producer.send({ topic: 'orders', body: 'x' });
      await consumer.receive();
      closers.push(() => consumer.close());
    }
    expect(await core.plan(change)).toMatchObject({ error: { code: 'NOT_ALLOWED' } });
    expect((await core.audit())[0]).toMatchObject({ target: { topic: 'orders' } });
  });

  it('cannot be avoided by the topics that brokers keep for a group', async () => {
    await bury(['x']);
    const core = opened({ authorize: noOrders });
    for (const topic of ['%RETRY%billing_orders', '%RETRY%billing', '%DLQ%billing'])
      for (const change of [
        { action: 'send', topic, text: 'x' },
        { ...rewind, topic },
      ])
        expect(await core.plan(change)).toMatchObject({ status: 400, error: { code: 'WRONG_PARAMETER' } });
  });
});

describe('a pause of a group', () => {
  const pause = { action: 'pause', consumerGroup: 'billing', change: 'pause', reason: 'the bank is away' };

  it('has its reason and the viewer, is shown, and ends with another change', async () => {
    await bury(['x']);
    const core = opened({});
    const plan = await core.plan(pause);
    expect(plan.preview).toEqual({ consumers: 0 });
    expect((await admin.describeGroup('billing'))?.pause).toBeUndefined();
    expect(await core.execute(plan)).toMatchObject({
      outcome: 'done',
      text: 'group billing is paused, over all instances',
    });
    const shown = { reason: 'the bank is away', by: expect.any(String), sinceMs: expect.any(Number) };
    expect((await admin.describeGroup('billing'))?.pause).toEqual(shown);
    expect((await core.audit())[0]).toMatchObject({
      action: 'pause',
      target: { consumerGroup: 'billing', change: 'pause', reason: 'the bank is away', topic: 'orders' },
    });
    expect((await core.change({ ...pause, reason: 'an audit' })).text).toMatch(
      /^group billing is paused, over all instances; it was paused since \S+Z by \S.* for: the bank is away$/,
    );
    await core.change(pause);
    const { reason: _, ...rest } = pause;
    const resume = await core.plan({ ...rest, change: 'resume' });
    expect(resume.preview).toEqual({ consumers: 0, pause: shown });
    expect(await core.execute(resume)).toMatchObject({ text: 'group billing is resumed, over all instances' });
    expect((await admin.describeGroup('billing'))?.pause).toBeUndefined();
  });

  it.each([
    ['without a reason', { reason: undefined }, 400, 'reason must be a non-empty string'],
    ['with a reason that is too long', { reason: 'x'.repeat(501) }, 400, 'reason has more than 500 characters'],
    ['that is neither', { change: 'stop', reason: undefined }, 400, 'change must be pause or resume'],
    ['of a group that does not exist', { consumerGroup: 'nope' }, 404, 'consumer group nope does not exist'],
  ])('is not planned %s', async (_, fields, status, message) => {
    const rejected = { status, error: { message: expect.stringContaining(message) } };
    expect(await opened({}).plan({ ...pause, ...fields })).toMatchObject(rejected);
  });
});

describe('where messages cannot be canceled', () => {
  it('that is neither offered nor planned', async () => {
    const plain = new EmbeddedBroker({ nameServerPort: 0, topics: [{ name: 'reminders', type: 'delay' }] });
    await plain.start();
    closers.push(() => plain.stop());
    const connected = new Connection({ endpoints: plain.endpoints });
    closers.push(() => connected.close());
    const sender = new Producer(connected);
    closers.push(() => sender.close());
    const own = new RocketMQAdmin({ nameServer: plain.nameServerEndpoint });
    closers.push(() => own.close());
    const { messageId } = await sender.send({ topic: 'reminders', body: 'x', delayMs: HOUR_MS });
    const recall = { action: 'recall', topic: 'reminders', messageIds: [messageId] };
    for (const control of [undefined, () => plain.control]) {
      const core = opened({}, { admin: own, control });
      const page = await core.ask('/api/delayed');
      expect(page).toMatchObject({ messages: [{ messageId }], noRecall: [page.messages[0].broker] });
      const trail = await core.ask(`/api/topics/reminders/messages/${messageId}`);
      expect(trail.noRecall).toEqual(page.noRecall);
      expect(await core.plan(recall)).toMatchObject({ status: 409, error: { code: 'RECALL_OFF' } });
    }
    const [there] = (await opened().ask('/api/delayed')).messages;
    expect(there).toBeUndefined();
    await producer.send({ topic: 'reminders', body: 'x', delayMs: HOUR_MS });
    expect(await opened().ask('/api/delayed')).toMatchObject({ messages: [{}], noRecall: [] });
  });
});

describe('a rejection before the plan', () => {
  it('has in the audit what the request was about, without bodies', async () => {
    const core = opened({ actions: [] });
    await core.plan({ action: 'send', topic: 'orders', text: 'a secret', properties: { card: '4711' } });
    await core.plan({ ...replay, positions: ['b/0/1', 'b/0/2'], edited: { text: 'a secret' } });
    await core.plan({ action: 'recall', topic: 'reminders', messageIds: ['A', 'B'] });
    const entries = await core.audit();
    expect(entries.map(({ target }) => target)).toEqual([
      { topic: 'reminders', messageIds: 'A B' },
      { consumerGroup: 'billing', positions: 'b/0/1 b/0/2' },
      { topic: 'orders' },
    ]);
    expect(JSON.stringify(entries)).not.toMatch(/secret|4711/);
  });
});

describe('the target of a change is that of the message', () => {
  it('of a delayed one: a viewer who may not cancel it cannot do so by another name', async () => {
    const kept = await producer.send({ topic: 'reminders', body: 'must stay', delayMs: HOUR_MS });
    const core = opened({ authorize: (_, __, { messageIds }) => !messageIds?.split(' ').includes(kept.messageId) });
    const { messageId } = kept;
    const other = await producer.send({ topic: 'reminders', body: 'may go', delayMs: HOUR_MS });
    const rejected = [
      await core.plan({ action: 'recall', topic: 'reminders', messageIds: [messageId] }),
      await core.plan({ action: 'recall', topic: 'reminders', messageIds: [other.messageId, messageId] }),
      await core.plan({ action: 'recall', topic: 'other', messageIds: [messageId] }),
      await core.plan({ action: 'recall', topic: 'reminders', messageIds: ['harmless'] }),
      await core.plan({ action: 'recall', topic: 'reminders', messageIds: [] }),
    ];
    const codes = ['NOT_ALLOWED', 'NOT_ALLOWED', 'NOT_WAITING', 'NOT_WAITING', 'WRONG_PARAMETER'];
    expect(rejected.map(({ error }) => error?.code)).toEqual(codes);
    expect((await core.ask('/api/delayed')).messages).toHaveLength(2);
  });

  it('of one that is not delayed any more: there is nothing to plan', async () => {
    const core = opened();
    const { messageId } = await producer.send({ topic: 'reminders', body: 'x', delayMs: HOUR_MS });
    const recall = { action: 'recall', topic: 'reminders', messageIds: [messageId] };
    expect(await core.change(recall)).toMatchObject({ outcome: 'done' });
    expect(await core.plan(recall)).toMatchObject({ status: 409, error: { code: 'NOT_WAITING' } });
  });

  it('of a half message, whatever topic the request names', async () => {
    const core = opened({ authorize: (_, __, { topic }) => topic === 'orders' });
    await producer.beginTransaction({ topic: 'payments', body: 'half' });
    await broker.control.advanceTime({ byMs: 48 * HOUR_MS, duringWork: true });
    const [half] = (await core.ask('/api/transactions')).messages;
    const resume = { action: 'resume', broker: half.broker, offsetMessageId: half.offsetMessageId };
    const rejected = [
      await core.plan({ ...resume, originTopic: 'payments' }),
      await core.plan({ ...resume, originTopic: 'orders' }),
    ];
    expect(rejected.map(({ error }) => error?.code)).toEqual(['NOT_ALLOWED', 'NOT_GIVEN_UP']);
  });

  it('of a fault, field by field', async () => {
    const core = opened({ authorize: (_, __, target) => target.rpc !== 'sendMessage' });
    const action = { kind: 'answer', code: 'TOO_MANY_REQUESTS', message: 'x'.repeat(600) };
    const rule = { action, rpc: 'sendMessage', times: 1 };
    expect(await core.plan({ action: 'faults', rule })).toMatchObject({ error: { code: 'NOT_ALLOWED' } });
  });
});
