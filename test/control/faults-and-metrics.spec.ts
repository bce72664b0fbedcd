// Faults and metrics of the control port: its faults affect clients, and its metrics count what clients do.

import { afterEach, describe, expect, it } from '@jest/globals';
import { ControlClient, EmbeddedBroker, type EmbeddedBrokerOptions } from 'nestjs-rocketmq/broker';
import { Connection, Producer, type ReceivedMessage, SimpleConsumer } from 'nestjs-rocketmq/client';
import { CertificateAuthority } from '../fixtures/certificates.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(options: EmbeddedBrokerOptions = {}) {
  const broker = new EmbeddedBroker({ controlPort: 0, ...options });
  await broker.start();
  ends.push(() => broker.stop());
  const connection = new Connection({ endpoints: broker.endpoints });
  ends.push(() => connection.close());
  const producer = new Producer(connection, { maxAttempts: 1, transactionCheckers: { paid: () => 'unknown' } });
  await producer.start();
  ends.push(() => producer.close());
  return { broker, connection, producer, control: new ControlClient({ endpoint: broker.controlEndpoint }) };
}

describe('faults of the control port', () => {
  it('affect clients as often as requested, and are then removed', async () => {
    const { producer, control } = await start();
    const rule = { rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' }, times: 2 } as const;
    const fault = await control.addFault(rule);
    expect(fault).toEqual({ id: fault.id, kind: 'rpc', left: 2, rule });
    await expect(producer.send({ topic: 't', body: 'x' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await control.faults()).toMatchObject([{ id: fault.id, left: 1 }]);
    await expect(producer.send({ topic: 't', body: 'x' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await control.faults()).toEqual([]);
    await producer.send({ topic: 't', body: 'x' });
  });

  it('are removed one by one, or all', async () => {
    const { producer, control } = await start();
    const rule = { rpc: 'sendMessage', action: { kind: 'dropResponse' }, times: 9 } as const;
    const first = await control.addFault(rule);
    const second = await control.addFault({ ...rule, clientId: 'nobody' });
    const third = await control.refuseConnections({ port: 1 });
    expect((await control.faults()).map(({ id, kind, left }) => [id, kind, left])).toEqual([
      [first.id, 'rpc', 9],
      [second.id, 'rpc', 9],
      [third.id, 'connections', undefined],
    ]);
    expect((await control.clearFaults(first.id)).map(({ id }) => id)).toEqual([second.id, third.id]);
    await producer.send({ topic: 't', body: 'x' });
    await expect(control.clearFaults(first.id)).rejects.toMatchObject({ code: 'UNKNOWN_FAULT' });
    expect(await control.clearFaults()).toEqual([]);
  });

  it('break open connections, and clients reconnect', async () => {
    const { connection, control, producer } = await start();
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'g', subscriptions: [{ topic: 't' }] });
    await consumer.start();
    ends.push(() => consumer.close());
    await control.loseSettings();
    await control.cutStreams();
    await control.cutConnections();
    // The send may have used a connection that was just broken, as with a short network failure.
    while (
      !(await producer.send({ topic: 't', body: 'x' }).then(
        () => true,
        () => false,
      ))
    );
    const [message] = await consumer.receive({ longPollingTimeoutMs: 10_000 });
    expect(message?.body.toString()).toBe('x');
    await consumer.ack(message as ReceivedMessage);
  });

  it('are rejected if they are invalid', async () => {
    const { control } = await start();
    const wrong = (rule: object) => control.addFault(rule as never).catch(({ message }: Error) => message);
    expect(await wrong({ rpc: 'send', action: { kind: 'delay', delayMs: 1 } })).toContain('rpc must be one of');
    expect(await wrong({ rpc: 'sendMessage', action: { kind: 'explode' } })).toContain('action.kind must be one of');
    expect(await wrong({ rpc: 'sendMessage', action: { kind: 'answer', code: 'toString' } })).toContain('action.code');
    expect(await wrong({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: -1 } })).toContain('action.delayMs');
    expect(await wrong({ rpc: 'sendMessage' })).toContain('action is missing');
    expect(await wrong({ rpc: 'sendMessage', action: { kind: 'cutStreams' }, time: 2 })).toContain(
      'time is unknown; the fields are',
    );
    expect(await wrong({ rpc: 'sendMessage', action: { kind: 'cutStreams' }, times: 0 })).toContain('times must be');
    expect(await control.faults()).toEqual([]);
  });
});

describe('the control port of a broker with TLS', () => {
  it('uses TLS, too', async () => {
    const authority = new CertificateAuthority();
    ends.push(() => authority.remove());
    const broker = new EmbeddedBroker({ controlPort: 0, tls: authority.issue() });
    await broker.start();
    ends.push(() => broker.stop());
    const endpoint = broker.controlEndpoint;
    expect(endpoint).toMatch(/^https:/);
    expect(await new ControlClient({ endpoint, ca: authority.cert }).state()).toMatchObject({ clients: 0 });
    await expect(new ControlClient({ endpoint }).state()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'not-sent',
    });
  });
});

describe('metrics', () => {
  it('count what clients did, with the names of the real broker', async () => {
    const { connection, producer, control } = await start({
      topics: [{ name: 'orders', queues: 1 }],
      groups: [{ name: 'shop', maxDeliveryAttempts: 1 }],
    });
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'shop', subscriptions: [{ topic: 'orders' }] });
    await consumer.start();
    ends.push(() => consumer.close());
    for (const body of ['a', 'bb', 'ccc']) await producer.send({ topic: 'orders', body });
    await producer.send({ topic: 'timeouts', body: 'later', delayMs: 60_000 });
    await producer.transact({ message: { topic: 'paid', body: 'x' } }, async () => {});
    const [first, second] = await consumer.receive({ maxMessages: 2 });
    await consumer.ack(first as ReceivedMessage);
    const samples = parse(await control.metrics());
    const value = (name: string, labels: object = {}) => {
      const found = samples.filter((one) => one.name === name && covers(one.labels, labels));
      expect(found.map(({ labels: all }) => all)).toMatchObject(
        found.map(() => ({ cluster: 'DefaultCluster', node_type: 'broker' })),
      );
      return found.map((one) => one.value);
    };
    expect(value('rocketmq_messages_in_total', { topic: 'orders', message_type: 'normal' })).toEqual([3]);
    expect(value('rocketmq_throughput_in_total', { topic: 'orders' })).toEqual([6]);
    expect(value('rocketmq_messages_in_total', { message_type: 'delay' })).toEqual([1]);
    const group = { topic: 'orders', consumer_group: 'shop' };
    expect(value('rocketmq_messages_out_total', group)).toEqual([2]);
    expect(value('rocketmq_throughput_out_total', group)).toEqual([3]);
    expect(value('rocketmq_consumer_lag_messages', group)).toEqual([2]);
    expect(value('rocketmq_consumer_ready_messages', group)).toEqual([1]);
    expect(value('rocketmq_consumer_inflight_messages', group)).toEqual([1]);
    expect(value('rocketmq_consumer_lag_latency_milliseconds', group)[0]).toBeGreaterThanOrEqual(0);
    expect(value('rocketmq_timing_messages', { topic: 'timeouts' })).toEqual([1]);
    expect(value('rocketmq_commit_messages_total', { topic: 'paid' })).toEqual([1]);
    expect(value('rocketmq_half_messages')).toEqual([]);
    expect(value('rocketmq_producer_connections', { language: 'node_js' })).toEqual([1]);
    expect(value('rocketmq_consumer_connections', { consumer_group: 'shop', consume_mode: 'pull' })).toEqual([1]);
    expect(value('rocketmq_topic_number')).toEqual([3]);
    expect(value('rocketmq_storage_size_bytes', { storage_medium: 'memory' })).toHaveLength(1);
    await consumer.ack(second as ReceivedMessage);
  });

  it('count dead letters and rollbacks', async () => {
    const { connection, producer, control } = await start({ groups: [{ name: 'shop', maxDeliveryAttempts: 1 }] });
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'shop', subscriptions: [{ topic: 'orders' }] });
    await consumer.start();
    ends.push(() => consumer.close());
    await producer.send({ topic: 'orders', body: 'a' });
    const [message] = await consumer.receive();
    await consumer.changeInvisibleDuration(message as ReceivedMessage, 0);
    expect(await consumer.receive({ longPollingTimeoutMs: 5_000 })).toEqual([]);
    const failing = producer.transact({ message: { topic: 'paid', body: 'x' } }, async () => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const text = await control.metrics();
    expect(text).toMatch(/^rocketmq_send_to_dlq_messages_total\{.*topic="orders",consumer_group="shop".*\} 1$/m);
    expect(text).toMatch(/^rocketmq_half_messages\{.*topic="paid"\} 1$/m);
  });
});

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A strict reader of the text format: HELP, TYPE, then the samples of that metric, every line ended. */
function parse(text: string): Sample[] {
  expect(text.endsWith('\n')).toBe(true);
  const samples: Sample[] = [];
  const seen = new Set<string>();
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const [, help] = /^# HELP ([a-z_]+) \S.*$/.exec(line) ?? [];
    const [, type] = /^# TYPE ([a-z_]+) (?:gauge|counter)$/.exec(line) ?? [];
    if (help !== undefined) {
      expect(seen.has(help)).toBe(false);
      seen.add(help);
      current = help;
    } else if (type !== undefined) {
      expect(type).toBe(current);
    } else {
      const [, name = '', labels = '', value = ''] = /^([a-z_]+)(?:\{(.*)\})? (-?\d+(?:\.\d+)?)$/.exec(line) ?? [];
      expect([line, name]).toEqual([line, current]);
      const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)/g)].map(([, key = '', text = '']) => [
        key,
        text,
      ]);
      samples.push({ name, labels: Object.fromEntries(pairs), value: Number(value) });
    }
  }
  return samples;
}

function covers(labels: Sample['labels'], wanted: object): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}
