// The code in the documents is that of docs/examples, which this spec runs.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { MINUTE_MS, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { replayFor, troublesOf } from '../../docs/examples/administration.js';
import { urgentOrders } from '../../docs/examples/embedded-broker.js';
import { Shop, ShopModule, Warehouse } from '../../docs/examples/first-steps.js';
import { follow } from '../../docs/examples/follow.js';
import { Billing, InvoiceDue } from '../../docs/examples/listener-ends.js';
import { Newsletter, NewsletterModule } from '../../docs/examples/newsletter.js';
import { Payment } from '../../docs/examples/payment.js';
import { invoiceProducer, sendInvoice, sendInvoices } from '../../docs/examples/producer.js';
import { shippingConsumer, traceId } from '../../docs/examples/push-consumer.js';
import { nightlyRun } from '../../docs/examples/simple-consumer.js';
import { Booking, BookingModule } from '../../docs/examples/transaction-log.js';
import '../../docs/examples/reminder.test.js';
import { brokerValuesOf } from '../../libs/rocketmq/src/cli/broker-command.js';
import { brokerOptionsOf } from '../../libs/rocketmq/src/cli/broker-process.js';
import { documents as allDocuments, deadLinks, exampleText } from '../../tools/documents.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { eventually, soon } from '../../tools/until.js';

const documents = allDocuments();
const EMBEDDED = /<!-- code: (\S+) -->\n```(?:ts|json|prisma|java|go)\n([\s\S]*?)```/g;

describe('the documents', () => {
  it.each(documents)('%s contains the current examples', (document) => {
    for (const [, example = '', shown] of readFileSync(document, 'utf8').matchAll(EMBEDDED)) {
      expect({ example, code: shown }).toEqual({ example, code: exampleText(example) });
    }
  });

  it.each(documents)('%s contains no unchecked TypeScript', (document) => {
    const text = readFileSync(document, 'utf8').replace(EMBEDDED, '');
    const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
    expect(
      blocks.filter(([, language = '']) => ['', 'ts', 'typescript'].includes(language)).map(([block]) => block),
    ).toEqual([]);
  });

  it('contain every example', () => {
    const shown = documents
      .flatMap((document) =>
        [...readFileSync(document, 'utf8').matchAll(EMBEDDED)].map(([, example = '']) => example.split('#')[0]),
      )
      // What a check runs is in its folder.
      .filter((path) => path?.startsWith('docs/examples/'));
    // What tools write for a migration is not shown.
    const isWritten = (path: string): boolean => /\/migrations\/.*\.(sql|json|toml)$/.test(path);
    expect(
      readdirSync('docs/examples', { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => !isWritten(path))
        .sort(),
    ).toEqual([...new Set(shown)].sort());
  });

  it('contain only valid command lines of the broker', async () => {
    const calls = documents.flatMap((document) =>
      [...readFileSync(document, 'utf8').matchAll(/^npx nestjs-rocketmq broker(.*)$/gm)].map(([, line = '']) => line),
    );
    expect(calls.length).toBeGreaterThan(2);
    for (const line of calls) {
      const words = line
        .replace(/ # .*/, '')
        .split(' ')
        .filter((word) => word !== '');
      await brokerOptionsOf(brokerValuesOf(words), (file) => readFileSync(join('docs/examples', file), 'utf8'));
    }
  });

  it.each(documents)('%s links to existing files and headings, and to plausible addresses', (document) => {
    expect(deadLinks(document)).toEqual([]);
  });
});

describe('the embedded broker', () => {
  it('delivers the message of its example', async () => {
    expect(await urgentOrders()).toEqual(['urgent', 'can wait']);
  });
});

describe('the program of the first steps', () => {
  it('prints the result of its handler', async () => {
    const env = { ...process.env, NO_COLOR: '1', PORT: '0', ROCKETMQ_ENDPOINTS: 'embedded:' };
    const program = fork('docs/examples/first-steps.main.ts', { execArgv: TYPESCRIPT_ARGS, env, silent: true });
    const exited = once(program, 'exit');
    let output = '';
    program.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    await eventually(
      () => output,
      (text) => text.includes('[Warehouse] Packed'),
      60_000,
    );
    program.kill('SIGTERM');
    await exited;
    expect(output).toMatch(/successfully started.*\n.*\[Warehouse\] Packed 2 for order-1\n/);
  });
});

describe('the examples of consumers', () => {
  let broker: TestBroker;
  let connection: Connection;
  let producer: Producer;

  beforeEach(async () => {
    broker = await TestBroker.start({ manualClock: true });
    connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    producer = new Producer(connection, {});
    await producer.start();
  });
  afterEach(async () => {
    await producer.close();
    connection.close();
    await broker.stop();
  });

  it('push consumer: ships, retries, or dead-letters', async () => {
    const calls: string[] = [];
    let isOpen = false;
    broker.declareTopic({ name: 'parcels' });
    const consumer = shippingConsumer(connection, {
      knows: (parcel) => parcel !== 'phantom',
      isOpen: () => isOpen,
      ship: async (parcel) => void calls.push(`${parcel} for ${traceId.getStore()}`),
      setAside: async (parcel, why) => void calls.push(`${parcel} ${why}`),
    });
    await consumer.start();
    const { messageId } = await producer.send({ topic: 'parcels', tag: 'paid', body: 'lamp' });
    await producer.send({ topic: 'parcels', tag: 'unpaid', body: 'chair' });
    await producer.send({ topic: 'parcels', tag: 'free', body: 'phantom' });
    await broker.idle();
    isOpen = true;
    await broker.advance(MINUTE_MS);
    await consumer.close();
    expect(calls).toEqual(['phantom handler-decided', `lamp for ${messageId}`]);
  });

  it('simple consumer: processes all valid messages', async () => {
    for (const body of ['a', 'broken', 'b']) await producer.send({ topic: 'reports', body });
    expect(await nightlyRun(connection, async (body) => body !== 'broken')).toBe(2);
  });
});

describe('the example of administration', () => {
  it('reports the problems of a group, and replays the dead letters of a customer', async () => {
    const broker = await TestBroker.start({
      manualClock: true,
      strict: true,
      nameServerPort: 0,
      topics: [{ name: 'orders' }],
      groups: [{ name: 'shipping', maxDeliveryAttempts: 1 }],
    });
    const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
    const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    const producer = new Producer(connection, {});
    await producer.start();
    for (const customer of ['ada', 'bob']) await producer.send({ topic: 'orders', body: customer, keys: [customer] });
    expect(await troublesOf(admin, 'shipping')).toEqual(['no consumer is connected']);
    const subscriptions = [{ topic: 'orders' }];
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'shipping', subscriptions });
    await consumer.start();
    for (const message of await consumer.receive()) await consumer.changeInvisibleDuration(message, 0);
    await broker.advance(1_000);
    expect(await consumer.receive({ longPollingTimeoutMs: 5_000 })).toEqual([]);
    expect(await troublesOf(admin, 'shipping')).toEqual(['2 dead letters']);
    const log: string[] = [];
    expect(await replayFor(admin, 'shipping', 'ada', (line) => void log.push(line))).toBe(1);
    expect(await replayFor(admin, 'shipping', 'ada', (line) => void log.push(line))).toBe(0);
    expect(log).toEqual([]);
    const again = await consumer.receive();
    expect(again.map(({ keys }) => keys)).toEqual([['ada']]);
    for (const message of again) await consumer.ack(message);
    const leaving = new AbortController();
    const shown: string[] = [];
    const following = follow(admin, 'orders', { from: new Date(0), signal: leaving.signal }, (line) => {
      shown.push(line.replace(/^\S+ /, ''));
      if (shown.length === 3) leaving.abort(new Error('seen enough'));
    });
    await expect(following).rejects.toThrow('seen enough');
    expect(shown.sort()).toEqual(['ada ada', 'ada ada', 'bob bob']);
    await consumer.close();
    await producer.close();
    await connection.close();
    await admin.close();
    await broker.stop();
  });
});

describe('the examples of producers', () => {
  it('producer: reports the outcome of an invoice, and which can be sent again', async () => {
    const broker = await TestBroker.start({ strict: true, topics: [{ name: 'invoices' }] });
    const connection = new Connection({ endpoints: broker.endpoints });
    const lost: string[] = [];
    const producer = invoiceProducer(connection, (messageId) => lost.push(messageId));
    await producer.start();
    const invoice = (body: string) => ({ topic: 'invoices', body });
    expect(await sendInvoice(producer, invoice('for Ada'))).toBe('stored');
    expect(broker.messages('invoices')[0]?.properties).toEqual({ tenant: 'acme' });
    expect(await sendInvoice(producer, invoice(''))).toBe('not-sent');
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
    expect(await sendInvoice(producer, invoice('for Bob'))).toBe('rejected');
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' }, times: 3 });
    expect(await sendInvoice(producer, invoice('for Cleo'))).toBe('unknown');
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' }, times: 3 });
    expect(await sendInvoices(producer, [invoice('for Dan'), invoice('')])).toEqual([invoice('for Dan')]);
    await producer.sendOneway({ topic: 'missing', body: 'x', messageId: 'LOST' });
    await producer.close();
    connection.close();
    await broker.stop();
    expect(lost).toEqual(['LOST']);
  });
});

describe('the examples', () => {
  let broker: TestBroker;
  let app: TestingModule;

  afterEach(async () => {
    await app.close();
    await broker?.stop();
  });

  it('first steps: the message arrives', async () => {
    app = await Test.createTestingModule({ imports: [ShopModule] }).compile();
    await app.init();
    const warehouse = app.get(Warehouse);
    await app.get(Shop).place('order-1', 2);
    await soon(() => warehouse.packed.length > 0);
    expect(warehouse.packed).toEqual(['2 for order-1']);
    await expect(app.get(Shop).place('order-2', -1)).rejects.toThrow('order-placed');
  });

  it('newsletter: every reader gets one', async () => {
    app = await Test.createTestingModule({ imports: [NewsletterModule] }).compile();
    await app.init();
    const newsletter = app.get(Newsletter);
    expect(await newsletter.publish(['Ada', 'Bob'])).toEqual([]);
    await newsletter.opened('Ada');
  });

  it('payment: the message is visible if the method returned', async () => {
    broker = await TestBroker.start({ manualClock: true });
    const { endpoints, clock } = broker;
    const imports = [RocketMQModule.forRoot({ endpoints, clock, consumerGroup: 'payment' })];
    app = await Test.createTestingModule({ imports, providers: [Payment] }).compile();
    await app.init();
    await app.get(Payment).pay('order-1');
    await expect(app.get(Payment).pay('order-1')).rejects.toThrow('already paid');
    expect(broker.messages('order-paid').map(({ keys }) => keys)).toEqual([['order-1']]);
  });

  it('listener outcomes: bills, retries, or dead-letters', async () => {
    broker = await TestBroker.start({ manualClock: true });
    broker.declareTopic({ name: '%DLQ%billing', queues: 1 });
    const { endpoints, clock } = broker;
    const imports = [RocketMQModule.forRoot({ endpoints, clock })];
    app = await Test.createTestingModule({ imports, providers: [Billing] }).compile();
    await app.init();
    const billing = app.get(Billing);
    const producer = app.get(RocketMQProducer);
    for (const customer of ['Ada', 'bank holiday', '']) await producer.send(InvoiceDue, { customer });
    await broker.idle();
    expect(billing).toMatchObject({ billed: ['Ada'], buried: ['{"customer":""}'] });
    await broker.advance(10 * MINUTE_MS);
    expect(billing.billed).toEqual(['Ada', 'bank holiday']);
  });

  it('transaction log: one seat, one message', async () => {
    app = await Test.createTestingModule({ imports: [BookingModule] }).compile();
    await app.init();
    const booking = app.get(Booking);
    expect([await booking.book('12A'), await booking.book('12A')]).toEqual([true, false]);
    await app.get(PGlite).close();
  });
});
