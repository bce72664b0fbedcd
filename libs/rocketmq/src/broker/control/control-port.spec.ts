import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  consumerSettings,
  message,
  producerSettings,
  RawClient,
  receiveRequest,
  resource,
} from '../../../../../tools/wire/raw-grpc-client.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import { MessageType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { MINUTE_MS } from '../../support/clock.js';
import { ManualClock } from '../../support/manual-clock.js';
import { EmbeddedBroker } from '../embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';
import { ControlClient } from './control-client.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(options: EmbeddedBrokerOptions = {}) {
  const clock = new ManualClock();
  const broker = new EmbeddedBroker({ controlPort: 0, clock, ...options });
  await broker.start();
  ends.push(() => broker.stop());
  return { broker, clock, control: new ControlClient({ endpoint: broker.controlEndpoint }) };
}

function client(broker: EmbeddedBroker, clientId: string): RawClient {
  const made = new RawClient(broker.endpoints, clientId);
  ends.push(() => made.close());
  return made;
}

interface Asked {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** Sends a request, valid or not. */
function ask(broker: EmbeddedBroker, path: string, { method = 'GET', body, headers = {} }: Asked = {}) {
  const { port } = new URL(broker.controlEndpoint);
  return new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** A broker with a held message, a retry, a delayed and a half message. */
async function busyBroker() {
  const started = await start({ topics: [{ name: 'orders', queues: 1 }], groups: [{ name: 'shop' }] });
  const { broker, clock } = started;
  const producer = client(broker, 'producer-1');
  await producer.settle(producerSettings('orders'));
  const consumer = client(broker, 'consumer-1');
  await consumer.settle(consumerSettings('shop'));
  const messages = ['a', 'b', 'c'].map((id) => message('orders', id));
  await producer.call('sendMessage', { messages });
  const [, , second] = await consumer.receive({ ...receiveRequest('orders', 'shop'), batchSize: 2 });
  const held = second?.content?.$case === 'message' ? second.content.value.systemProperties?.receiptHandle : undefined;
  await consumer.call('changeInvisibleDuration', {
    topic: resource('orders'),
    group: resource('shop'),
    receiptHandle: held ?? '',
    invisibleDuration: toDuration(MINUTE_MS),
  });
  const deliveryTimestamp = new Date(clock.nowMs() + 30 * MINUTE_MS);
  await producer.call('sendMessage', { messages: [message('timeouts', 'd', { deliveryTimestamp })] });
  const half = message('paid', 'h', { messageType: MessageType.TRANSACTION, bornTimestamp: new Date(clock.nowMs()) });
  await producer.call('sendMessage', { messages: [half] });
  return { ...started, consumer, producer };
}

describe('the control port returns', () => {
  it('the state of the broker and the next due time', async () => {
    const { control, broker, clock } = await busyBroker();
    expect(await control.state()).toEqual({
      nowMs: clock.nowMs(),
      endpoints: broker.endpoints,
      storage: { medium: 'memory', bytes: expect.any(Number) },
      topics: 3,
      groups: 1,
      clients: 2,
      nextDueAtMs: clock.nowMs() + 6_000,
    });
  });

  it('topics and groups', async () => {
    const { control } = await busyBroker();
    const { items } = await control.topics();
    expect(items.map(({ name, type, messages }) => [name, type, messages])).toEqual([
      ['orders', 'normal', 3],
      ['paid', 'transaction', 0],
      ['timeouts', 'delay', 0],
    ]);
    expect(items[0]?.queues).toEqual([{ queueId: 0, minOffset: 0, maxOffset: 3 }]);
    expect(await control.groups()).toMatchObject({
      items: [{ name: 'shop', fifo: false, maxDeliveryAttempts: 17, consumers: ['consumer-1'], topics: ['orders'] }],
    });
  });

  it('the lag of a group, and who holds which message', async () => {
    const { control, clock } = await busyBroker();
    const nowMs = clock.nowMs();
    const lag = { group: 'shop', topic: 'orders', lag: 3, ready: 1, inFlight: 2 };
    const expected = { items: [{ ...lag, oldestStoredAtMs: nowMs, oldestReadyAtMs: nowMs }] };
    expect(await control.lag()).toEqual(expected);
    expect(await control.lag({ group: 'shop' })).toEqual(expected);
    await expect(control.lag({ group: 'shopp' })).rejects.toMatchObject({ code: 'UNKNOWN_GROUP', status: 404 });
    const common = { group: 'shop', topic: 'orders', queueId: 0, attempt: 1, clientId: 'consumer-1' };
    expect((await control.inFlight({ topic: 'orders' })).items).toEqual([
      { ...common, offset: 0, messageId: 'a', state: 'held', atMs: nowMs + 30_000 },
      { ...common, offset: 1, messageId: 'b', state: 'retry', atMs: nowMs + MINUTE_MS },
    ]);
    expect((await control.inFlight({ group: 'nobody' })).items).toEqual([]);
  });

  it('delayed messages, half messages and clients', async () => {
    const { control, clock } = await busyBroker();
    const { items } = await control.delayed({ topic: 'timeouts' });
    expect(items).toMatchObject([{ messageId: 'd', dueAtMs: clock.nowMs() + 30 * MINUTE_MS }]);
    expect(await control.delayed({ topic: 'timeouts', messageId: 'd' })).toEqual({ items });
    expect((await control.halfMessages()).items).toMatchObject([
      { topic: 'paid', transactionId: 'h', checks: 0, nextCheckAtMs: clock.nowMs() + 6_000 },
    ]);
    expect((await control.clients()).items).toMatchObject([
      { clientId: 'consumer-1', kind: 'simpleConsumer', protocol: 'grpc', groups: ['shop'], isConnected: true },
      { clientId: 'producer-1', kind: 'producer', topics: ['orders'], isConnected: true },
    ]);
  });

  it('messages with the beginning of their bodies, optionally by id or key', async () => {
    const { broker, control } = await start({ topics: [{ name: 't', queues: 1 }] });
    const producer = client(broker, 'p');
    const send = (id: string, body: Buffer, keys: string[] = []) =>
      producer.call('sendMessage', { messages: [{ ...message('t', id, { keys }), body }] });
    await send('text', Buffer.from('grün'), ['k']);
    await send('bytes', Buffer.from([0xff, 0xfe]));
    await send('long', Buffer.alloc(5_000, 'x'));
    const { items } = await control.messages('t');
    expect(
      items.map(({ messageId, body, bodyEncoding, bodyBytes, isCut }) => [
        messageId,
        body.length > 10 ? body.length : body,
        bodyEncoding,
        bodyBytes,
        isCut,
      ]),
    ).toEqual([
      ['text', 'grün', 'utf8', 5, false],
      ['bytes', '//4=', 'base64', 2, false],
      ['long', 4_096, 'utf8', 5_000, true],
    ]);
    expect((await control.messages('t', { messageId: 'bytes' })).items).toEqual([items[1]]);
    expect((await control.messages('t', { key: 'k' })).items).toEqual([items[0]]);
  });

  it('long lists page by page', async () => {
    const { broker, control, clock } = await start({ topics: [{ name: 't', queues: 1 }] });
    const producer = client(broker, 'p');
    const ids = Array.from({ length: 7 }, (_, index) => `m${index}`);
    for (const [index, id] of ids.entries()) {
      const deliveryTimestamp = new Date(clock.nowMs() + (index + 1) * 1_000);
      await producer.call('sendMessage', { messages: [message('later', id, { deliveryTimestamp })] });
      broker.declareTopic({ name: `topic-${id}` });
    }
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await control.delayed({ limit: 3, ...(after && { after }) });
      expect(page.items.length).toBeLessThanOrEqual(3);
      seen.push(...page.items.map(({ messageId }) => messageId));
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(ids);
    const first = await control.topics({ limit: 5 });
    const second = await control.topics({ limit: 5, after: first.next ?? '' });
    expect([first.items.length, second.items.length, second.next]).toEqual([5, 4, undefined]);
    await expect(control.topics({ after: 'x' })).rejects.toMatchObject({ code: 'ILLEGAL_ARGUMENT' });
    await expect(control.topics({ limit: 501 })).rejects.toThrow('limit must be an integer from 1 to 500');
  });
});

describe('the lag of many groups', () => {
  it('is returned page by page, without splitting a group', async () => {
    const { broker, control } = await start({ topics: [{ name: 't', queues: 1 }] });
    const consumers = Array.from({ length: 5 }, (_, index) => `group-${index}`);
    await client(broker, 'p').call('sendMessage', { messages: [message('t', 'a')] });
    for (const group of consumers) {
      const consumer = client(broker, `client of ${group}`);
      await consumer.settle(consumerSettings(group));
      await consumer.receive(receiveRequest('t', group));
    }
    const first = await control.lag({ limit: 3 });
    const second = await control.lag({ limit: 3, after: first.next ?? '' });
    expect([...first.items, ...second.items].map(({ group, lag }) => [group, lag])).toEqual(
      consumers.map((group) => [group, 1]),
    );
    expect([first.items.length, second.next]).toEqual([3, undefined]);
  });
});

describe('the control port is protected', () => {
  it('against foreign host names', async () => {
    const { broker } = await start({ advertisedAddress: { host: 'Broker.example', port: 1 } });
    const status = async (host: string, headers = {}) =>
      (await ask(broker, '/state', { headers: { host, ...headers } })).status;
    for (const host of ['127.0.0.1:1', 'localhost:9080', '[::1]:80', 'demo.localhost', 'broker.EXAMPLE:1']) {
      expect([host, await status(host)]).toEqual([host, 200]);
    }
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:1', 'x@localhost']) {
      expect([host, await status(host)]).toEqual([host, 403]);
    }
    const { text } = await ask(broker, '/state', { headers: { host: 'evil.example' } });
    expect(JSON.parse(text)).toMatchObject({ code: 'FOREIGN_HOST' });
  });

  it('against pages of other origins, without CORS headers', async () => {
    const { broker } = await start();
    const own = new URL(broker.controlEndpoint).origin;
    expect(await ask(broker, '/state', { headers: { origin: 'http://evil.example' } })).toMatchObject({ status: 403 });
    const { status, headers } = await ask(broker, '/state', { headers: { origin: own } });
    expect(status).toBe(200);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(await ask(broker, '/faults', { method: 'OPTIONS', headers: { origin: own } })).toMatchObject({
      status: 405,
    });
  });

  it('against changes other than POST of JSON, invalid fields, and requests that are too large', async () => {
    const { broker } = await start();
    const rejectionOf = async (path: string, asked: Asked) => {
      const { status, text } = await ask(broker, path, asked);
      return [status, JSON.parse(text).code];
    };
    const post = { method: 'POST', headers: JSON_TYPE };
    expect(await rejectionOf('/deliver-now', {})).toEqual([405, 'WRONG_METHOD']);
    expect(await rejectionOf('/state', post)).toEqual([405, 'WRONG_METHOD']);
    expect(await rejectionOf('/nowhere', {})).toEqual([404, 'UNKNOWN_PATH']);
    expect(await rejectionOf('/faults/clear', { method: 'POST', body: '{}' })).toEqual([415, 'WRONG_CONTENT_TYPE']);
    const form = { 'content-type': 'text/plain' };
    expect(await rejectionOf('/faults/clear', { method: 'POST', body: '{}', headers: form })).toEqual([
      415,
      'WRONG_CONTENT_TYPE',
    ]);
    expect(await rejectionOf('/faults/clear', { ...post, body: '{' })).toEqual([400, 'NOT_JSON']);
    expect(await rejectionOf('/faults/clear', { ...post, body: '[]' })).toEqual([400, 'ILLEGAL_ARGUMENT']);
    expect(await rejectionOf('/faults/clear', { ...post, body: '{"ids":1}' })).toEqual([400, 'ILLEGAL_ARGUMENT']);
    expect(await rejectionOf('/faults/clear?id=1', { ...post, body: '{}' })).toEqual([400, 'ILLEGAL_ARGUMENT']);
    expect(await rejectionOf('/topics?limit=1&limit=2', {})).toEqual([400, 'ILLEGAL_ARGUMENT']);
    expect(await rejectionOf('/topics?limits=1', {})).toEqual([400, 'ILLEGAL_ARGUMENT']);
    expect(await rejectionOf('/messages', {})).toEqual([400, 'ILLEGAL_ARGUMENT']);
    const long = 'x'.repeat(513);
    expect(await rejectionOf(`/messages?topic=${long}`, {})).toEqual([400, 'ILLEGAL_ARGUMENT']);
    expect(await rejectionOf(`/in-flight?group=${long}`, {})).toEqual([400, 'ILLEGAL_ARGUMENT']);
    const large = JSON.stringify({ id: 'x'.repeat(70_000) });
    expect(await rejectionOf('/faults/clear', { ...post, body: large })).toEqual([413, 'BODY_TOO_LARGE']);
  });

  it('against a body that is larger than its length header, and endless connections', async () => {
    const { broker } = await start();
    const { port } = new URL(broker.controlEndpoint);
    const socket = connect({ host: '127.0.0.1', port: Number(port) });
    ends.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.write(
      'POST /faults/clear HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    const chunk = `${(10_000).toString(16)}\r\n${'x'.repeat(10_000)}\r\n`;
    for (let count = 0; count < 8; count++) socket.write(chunk);
    const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    const idle = Array.from({ length: 80 }, () => connect({ host: '127.0.0.1', port: Number(port) }));
    ends.push(() => {
      for (const one of idle) one.destroy();
    });
    const closed = await Promise.race(
      idle.map((one) => new Promise((resolve) => one.on('error', () => {}).once('close', resolve))),
    );
    expect(closed).toBeDefined();
  });

  it('against changes after the first request of a connection, which would get no response', async () => {
    const { broker } = await start();
    const { port } = new URL(broker.controlEndpoint);
    const body = '{"rpc":"sendMessage","action":{"kind":"dropResponse"}}';
    const headers = `host: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
    const socket = connect({ host: '127.0.0.1', port: Number(port) });
    ends.push(() => socket.destroy());
    const closed = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));
    socket.resume().write(`POST /faults HTTP/1.1\r\n${headers}\r\n\r\n${body}`.repeat(3));
    await closed;
    expect(broker.faults.list()).toHaveLength(1);
  });

  it('against arbitrary input: it answers the next valid request', async () => {
    const { broker, control } = await start();
    const { port } = new URL(broker.controlEndpoint);
    const lines = [
      'GET /state',
      '\0\0\0',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n',
    ];
    const requests = [
      ...lines,
      'GET /state HTTP/1.1\r\n\r\n',
      'GET http://localhost/state HTTP/1.1\r\nhost: localhost\r\n\r\n',
      'GET /topics?after=%ZZ&limit=%00 HTTP/1.1\r\nhost: localhost\r\n\r\n',
      `GET /state HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
      'GET /state HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
      `POST /faults HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n${'['.repeat(60_000)}`,
      'POST /faults HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"__proto',
    ];
    for (const text of requests) {
      const socket = connect({ host: '127.0.0.1', port: Number(port) });
      ends.push(() => socket.destroy());
      socket.on('error', () => {}).write(text);
    }
    expect(await control.topics()).toEqual({ items: [] });
    expect(await control.faults()).toEqual([]);
  });

  it('by the credentials of super users if the broker has users', async () => {
    const users = [
      { accessKey: 'root', secretKey: 'all:of it', isSuper: true },
      { accessKey: 'app', secretKey: 'little' },
    ];
    const { broker, control } = await start({ users });
    await expect(control.state()).rejects.toMatchObject({ code: 'UNAUTHORIZED', status: 401, outcome: 'rejected' });
    const as = (accessKey: string, secretKey: string) =>
      new ControlClient({ endpoint: broker.controlEndpoint, credentials: { accessKey, secretKey } }).state();
    await expect(as('app', 'little')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await expect(as('root', 'wrong')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await as('root', 'all:of it')).toMatchObject({ clients: 0 });
  });

  it('by options that are checked, and never quoted', async () => {
    const endpoint = '127.0.0.1:1';
    const wrong = (options: object) => () => new ControlClient({ endpoint, ...options } as never);
    expect(wrong({ tls: true })).toThrow(
      /ILLEGAL_OPTION.*tls is unknown; the options are endpoint, credentials, ca, timeoutMs/,
    );
    expect(wrong({ timeoutMs: '5' })).toThrow('ILLEGAL_OPTION');
    expect(wrong({ credentials: { accessKey: 'root', secretKey: 42_4242 } })).toThrow(
      /ILLEGAL_OPTION.*credentials.secretKey/,
    );
    expect(wrong({ credentials: { accessKey: 'root', secretKey: 42_4242 } })).not.toThrow(/424242/);
    expect(wrong({ '-----BEGIN PRIVATE KEY-----': 1 })).not.toThrow(/BEGIN/);
  });

  it('by listening on this machine only, and being off by default', async () => {
    const { broker } = await start({ host: '0.0.0.0' });
    expect(new URL(broker.controlEndpoint).hostname).toBe('127.0.0.1');
    const { port } = new URL(broker.controlEndpoint);
    await expect(start({ controlPort: Number(port) })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    const plain = new EmbeddedBroker();
    expect(() => plain.controlEndpoint).toThrow('controlPort');
  });

  it('has the same address after a restart', async () => {
    const { broker, control } = await start();
    const { controlEndpoint } = broker;
    await broker.stop();
    await expect(control.state()).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent' });
    await broker.start();
    expect(broker.controlEndpoint).toBe(controlEndpoint);
    await control.state();
  });
});
