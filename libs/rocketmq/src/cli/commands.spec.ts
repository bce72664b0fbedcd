// The commands that administer a cluster, called as a shell calls them, on an embedded broker with a name server port.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Called, call, words } from '../../../../test/fixtures/command-line.js';
import { ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import { Connection, Producer, PushConsumer, SimpleConsumer } from '../entries/client.js';
import { TestBroker } from '../entries/testing.js';

let broker: TestBroker;
let connection: Connection;
let messageId: string;

beforeAll(async () => {
  broker = await TestBroker.start({ nameServerPort: 0, strict: true });
  connection = new Connection({ endpoints: broker.endpoints });
  broker.declareTopic({ name: 'orders', type: 'normal', queues: 2 });
  broker.declareGroup({ name: 'billing' });
  broker.declareGroup({ name: 'hopeless', maxDeliveryAttempts: 1 });
  const producer = new Producer(connection);
  await producer.start();
  const properties = { user: 'Ada' };
  ({ messageId } = await producer.send({ topic: 'orders', body: 'one', tag: 'paid', keys: ['order-1'], properties }));
  await producer.send({ topic: 'orders', body: Buffer.from([0, 255, 1]), keys: ['order-2'] });
  await producer.close();
  await consumeAll('billing');
  await buryAll('hopeless');
});

const scripted = new ScriptedCluster();

afterAll(async () => {
  await scripted.close();
  connection.close();
  await broker.stop();
});

async function consumeAll(consumerGroup: string): Promise<void> {
  let count = 0;
  let all = (): void => {};
  const consumed = new Promise<void>((resolve) => {
    all = resolve;
  });
  const handler = async (): Promise<void> => {
    if (++count === 2) all();
  };
  const consumer = new PushConsumer(connection, { consumerGroup, subscriptions: [{ topic: 'orders' }], handler });
  await consumer.start();
  await consumed;
  await consumer.close();
}

async function buryAll(consumerGroup: string, topic = 'orders'): Promise<void> {
  const consumer = new SimpleConsumer(connection, { consumerGroup, subscriptions: [{ topic }] });
  await consumer.start();
  for (let buried = 0; buried < 2; ) {
    const received = await consumer.receive({ maxMessages: 8, longPollingTimeoutMs: 5_000 });
    for (const message of received) await consumer.forwardToDeadLetterQueue(message);
    buried += received.length;
  }
  await consumer.close();
}

const on = (line: string): Promise<Called> => call([...words(line), '--name-server', broker.nameServerEndpoint]);
async function json(line: string): Promise<Record<string, never>> {
  const { code, out, err } = await on(`${line} --json`);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}
const rejected = async (line: string, code: number): Promise<string> => {
  const called = await on(line);
  expect({ code: called.code, out: called.out }).toEqual({ code, out: '' });
  return called.err;
};

describe('a name that does not exist', () => {
  it.each([
    'dlq list nope',
    'dlq replay nope',
    'dlq replay nope --yes',
    'message list nope',
    'group clients nope',
    'lag billing --topic nope',
    'message find nope --key k',
  ])('makes %s fail', async (line) => {
    expect(await rejected(line, 1)).toContain('"nope" does not exist');
    expect(JSON.parse(await rejected(`${line} --json`, 1)).error.message).toContain('"nope" does not exist');
  });

  it('is no failure for a group without dead letters', async () => {
    expect((await on('dlq list billing')).out).toContain('0 of 0 dead letters\n');
    expect((await on('dlq replay billing --yes')).code).toBe(0);
  });
});

describe('the program', () => {
  it('prints its version, and leaves the options of commands to them', async () => {
    for (const line of ['--version', '-V']) expect(await call([line])).toEqual({ code: 0, out: '1.2.3\n', err: '' });
    const wrong = await call(words('asyncapi document app.js --version'));
    expect(wrong).toMatchObject({ code: 2, out: '', err: expect.stringContaining('argument missing') });
  });

  it('shows no value that a person cannot give', async () => {
    expect((await call(words('broker --help'))).out).not.toContain('preset');
  });
});

describe('topic', () => {
  it('creates, lists, shows and deletes, and deletes nothing without --yes', async () => {
    expect((await on('topic create steps --type fifo --queues 4')).out).toBe(
      'topic steps has type fifo and 4 queues on each broker\n',
    );
    expect((await on('topic list')).out).toMatch(
      /^TOPIC +TYPE +QUEUES +KIND +BROKERS\norders +normal +2 +user +\S+\nsteps +fifo +4/,
    );
    expect(await json('topic show steps')).toMatchObject({ topic: 'steps', type: 'fifo', queues: 4, messages: 0 });
    expect((await on('topic delete steps')).out).toContain(
      'would be deleted; nothing was changed; add --yes to delete it',
    );
    expect(await json('topic show steps')).toMatchObject({ topic: 'steps' });
    expect((await on('topic delete steps --yes')).out).toMatch(/^topic steps was deleted from /);
    expect(await json('topic delete steps')).toEqual({ topic: 'steps', done: false, exists: false, messages: 0 });
    expect(await rejected('topic show steps', 1)).toContain(
      `topic "steps" does not exist; create it with: npx nestjs-rocketmq topic create steps --type normal --name-server ${broker.nameServerEndpoint}\n`,
    );
    const { error } = JSON.parse(await rejected('topic show steps --json', 1));
    expect(error).toMatchObject({ code: 'TOPIC_NOT_FOUND', outcome: 'rejected', retryable: false });
  });

  it('alters nothing that is there without --yes, and with it no more than was asked for', async () => {
    await on('topic create lines --type fifo --queues 16');
    const called = await on('topic create lines --type delay --queues 8');
    expect({ code: called.code, out: called.out }).toEqual({ code: 1, out: '' });
    expect(called.err).toMatch(
      /^topic "lines" already exists with other settings: its type is fifo on \S+, not delay; it has 16 queues on \S+, not 8; nothing was changed/,
    );
    const untouched = { topic: 'lines', type: 'fifo', queues: 16 };
    const brokers = [expect.objectContaining({ type: 'fifo', queues: 16 })];
    expect(await json('topic create lines')).toEqual({ ...untouched, brokers });
    expect(await json('topic show lines')).toMatchObject(untouched);
    expect(await json('topic create lines --type delay --yes')).toEqual({
      ...untouched,
      type: 'delay',
      brokers: [expect.objectContaining({ type: 'delay', queues: 16 })],
    });
    expect(await json('topic show lines')).toMatchObject({ ...untouched, type: 'delay' });
    await on('topic delete lines --yes');
  });

  it('shows what lies in the queues', async () => {
    const { out } = await on('topic show orders');
    expect(out).toContain('topic orders: normal, 2 queues on each of 1 broker, 2 messages\n');
    expect(out).toMatch(/^consumed by: billing, hopeless$/m);
    expect(out).toMatch(/\d{4}-\d\d-\d\dT[\d:.]+Z\n/);
    const { queueOffsets } = await json('topic show orders');
    expect(queueOffsets).toHaveLength(2);
  });

  it('rejects a wrong command line with exit code 2, before it asks a server', async () => {
    expect(await rejected('topic create x --type other', 2)).toContain('Allowed choices are normal, fifo, delay');
    expect(await rejected('topic create x --queues 0', 2)).toContain('It must be an integer above 0');
    expect(await rejected('topic create', 2)).toContain("missing required argument 'topic'");
    expect(await rejected('topic rename x', 2)).toContain("unknown command 'rename'");
    expect(await rejected('topic create a/b', 2)).toContain('may contain only letters');
  });
});

describe('group', () => {
  it('alters nothing that is there without --yes, and with it no more than was asked for', async () => {
    await on('group create lines --fifo --max-attempts 5');
    const called = await on('group create lines --no-fifo --max-attempts 9');
    expect({ code: called.code, out: called.out }).toEqual({ code: 1, out: '' });
    expect(called.err).toMatch(
      /^group "lines" already exists with other settings: it is ordered on \S+; it delivers at most 5 times on \S+, not at most 9 times; nothing was changed/,
    );
    const untouched = { consumerGroup: 'lines', fifo: true, maxDeliveryAttempts: 5 };
    expect(await json('group create lines')).toEqual(untouched);
    expect(await json('group show lines')).toMatchObject(untouched);
    expect(await json('group create lines --max-attempts 9 --yes')).toEqual({ ...untouched, maxDeliveryAttempts: 9 });
    expect(await json('group show lines')).toMatchObject({ fifo: true, maxDeliveryAttempts: 9 });
    await on('group delete lines --yes');
  });

  it('creates, lists, shows and deletes, and deletes nothing without --yes', async () => {
    expect((await on('group create shipping --fifo --max-attempts 5')).out).toBe(
      'ordered group shipping delivers at most 5 times\n',
    );
    expect((await on('group list')).out).toMatch(/shipping +yes +5 +customized/);
    expect((await on('group show shipping')).out).toContain('attempts  5, then a dead letter');
    expect(await json('group delete shipping')).toMatchObject({
      done: false,
      exists: true,
      clients: 0,
      deadLetters: 0,
    });
    expect(await json('group show shipping')).toMatchObject({ fifo: true, maxDeliveryAttempts: 5 });
    expect((await on('group delete shipping --yes')).out).toMatch(/^group shipping was deleted/);
    expect(await rejected('group show shipping', 1)).toContain(
      `group "shipping" does not exist; create it with: npx nestjs-rocketmq group create shipping --name-server ${broker.nameServerEndpoint}\n`,
    );
    const { error } = JSON.parse(await rejected('group show shipping --json', 1));
    expect(error).toMatchObject({ code: 'CONSUMER_GROUP_NOT_FOUND', outcome: 'rejected', retryable: false });
  });

  it('shows what a connected consumer is doing', async () => {
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic: 'orders' }] });
    await consumer.start();
    const { clientId } = consumer;
    expect((await on(`group client billing ${clientId}`)).out).toMatch(/^client: .*\n(.*\n)*active resources: /);
    const report = expect.stringContaining('consumer group: billing');
    expect(await json(`group client billing ${clientId}`)).toEqual({ consumerGroup: 'billing', clientId, report });
    await consumer.close();
    expect(await rejected(`group client billing ${clientId}`, 1)).toMatch(
      /^\[NOT_FOUND\] .* is not connected; list those that are/,
    );
  });

  it('shows connected consumers, and whether their subscriptions differ', async () => {
    const member = async (expression: string): Promise<SimpleConsumer> => {
      const subscriptions = [{ topic: 'orders', filter: { kind: 'tag' as const, expression } }];
      const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions });
      await consumer.start();
      return consumer;
    };
    const [one, other] = [await member('paid'), await member('refunded')];
    expect((await on('group clients billing')).out).toMatch(/NODE_JS[\s\S]*orders +tag +/);
    const { code, out } = await on('group clients billing --compare');
    expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining('different subscriptions to orders') });
    await one.close();
    await other.close();
  });
});

describe('lag and rewind', () => {
  it('show the lag, and move a group only with --yes', async () => {
    expect((await on('lag billing')).out).toContain('group billing is 0 messages behind\n');
    const plan = await on('rewind billing orders --to beginning');
    expect(plan.out).toMatch(/1 redelivered\n.*1 redelivered\nnothing was changed; add --yes to move the group\n$/);
    expect((await on('rewind billing orders --to earliest')).out).toBe(plan.out);
    expect(await json('lag billing')).toMatchObject({ lag: 0 });
    expect((await on('rewind billing orders --to beginning --yes')).out).toContain('was moved in orders');
    expect(await json('lag billing')).toMatchObject({ lag: 2, topics: [{ topic: 'orders', lag: 2 }] });
    expect((await on('lag billing --queues')).out).toMatch(/orders +\S+ +1 +0 +1 +1 +-\n/);
    expect(await on('lag billing --fail-above 1')).toMatchObject({ code: 1 });
    expect(await rejected('lag biling --fail-above 1', 1)).toContain('group "biling" does not exist');
    expect(await on('lag billing --fail-above 2')).toMatchObject({ code: 0 });
    const { moves } = await json('rewind billing orders --to latest --yes');
    expect(moves).toMatchObject([
      { from: 0, to: 1 },
      { from: 0, to: 1 },
    ]);
  });

  it('show what a group will read before it has consumed anything, and fail when asked to judge an unknown lag', async () => {
    await on('group create newcomer');
    expect((await on('lag newcomer')).out).toContain('add --topic TOPIC');
    expect(await rejected('lag newcomer --fail-above 0', 1)).toContain('is not known');
    expect((await on('lag newcomer --topic orders')).out).toMatch(
      /2 messages behind[\s\S]*orders +2 +0 +2 +not started\n/,
    );
    expect((await on('lag newcomer --topic orders --queues')).out).toMatch(/orders +\S+ +1 +0 +1 +1 +not started\n/);
    expect(await on('lag newcomer --topic orders --fail-above 1')).toMatchObject({ code: 1 });
    expect(await on('lag newcomer --topic orders --fail-above 2')).toMatchObject({ code: 0 });
  });

  it('reject an invalid position, an unknown group and an unknown queue', async () => {
    expect(await rejected('rewind billing orders', 2)).toContain("required option '--to <place>' not specified");
    expect(await rejected('rewind billing orders --to yesterday', 2)).toContain('It must be beginning, end, a time');
    expect(await rejected('rewind nobody orders --to end --yes', 1)).toContain('group "nobody" does not exist');
    expect(await rejected('rewind billing nothing --to end', 1)).toContain('topic "nothing" does not exist');
    expect(await rejected('rewind billing orders --to broker:9:0', 1)).toContain('has no such queue');
  });
});

describe('message', () => {
  it('shows one in full', async () => {
    const { out } = await on(`message show orders ${messageId}`);
    for (const part of [messageId, 'tag            paid', 'keys           order-1', 'property user  Ada', '\n\none\n'])
      expect(out).toContain(part);
    expect(await on('message show orders no-such')).toEqual({
      code: 1,
      out: '',
      err: 'warning: topic orders has no message no-such\n',
    });
  });

  it('finds by key, lists page by page, and shows the size of a binary body', async () => {
    const found = await json('message find orders --key order-2');
    expect(found).toMatchObject({ messages: [{ keys: ['order-2'], body: 'AP8B' }] });
    expect((await on('message find orders --key order-2')).out).toMatch(/order-2 +\(3 bytes\)\n/);
    const first = await json('message list orders --limit 1');
    expect(first).toMatchObject({ total: 2 });
    const { out } = await on(`message list orders --limit 1 --after ${first.next}`);
    expect(out).toContain('1 of 2 messages\n');
    expect(await rejected('message find orders --key order-2 --from noon', 2)).toContain('It must be a time like');
  });
});

describe('message list', () => {
  it('starts with the newest message on request, and keeps to a time', async () => {
    const { messages, next } = await json('message list orders --newest --limit 1');
    expect(messages).toMatchObject([{ keys: ['order-2'] }]);
    expect(await json(`message list orders --newest --after ${next}`)).toMatchObject({ messages: [{ messageId }] });
    expect(await json('message list orders --to 2001-01-01')).toMatchObject({ messages: [], total: 0 });
    expect(await rejected(`message list orders --after ${next}`, 2)).toContain('in the same order');
  });
});

describe('message send', () => {
  it('sends one message with all that is given, and says where it is', async () => {
    await on('topic create errands --type normal --queues 1');
    const line = 'message send errands --tag t --key k1 --key k2 --property from=cli --property empty-before=a=b';
    expect(
      (await call([...words(line), '--body', '{"id":1}', '--name-server', broker.nameServerEndpoint])).out,
    ).toMatch(/^message \S+ is stored in errands: \S+ queue 0 offset 0\n$/);
    const { messages } = await json('message find errands --key k2');
    expect(messages).toMatchObject([
      {
        body: Buffer.from('{"id":1}').toString('base64'),
        tag: 't',
        keys: ['k1', 'k2'],
        properties: { from: 'cli', 'empty-before': 'a=b' },
      },
    ]);
  });

  it('rejects what is no message, and what the topic does not take, and sends nothing', async () => {
    await on('topic create chores --type normal');
    expect(await rejected('message send chores', 2)).toContain('either --body or --file');
    expect(await rejected('message send chores --file no-such-file', 2)).toContain('cannot read no-such-file');
    expect(await rejected('message send chores --body x --property p', 2)).toContain('It must be name=value.');
    expect(await rejected('message send chores --body x --delay 1000', 1)).toContain('TOPIC_TYPE_MISMATCH');
    expect(await json('topic show chores')).toMatchObject({ messages: 0 });
  });

  it('does not send a body that does not fit the document of the application', async () => {
    await on('topic create payments --type normal');
    const payload = { type: 'object', properties: { paid: { type: 'boolean' } }, required: ['paid'] };
    const channels = { payments: { address: 'payments', messages: { payment: { payload } } } };
    const operations = { pay: { action: 'receive', channel: { $ref: '#/channels/payments' } } };
    const folder = mkdtempSync(join(tmpdir(), 'asyncapi-'));
    try {
      const file = join(folder, 'asyncapi.json');
      writeFileSync(file, JSON.stringify({ asyncapi: '3.0.0', channels, operations }));
      const line = `message send payments --asyncapi ${file} --body`;
      expect(await rejected(`${line} {"paid":1}`, 2)).toContain('paid is a number, but only boolean is accepted');
      expect(await json('topic show payments')).toMatchObject({ messages: 0 });
      expect((await on(`${line} {"paid":true}`)).out).toContain('is stored in payments');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('message trail', () => {
  it('shows what became of a message, group by group', async () => {
    const { code, out, err } = await on(`message trail orders ${messageId}`);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(
      /^\S+Z {2}sent by .*\n\S+Z {2}stored in orders: \S+ queue \d offset 0\n\ngroup billing: delivered, or not wanted by its filter\n\ngroup hopeless: .*\n\S+Z {2}dead-lettered in %DLQ%hopeless: \S+ queue \d offset \d\n$/,
    );
    const { groups } = await json(`message trail orders ${messageId} --group hopeless`);
    expect(groups).toMatchObject([{ consumerGroup: 'hopeless', deadLetters: [{ messageId }] }]);
    expect(await on('message trail orders no-such')).toMatchObject({
      code: 1,
      err: 'warning: the servers have no message no-such of topic orders\n',
    });
    const { out: mistyped } = await on(`message trail orders ${messageId} --group biling`);
    expect(mistyped).toMatch(/\ngroup biling: has received nothing of the topic, and no consumer of it subscribes\n$/);
  });

  it('shows a message of which only a dead letter is left', async () => {
    broker.declareTopic({ name: 'brief', queues: 1 });
    broker.declareGroup({ name: 'doomed' });
    const producer = new Producer(connection);
    await producer.start();
    const sent = await producer.send({ topic: 'brief', body: 'x' });
    await producer.close();
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'doomed', subscriptions: [{ topic: 'brief' }] });
    await consumer.start();
    const [received] = await consumer.receive({ maxMessages: 1, longPollingTimeoutMs: 5_000 });
    if (received === undefined) throw new Error('nothing came');
    await consumer.forwardToDeadLetterQueue(received);
    await on('topic delete brief --yes');
    broker.declareTopic({ name: 'brief', queues: 1 });
    const { code, out, err } = await on(`message trail brief ${sent.messageId} --group doomed`);
    await consumer.close();
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/dead-lettered in %DLQ%doomed/);
  });

  it('says what was not read', async () => {
    const { nameServer } = await scripted.start([
      ({ code }) => {
        if (code === 300) return { body: '{"groupList":["secret"]}' };
        return code === 12 || code === 202 ? { code: code === 12 ? 22 : 17 } : { code: 16, remark: 'not authorized' };
      },
    ]);
    const called = await call([...words('message trail orders m --name-server'), nameServer.address]);
    expect(called.code).toBe(1);
    expect(called.err).toMatch(
      /^warning: the servers have no message m of topic orders\nwarning: delays on broker broker-0 were not looked at: .*5\.3\.1.*\nwarning: 1 group not looked at on every broker: secret: .*not authorized.*--group.*\n$/,
    );
  });
});

describe('message delayed', () => {
  it('lists what will be delivered, and when', async () => {
    broker.declareTopic({ name: 'reminders', type: 'delay', queues: 1 });
    const producer = new Producer(connection);
    await producer.start();
    await producer.send({ topic: 'reminders', body: 'soon', delayMs: 3_600_000, keys: ['r-1'] });
    await producer.send({ topic: 'reminders', body: 'sooner', delayMs: 1_800_000, keys: ['r-2'] });
    await producer.close();
    const { messages, next } = await json('message delayed --topic reminders --limit 1');
    expect(messages).toMatchObject([{ originTopic: 'reminders', keys: ['r-2'], recallHandle: expect.any(String) }]);
    const { out } = await on(`message delayed --topic reminders --limit 1 --after ${next}`);
    expect(out).toMatch(/^MESSAGE ID .*DUE[\s\S]* reminders .*r-1 +soon\n1 delayed message\n$/);
    expect((await on('message delayed --topic orders')).out).toContain('0 delayed messages\n');
  });
});

describe('message tail', () => {
  const tail = (line: string, count: number): Promise<Called> => {
    const args = [...words(`message tail ${line}`), '--name-server', broker.nameServerEndpoint];
    return call(args, {}, (out) => out.split('\n').length > count);
  };

  it('prints a line for each message, until nobody reads it', async () => {
    const { code, out, err } = await tail('orders --from 2001-01-01', 2);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`${messageId}  paid  order-1  one\n`);
    const { out: documents } = await tail('orders --from 2001-01-01 --json --key order-2 --key order-3', 1);
    expect(
      documents
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ keys: ['order-2'], body: 'AP8B' }]);
    const { out: tagged } = await tail('orders --from 2001-01-01 --tag paid', 1);
    expect(tagged.trim().split('\n')).toHaveLength(1);
  });

  it('fails for a topic that does not exist', async () => {
    expect(await rejected('message tail nowhere', 1)).toContain('topic "nowhere" does not exist on this cluster');
  });
});

describe('what a message says', () => {
  it('cannot send control sequences to the terminal', async () => {
    broker.declareTopic({ name: 'hostile' });
    const producer = new Producer(connection);
    const body = 'red\u009b31m, and\rgone\u007f\r\nnext';
    const sent = await producer.send({ topic: 'hostile', body, keys: ['k\u009b2J'] }).catch(() => undefined);
    const { messageId: id } = sent ?? (await producer.send({ topic: 'hostile', body }));
    await producer.close();
    for (const line of ['message list hostile', `message show hostile ${id}`]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect((await on(line)).out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    }
    expect((await on(`message show hostile ${id}`)).out).toContain('red\\x9b31m, and\\x0dgone\\x7f\nnext\n');
    const messages: { body: string }[] = (await json(`message show hostile ${id}`)).messages ?? [];
    const [message] = messages;
    expect(Buffer.from(message?.body ?? '', 'base64').toString()).toBe(body);
  });
});

describe('dlq', () => {
  it('lists, shows what it would send, and sends only that', async () => {
    const listed = await json('dlq list hopeless');
    const waiting = { originTopic: 'orders', replayed: 'no' };
    expect(listed).toMatchObject({ total: 2, deadLetters: [waiting, waiting] });
    expect((await on('dlq replay hopeless --key order-1')).out).toContain('1 dead letter would be replayed');
    expect(await json('topic show orders')).toMatchObject({ messages: 2 });
    expect((await on('dlq replay hopeless --key order-1 --yes')).out).toBe(
      '1 dead letter replayed, 0 skipped because they already were, 0 failed\n',
    );
    expect((await on('dlq list hopeless')).out).toMatch(/FROM TOPIC +REPLAYED +BODY\n(.*orders +(yes|no) .*\n){2}/);
    const after: { deadLetters?: { replayed: string }[] } = await json('dlq list hopeless');
    expect(after.deadLetters?.map(({ replayed }) => replayed).sort()).toEqual(['no', 'yes']);
    const plan = await on('dlq replay hopeless');
    expect(plan).toMatchObject({ code: 0, err: '' });
    expect(plan.out).toContain(
      'topic orders is consumed by: billing, hopeless\n1 dead letter would be replayed, 1 skipped because they already were, 0 cannot be replayed;',
    );
    expect((await on('dlq replay hopeless --only-this-group')).out).toContain(
      'topic orders: hopeless handles them; consumers of other clients than this library do so too, if there are any in: billing\n',
    );
    expect(await json('dlq replay hopeless')).toMatchObject({
      done: false,
      planned: [{ topic: 'orders', consumerGroups: ['billing', 'hopeless'] }],
      replayedBefore: 1,
      failed: [],
    });
    expect(await json('dlq replay hopeless --yes')).toMatchObject({ done: true, replayedBefore: 1, failed: [] });
    expect(await json('topic show orders')).toMatchObject({ messages: 4 });
  });

  it('replays those of all groups at once, each to its own', async () => {
    broker.declareTopic({ name: 'parcels', type: 'normal' });
    for (const key of ['p-1', 'p-2']) await on(`message send parcels --body ${key} --key ${key}`);
    for (const name of ['lost-1', 'lost-2']) {
      broker.declareGroup({ name, maxDeliveryAttempts: 1 });
      await buryAll(name, 'parcels');
    }
    const line = 'dlq replay --all-groups --only-this-group --key p-1';
    const plan = await on(line);
    expect(plan).toMatchObject({ code: 0, err: '' });
    expect(plan.out).toMatch(/ GROUP +FROM TOPIC +BODY\n.* p-1 +lost-1 +parcels .*\n.* p-1 +lost-2 +parcels .*\n/);
    expect(plan.out).toContain('topic parcels: lost-2 handles them;');
    const ofGroups = [{ consumerGroup: 'lost-1' }, { consumerGroup: 'lost-2' }];
    expect(await json(line)).toMatchObject({ done: false, planned: ofGroups });
    expect(await json(`${line} --yes`)).toMatchObject({ done: true, replayed: ofGroups, failed: [] });
    expect(await json(`${line} --yes`)).toMatchObject({ done: true, replayed: [], replayedBefore: 2 });
  });

  it('lists those of all groups page by page, each with its group', async () => {
    const listed = async (line: string) => {
      const { out } = await on(`dlq list --all-groups --json ${line}`);
      const page: { deadLetters: { consumerGroup: string }[]; next?: string } = JSON.parse(out);
      return { groups: page.deadLetters.map(({ consumerGroup }) => consumerGroup), next: page.next };
    };
    const groups: string[] = [];
    let after: string | undefined = '';
    do {
      const page = await listed(`--limit 1 ${after}`);
      groups.push(...page.groups);
      expect(page.next ?? 'g').toMatch(/^[\w-]+(\/embedded\/\d+\/\d+)?$/);
      after = page.next && `--after ${page.next}`;
    } while (after !== undefined);
    expect((await listed('--limit 100')).groups).toEqual(groups);
    expect(groups.filter((name) => name.startsWith('lost'))).toEqual(['lost-1', 'lost-1', 'lost-2', 'lost-2']);
    const { out } = await on('dlq list --all-groups --after lost-2 --limit 2');
    expect(out).toMatch(/ GROUP +FROM TOPIC +REPLAYED +BODY\n(.* lost-2 +parcels +(yes|no) .*\n){2}/);
    expect(out).toMatch(/\n2 dead letters(; continue with --after [\w-]+)?\n$/);
  });

  it.each([
    ['nobody', 'no dead letters of a group "nobody"'],
    ['lost-2/', 'it is GROUP/POSITION, or GROUP'],
    ['lost-2/nowhere/0/0', 'has no queue 0 on a broker "nowhere"'],
  ])('is not listed from --after %s', async (after, problem) => {
    expect(await rejected(`dlq list --all-groups --after ${after}`, 2)).toContain(problem);
  });

  it.each(['dlq replay --yes', 'dlq replay billing --all-groups --yes', 'dlq list', 'dlq list billing --all-groups'])(
    'rejects %s',
    async (line) => {
      expect(await rejected(line, 2)).toContain('name a group, or add --all-groups');
    },
  );

  it('fails when a dead letter cannot be sent, and names it', async () => {
    broker.declareTopic({ name: 'passing', type: 'normal', queues: 1 });
    const producer = new Producer(connection);
    await producer.start();
    await producer.send({ topic: 'passing', body: 'x' });
    await producer.close();
    broker.declareGroup({ name: 'late', maxDeliveryAttempts: 1 });
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'late', subscriptions: [{ topic: 'passing' }] });
    await consumer.start();
    const [received] = await consumer.receive({ longPollingTimeoutMs: 5_000 });
    if (received !== undefined) await consumer.forwardToDeadLetterQueue(received);
    await consumer.close();
    await on('topic delete passing --yes');
    expect(await on('dlq replay late')).toMatchObject({ code: 0, err: expect.stringContaining('[ORIGIN_GONE]') });
    const { code, err } = await on('dlq replay late --yes');
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('was not replayed: [ORIGIN_GONE]') });
  });
});

describe('every command', () => {
  it('prints a failure as JSON on standard error with --json, and nothing on standard output', async () => {
    const { code, out, err } = await call(words('topic list --json --name-server 127.0.0.1:1 --timeout 500'));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true } });
    const wrong = await call(words('topic list --jsn --json'));
    expect(wrong.code).toBe(2);
    expect(JSON.parse(wrong.err)).toMatchObject({ error: { code: 'USAGE' } });
  });

  it('names the servers that it cannot reach', async () => {
    const wrongPort = await call(words('lag billing --name-server 127.0.0.1:1 --timeout 500'));
    expect(wrongPort).toMatchObject({ code: 1, out: '' });
    expect(wrongPort.err).toContain('127.0.0.1:1');
  });
});
