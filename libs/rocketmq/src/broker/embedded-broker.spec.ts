import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  consumerSettings,
  grpcStatus,
  message,
  producerSettings,
  RawClient,
  receiveRequest,
  resource,
} from '../../../../test/support/raw-grpc-client.js';
import { toDuration } from '../protocol/duration.js';
import {
  ClientType,
  Code,
  type Message,
  MessageType,
  TransactionResolution,
} from '../protocol/generated/apache/rocketmq/v2/definition.js';
import type { ReceiveMessageResponse } from '../protocol/generated/apache/rocketmq/v2/service.js';
import { EmbeddedBroker, type EmbeddedBrokerOptions } from './embedded-broker.js';

const brokers: EmbeddedBroker[] = [];
const clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(brokers.splice(0).map((broker) => broker.stop()));
});

async function started(options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
  const broker = new EmbeddedBroker(options);
  brokers.push(broker);
  await broker.start();
  return broker;
}

function clientOf(broker: EmbeddedBroker, clientId = 'client', metadata: Record<string, string> = {}): RawClient {
  const client = new RawClient(broker.endpoints, clientId, metadata);
  clients.push(client);
  return client;
}

async function consumerOf(broker: EmbeddedBroker, group: string): Promise<RawClient> {
  const client = clientOf(broker, `consumer of ${group}`);
  await client.settle(consumerSettings(group));
  return client;
}

function messagesIn(items: readonly ReceiveMessageResponse[]): Message[] {
  return items.flatMap(({ content }) => (content?.$case === 'message' ? [content.value] : []));
}

function statusIn(items: readonly ReceiveMessageResponse[]): Code | undefined {
  const [status] = items.flatMap(({ content }) => (content?.$case === 'status' ? [content.value.code] : []));
  return status;
}

describe('sending and receiving', () => {
  it('hands a sent message to a waiting receive and takes its ack', async () => {
    const broker = await started();
    const inbox = await consumerOf(broker, 'group-a');
    const waiting = inbox.receive(receiveRequest('topic-a', 'group-a'));
    const bornTimestamp = new Date(1_700_000_000_123);
    const outgoing = message('topic-a', 'id-1', { tag: 'v1', keys: ['k1', 'k2'], bornTimestamp });
    outgoing.body = Buffer.from([0, 255, 128, 10]);
    const sent = await clientOf(broker).call('sendMessage', { messages: [outgoing] });
    expect(sent.entries).toMatchObject([{ status: { code: Code.OK }, messageId: 'id-1' }]);
    const items = await waiting;
    expect(items.map(({ content }) => content?.$case)).toEqual(['status', 'message', 'deliveryTimestamp']);
    const [received] = messagesIn(items) as [Message];
    expect(received).toMatchObject({ body: outgoing.body, userProperties: { colour: 'grün' } });
    expect(received.systemProperties).toMatchObject({
      messageId: 'id-1',
      tag: 'v1',
      keys: ['k1', 'k2'],
      bornTimestamp,
      bornHost: 'spec',
      deliveryAttempt: 1,
      messageType: MessageType.NORMAL,
      bodyDigest: { checksum: createHash('md5').update(outgoing.body).digest('hex').toUpperCase() },
    });
    const receiptHandle = received.systemProperties?.receiptHandle ?? '';
    const acked = await inbox.call('ackMessage', {
      group: resource('group-a'),
      topic: resource('topic-a'),
      entries: [
        { messageId: 'id-1', receiptHandle },
        { messageId: 'id-2', receiptHandle: 'nonsense' },
      ],
    });
    expect(acked.status?.code).toBe(Code.MULTIPLE_RESULTS);
    expect(acked.entries.map(({ status }) => status?.code)).toEqual([Code.OK, Code.INVALID_RECEIPT_HANDLE]);
  });

  it('answers one entry for each message of a request', async () => {
    const broker = await started();
    const messages = [message('t', 'a'), message('t', 'b'), message('t', 'c')];
    const sent = await clientOf(broker).call('sendMessage', { messages });
    expect(sent.entries.map(({ messageId }) => messageId)).toEqual(['a', 'b', 'c']);
    const inbox = await consumerOf(broker, 'g');
    const received = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(received.map(({ body }) => body.toString())).toEqual(['body of a', 'body of b', 'body of c']);
  });

  it('carries a body of 4 MiB both ways, and refuses one byte more', async () => {
    const broker = await started();
    const full = { ...message('t', 'full'), body: Buffer.alloc(4 * 1024 * 1024, 7) };
    const over = { ...message('t', 'over'), body: Buffer.alloc(4 * 1024 * 1024 + 1) };
    const client = clientOf(broker);
    expect((await client.call('sendMessage', { messages: [full] })).status?.code).toBe(Code.OK);
    expect((await client.call('sendMessage', { messages: [over] })).status?.code).toBe(Code.MESSAGE_BODY_TOO_LARGE);
    const inbox = await consumerOf(broker, 'g');
    const [received] = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(received?.body.equals(full.body)).toBe(true);
  });

  it('lets two consumers of a group share, and gives each group everything', async () => {
    const broker = await started();
    const one = clientOf(broker, 'one');
    const two = clientOf(broker, 'two');
    await Promise.all([one.settle(consumerSettings('shared')), two.settle(consumerSettings('shared'))]);
    const other = await consumerOf(broker, 'other');
    const request = { ...receiveRequest('t', 'shared'), batchSize: 1 };
    const both = Promise.all([one.receive(request), two.receive(request)]);
    await clientOf(broker, 'p').call('sendMessage', { messages: [message('t', 'a')] });
    await clientOf(broker, 'p').call('sendMessage', { messages: [message('t', 'b')] });
    const ids = (await both).map((items) => messagesIn(items)[0]?.systemProperties?.messageId);
    expect(ids.sort()).toEqual(['a', 'b']);
    expect(messagesIn(await other.receive(receiveRequest('t', 'other')))).not.toHaveLength(0);
  });

  it('answers at once when the filter kept back all there was', async () => {
    const broker = await started();
    const inbox = await consumerOf(broker, 'g');
    await clientOf(broker).call('sendMessage', { messages: [message('t', 'a', { tag: 'v1' })] });
    const items = await inbox.receive({ ...receiveRequest('t', 'g'), filterExpression: { type: 1, expression: 'v2' } });
    expect(statusIn(items)).toBe(Code.MESSAGE_NOT_FOUND);
  });

  it('frees the poll of a caller that went away, so that nothing is lost to it', async () => {
    const broker = await started();
    const inbox = await consumerOf(broker, 'g');
    const controller = new AbortController();
    const gone = inbox.receive(receiveRequest('t', 'g'), { signal: controller.signal });
    const refused = expect(gone).rejects.toMatchObject({ code: grpcStatus.CANCELLED });
    // The poll has arrived when a later call of the same connection is answered.
    await inbox.call('heartbeat', { clientType: ClientType.SIMPLE_CONSUMER, group: resource('g') });
    controller.abort();
    await refused;
    await inbox.call('heartbeat', { clientType: ClientType.SIMPLE_CONSUMER, group: resource('g') });
    await clientOf(broker, 'p').call('sendMessage', { messages: [message('t', 'a')] });
    expect(messagesIn(await inbox.receive(receiveRequest('t', 'g')))).toHaveLength(1);
  });

  it('answers a status to a receive without settings, without deadline, with a short one, or with a bad lease', async () => {
    const broker = await started();
    const request = receiveRequest('t', 'g');
    expect(statusIn(await clientOf(broker, 'stranger').receive(request))).toBe(Code.UNRECOGNIZED_CLIENT_TYPE);
    const old = await consumerOf(broker, 'g');
    expect(statusIn(await old.receive(request, { deadlineMs: 4_000 }))).toBe(Code.BAD_REQUEST);
    const inbox = clientOf(broker, 'new', { 'x-mq-client-version': '5.0.7' });
    await inbox.settle(consumerSettings('g'));
    expect(statusIn(await inbox.receive(request, { deadlineMs: null }))).toBe(Code.ILLEGAL_POLLING_TIME);
    expect(statusIn(await inbox.receive(request, { deadlineMs: 4_000 }))).toBe(Code.ILLEGAL_POLLING_TIME);
    const hasty = { ...request, invisibleDuration: toDuration(9_999) };
    expect(statusIn(await inbox.receive(hasty))).toBe(Code.ILLEGAL_INVISIBLE_TIME);
  });
});

describe('settings and sessions', () => {
  it('echoes settings with the values of the server', async () => {
    const broker = await started({ groups: [{ name: 'ordered', fifo: true, maxDeliveryAttempts: 3 }] });
    const { reply: producer } = await clientOf(broker, 'p').settle(producerSettings('t'));
    expect(producer).toMatchObject({
      status: { code: Code.OK },
      command: {
        value: {
          backoffPolicy: { maxAttempts: 3, strategy: { $case: 'exponentialBackoff' } },
          pubSub: { $case: 'publishing', value: { topics: [resource('t')], maxBodySize: 4194304 } },
        },
      },
    });
    const { reply: consumer } = await clientOf(broker, 'c').settle(consumerSettings('ordered'));
    expect(consumer).toMatchObject({
      command: {
        value: {
          backoffPolicy: { maxAttempts: 3, strategy: { $case: 'customizedBackoff', value: { next: { length: 18 } } } },
          pubSub: {
            $case: 'subscription',
            value: { fifo: true, receiveBatchSize: 32, longPollingTimeout: { seconds: 20n } },
          },
        },
      },
    });
  });

  it('ends the telemetry stream when the client has said goodbye', async () => {
    const broker = await started();
    const { call } = await clientOf(broker).settle(producerSettings());
    const ended = new Promise((resolve) => call.once('end', resolve));
    call.end();
    await ended;
  });

  it('breaks the telemetry stream of settings that it cannot take', async () => {
    const broker = await started({ strict: true, groups: [{ name: 'known' }] });
    const refusal = async (client: RawClient, settings: Parameters<RawClient['settle']>[0]) =>
      client.settle(settings).then(
        () => 'taken',
        (error: { code?: number }) => error.code,
      );
    const invalid = grpcStatus.INVALID_ARGUMENT;
    expect(await refusal(clientOf(broker, '1'), consumerSettings('unknown'))).toBe(invalid);
    expect(await refusal(clientOf(broker, '2'), consumerSettings('bad name'))).toBe(invalid);
    expect(await refusal(clientOf(broker, '3'), { clientProperties: {} })).toBe(invalid);
    const pull = consumerSettings('known', ClientType.PULL_CONSUMER);
    expect(await refusal(clientOf(broker, '4'), pull)).toBe(grpcStatus.INTERNAL);
    const golang = clientOf(broker, '5', { 'x-mq-language': 'GOLANG' });
    expect(await refusal(golang, consumerSettings('known'))).toBe(grpcStatus.INTERNAL);
    expect(await refusal(clientOf(broker, '6'), consumerSettings('known'))).toBe('taken');
  });

  it('knows a client from its settings to its goodbye', async () => {
    const broker = await started();
    const client = clientOf(broker);
    const heartbeat = async () => (await client.call('heartbeat', { clientType: ClientType.PRODUCER })).status?.code;
    expect(await heartbeat()).toBe(Code.UNRECOGNIZED_CLIENT_TYPE);
    await client.settle(producerSettings('t'));
    expect(await heartbeat()).toBe(Code.OK);
    expect((await client.call('notifyClientTermination', {})).status?.code).toBe(Code.OK);
    expect(await heartbeat()).toBe(Code.UNRECOGNIZED_CLIENT_TYPE);
  });

  it('refuses a caller without client id, in each kind of call', async () => {
    const broker = await started();
    const nobody = clientOf(broker, '');
    const sent = await nobody.call('sendMessage', { messages: [message('t', 'a')] });
    expect(sent.status?.code).toBe(Code.CLIENT_ID_REQUIRED);
    expect(statusIn(await nobody.receive(receiveRequest('t', 'g')))).toBe(Code.CLIENT_ID_REQUIRED);
    const { reply } = await nobody.settle(producerSettings());
    expect(reply.status?.code).toBe(Code.CLIENT_ID_REQUIRED);
  });

  it('does not implement what the real server does not', async () => {
    const broker = await started();
    await expect(clientOf(broker).call('getOffset', {})).rejects.toMatchObject({ code: grpcStatus.UNIMPLEMENTED });
  });
});

describe('routes', () => {
  it('tell queues, type and address; an undeclared topic takes any type until its first message', async () => {
    const broker = await started({ topics: [{ name: 'orders', type: 'fifo', queues: 3 }] });
    const client = clientOf(broker);
    const declared = await client.call('queryRoute', { topic: resource('orders') });
    const [host, port] = broker.endpoints.split(':') as [string, string];
    expect(declared.messageQueues.map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(declared.messageQueues[0]).toMatchObject({
      acceptMessageTypes: [MessageType.FIFO],
      broker: { id: 0, endpoints: { addresses: [{ host, port: Number(port) }] } },
    });
    const made = await client.call('queryRoute', { topic: resource('made') });
    expect(made.messageQueues[0]?.acceptMessageTypes).toHaveLength(4);
    await client.call('sendMessage', { messages: [message('made', 'a', { messageGroup: 'g' })] });
    const typed = await client.call('queryRoute', { topic: resource('made') });
    expect(typed.messageQueues[0]?.acceptMessageTypes).toEqual([MessageType.FIFO]);
  });

  it('tell the advertised address where there is one', async () => {
    const broker = await started({ advertisedAddress: { host: 'broker.example', port: 4711 } });
    const route = await clientOf(broker).call('queryRoute', { topic: resource('t') });
    expect(route.messageQueues[0]?.broker?.endpoints?.addresses).toEqual([{ host: 'broker.example', port: 4711 }]);
  });

  it('assign all queues at once, and each queue of its own to an ordered group', async () => {
    const broker = await started({ groups: [{ name: 'ordered', fifo: true }], topics: [{ name: 't', queues: 2 }] });
    const ids = async (group: string) => {
      const { assignments } = await clientOf(broker).call('queryAssignment', {
        topic: resource('t'),
        group: resource(group),
      });
      return assignments.map(({ messageQueue }) => messageQueue?.id);
    };
    expect(await ids('plain')).toEqual([-1]);
    expect(await ids('ordered')).toEqual([0, 1]);
  });
});

describe('codes', () => {
  it.each<[string, Partial<Message>, Partial<NonNullable<Message['systemProperties']>>, Code]>([
    ['an empty body', { body: Buffer.alloc(0) }, {}, Code.MESSAGE_BODY_EMPTY],
    ['a blank id', {}, { messageId: ' ' }, Code.ILLEGAL_MESSAGE_ID],
    ['a tag with a bar', {}, { tag: 'a|b' }, Code.ILLEGAL_MESSAGE_TAG],
    ['a blank key', {}, { keys: [' '] }, Code.ILLEGAL_MESSAGE_KEY],
    ['a message group of 64 bytes', {}, { messageGroup: 'x'.repeat(64) }, Code.ILLEGAL_MESSAGE_GROUP],
    ['a reserved property', { userProperties: { KEYS: 'x' } }, {}, Code.ILLEGAL_MESSAGE_PROPERTY_KEY],
    ['properties over 16 KiB', { userProperties: { a: 'x'.repeat(16_384) } }, {}, Code.MESSAGE_PROPERTIES_TOO_LARGE],
    ['a delay over a day', {}, { deliveryTimestamp: new Date(Date.now() + 90_000_000) }, Code.ILLEGAL_DELIVERY_TIME],
    ['a recovery over an hour', {}, { orphanedTransactionRecoveryDuration: toDuration(3_600_001) }, Code.BAD_REQUEST],
    ['another type than the topic has', {}, { messageGroup: 'x' }, Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE],
    ['a system topic', { topic: resource('TBW102') }, {}, Code.ILLEGAL_TOPIC],
    ['an unknown topic', { topic: resource('unknown') }, {}, Code.TOPIC_NOT_FOUND],
  ])('refuse a message with %s', async (_what, fields, system, code) => {
    const broker = await started({ strict: true, topics: [{ name: 't' }] });
    const wrong = { ...message('t', 'id', system), ...fields };
    expect((await clientOf(broker).call('sendMessage', { messages: [wrong] })).status?.code).toBe(code);
  });

  it('refuse what names no topic, group, message or transaction that there is', async () => {
    const broker = await started({
      strict: true,
      topics: [{ name: 't', type: 'transaction' }],
      groups: [{ name: 'g' }],
    });
    const client = clientOf(broker);
    const codes = async () => [
      (await client.call('queryRoute', { topic: resource('unknown') })).status?.code,
      (await client.call('queryRoute', { topic: resource('a b') })).status?.code,
      (await client.call('queryAssignment', { topic: resource('t'), group: resource('') })).status?.code,
      (await client.call('sendMessage', { messages: [] })).status?.code,
      (await client.call('sendMessage', { messages: [message('t', 'a'), message('u', 'b')] })).status?.code,
      (await client.call('ackMessage', { topic: resource('t'), group: resource('g'), entries: [] })).status?.code,
      (await client.call('endTransaction', { topic: resource('t'), transactionId: '' })).status?.code,
      (await client.call('endTransaction', { topic: resource('t'), transactionId: 'x' })).status?.code,
      (await client.call('recallMessage', { topic: resource('t'), recallHandle: 'x' })).status?.code,
    ];
    expect(await codes()).toEqual([
      Code.TOPIC_NOT_FOUND,
      Code.ILLEGAL_TOPIC,
      Code.ILLEGAL_CONSUMER_GROUP,
      Code.MESSAGE_CORRUPTED,
      Code.MESSAGE_CORRUPTED,
      Code.BAD_REQUEST,
      Code.INVALID_TRANSACTION_ID,
      Code.INTERNAL_SERVER_ERROR,
      Code.FORBIDDEN,
    ]);
  });

  it('take the end of a transaction without a source, as Go sends it', async () => {
    const broker = await started();
    const client = clientOf(broker);
    const half = message('t', 'half', { messageType: MessageType.TRANSACTION });
    const { entries } = await client.call('sendMessage', { messages: [half] });
    const end = {
      topic: resource('t'),
      transactionId: entries[0]?.transactionId ?? '',
      resolution: TransactionResolution.COMMIT,
    };
    expect((await client.call('endTransaction', end)).status?.code).toBe(Code.OK);
    const inbox = await consumerOf(broker, 'g');
    const [received] = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(received?.systemProperties).toMatchObject({ messageId: 'half', messageType: MessageType.TRANSACTION });
  });
});

describe('faults', () => {
  it('answer a code instead of doing the work, as often as told, to whom told', async () => {
    const broker = await started();
    broker.faults.add({
      rpc: 'sendMessage',
      action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' },
      times: 2,
      clientId: 'p',
    });
    const send = async (clientId: string) =>
      (await clientOf(broker, clientId).call('sendMessage', { messages: [message('t', 'a')] })).status?.code;
    expect(await send('q')).toBe(Code.OK);
    expect([await send('p'), await send('p'), await send('p')]).toEqual([
      Code.TOO_MANY_REQUESTS,
      Code.TOO_MANY_REQUESTS,
      Code.OK,
    ]);
  });

  it('drop an answer after the work was done', async () => {
    const broker = await started();
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
    const sending = clientOf(broker).call('sendMessage', { messages: [message('t', 'a')] });
    await expect(sending).rejects.toMatchObject({ code: grpcStatus.UNAVAILABLE });
    const inbox = await consumerOf(broker, 'g');
    expect(messagesIn(await inbox.receive(receiveRequest('t', 'g')))).toHaveLength(1);
  });

  it('cut the streams of a client: telemetry and long polls', async () => {
    const broker = await started();
    const inbox = clientOf(broker, 'c');
    const { call } = await inbox.settle(consumerSettings('g'));
    const cut = new Promise<{ code?: number }>((resolve) => call.once('error', resolve));
    const poll = inbox.receive(receiveRequest('t', 'g'));
    const refused = expect(poll).rejects.toMatchObject({ code: grpcStatus.UNAVAILABLE });
    await inbox.call('heartbeat', { clientType: ClientType.SIMPLE_CONSUMER, group: resource('g') });
    broker.faults.cutStreams('c');
    expect(await cut).toMatchObject({ code: grpcStatus.UNAVAILABLE });
    await refused;
  });

  it('lose the reply to settings, and delay a call', async () => {
    const broker = await started();
    broker.faults.add({ rpc: 'telemetry', action: { kind: 'dropResponse' } });
    broker.faults.add({ rpc: 'heartbeat', action: { kind: 'delay', delayMs: 5 } });
    const client = clientOf(broker);
    const call = client.telemetry();
    let replies = 0;
    call.on('data', () => replies++);
    call.on('error', () => {});
    call.write({ command: { $case: 'settings', value: producerSettings() } });
    let heartbeat = await client.call('heartbeat', { clientType: ClientType.PRODUCER });
    while (heartbeat.status?.code !== Code.OK)
      heartbeat = await client.call('heartbeat', { clientType: ClientType.PRODUCER });
    expect(replies).toBe(0);
  });
});

describe('life of a broker', () => {
  it('names the port that is in use', async () => {
    const first = await started();
    const port = Number(first.endpoints.split(':')[1]);
    const second = new EmbeddedBroker({ port });
    await expect(second.start()).rejects.toThrow(
      `[PORT_IN_USE] the embedded broker cannot listen on 127.0.0.1:${port}`,
    );
    await second.stop();
  });

  it('has its messages and its port still when it starts again', async () => {
    const broker = await started();
    const { endpoints } = broker;
    await clientOf(broker).call('sendMessage', { messages: [message('t', 'a')] });
    await Promise.all([broker.stop(), broker.stop()]);
    await Promise.all([broker.start(), broker.start()]);
    expect(broker.endpoints).toBe(endpoints);
    const inbox = clientOf(broker, 'c');
    await inbox.settle(consumerSettings('g'));
    expect(messagesIn(await inbox.receive(receiveRequest('t', 'g')))).toHaveLength(1);
  });

  it('ends telemetry and long polls when it stops', async () => {
    const broker = await started();
    const inbox = clientOf(broker, 'c');
    const { call } = await inbox.settle(consumerSettings('g'));
    const ended = new Promise((resolve) => call.once('status', resolve));
    call.on('error', () => {});
    const poll = inbox.receive(receiveRequest('t', 'g')).catch(() => []);
    await broker.stop();
    expect(messagesIn(await poll)).toEqual([]);
    await ended;
  });

  it('refuses declarations that cannot be', () => {
    const broker = new EmbeddedBroker({ topics: [{ name: 't', type: 'fifo' }] });
    expect(() => broker.declareTopic({ name: 't', type: 'delay' })).toThrow('cannot become delay');
    expect(() => broker.declareTopic({ name: 'a b' })).toThrow('ILLEGAL_TOPIC');
    expect(() => broker.declareTopic({ name: 'u', queues: 0 })).toThrow('ILLEGAL_QUEUES');
    expect(() => broker.declareGroup({ name: '' })).toThrow('ILLEGAL_CONSUMER_GROUP');
    expect(() => broker.endpoints).toThrow('NOT_STARTED');
  });

  it('serves beside another one in the same process', async () => {
    const [one, two] = [await started(), await started()];
    await clientOf(one).call('sendMessage', { messages: [message('t', 'of one')] });
    await clientOf(two).call('sendMessage', { messages: [message('t', 'of two')] });
    const inbox = await consumerOf(two, 'g');
    const received = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(received.map(({ systemProperties }) => systemProperties?.messageId)).toEqual(['of two']);
  });
});
