import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire, messagesIn } from '../../../../tools/wire/broker-wire.js';
import {
  consumerSettings,
  grpcStatus,
  message,
  RawClient,
  receiveRequest,
  resource,
} from '../../../../tools/wire/raw-grpc-client.js';
import { Code } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { EmbeddedBroker } from './embedded-broker.js';

const wire = new BrokerWire();

afterEach(() => wire.close());

describe('an embedded broker', () => {
  it('names the port that is in use', async () => {
    const first = await wire.broker();
    const port = Number(first.endpoints.split(':')[1]);
    const second = new EmbeddedBroker({ port });
    await expect(second.start()).rejects.toThrow(
      `[PORT_IN_USE] the embedded broker cannot listen on 127.0.0.1:${port}`,
    );
    await second.stop();
  });

  it('logs where it listens, at one port or at several', async () => {
    const logged: unknown[] = [];
    const log = (text: string, fields?: unknown): void => void logged.push([text, fields]);
    const logger = { debug: log, info: log, warn: log, error: log };
    const [one, two] = [new EmbeddedBroker({ logger }), new EmbeddedBroker({ logger, morePorts: [0] })];
    for (const broker of [one, two]) {
      await broker.start();
      await broker.stop();
    }
    const at = ({ endpoints }: EmbeddedBroker): object => ({ endpoints });
    expect(logged).toEqual([
      ['embedded broker started', at(one)],
      ['embedded broker stopped', at(one)],
      ['embedded broker started', at(two)],
      ['embedded broker stopped', at(two)],
    ]);
  });

  it('frees its ports when its start is aborted or late, and can be started again', async () => {
    const broker = new EmbeddedBroker({ host: 'localhost', nameServerPort: 0, controlPort: 0, morePorts: [0] });
    const controller = new AbortController();
    const aborted = broker.start({ signal: controller.signal });
    // The ports are chosen by the first start, and another one would report them as used.
    controller.abort(new Error('no longer wanted'));
    await expect(aborted).rejects.toThrow('no longer wanted');
    await broker.start();
    const { endpoints, nameServerEndpoint, controlEndpoint } = broker;
    await broker.stop();
    await expect(broker.start({ signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
    await expect(broker.start({ timeoutMs: 0.001 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await broker.start();
    expect(broker).toMatchObject({ endpoints, nameServerEndpoint, controlEndpoint });
    await broker.stop();
  });

  it('keeps its messages and its port when it is restarted', async () => {
    const broker = await wire.broker();
    const { endpoints } = broker;
    await wire.client(broker).call('sendMessage', { messages: [message('t', 'a')] });
    await Promise.all([broker.stop(), broker.stop()]);
    await Promise.all([broker.start(), broker.start()]);
    expect(broker.endpoints).toBe(endpoints);
    const inbox = wire.client(broker, 'c');
    await inbox.settle(consumerSettings('g'));
    expect(messagesIn(await inbox.receive(receiveRequest('t', 'g')))).toHaveLength(1);
  });

  it('ends telemetry and long polls when it stops', async () => {
    const broker = await wire.broker();
    const inbox = wire.client(broker, 'c');
    const { call } = await inbox.settle(consumerSettings('g'));
    const ended = new Promise((resolve) => call.once('status', resolve));
    call.on('error', () => {});
    const poll = inbox.receive(receiveRequest('t', 'g')).catch(() => []);
    await broker.stop();
    expect(messagesIn(await poll)).toEqual([]);
    await ended;
  });

  it('rejects invalid declarations', () => {
    const broker = new EmbeddedBroker({ topics: [{ name: 't', type: 'fifo' }] });
    expect(() => broker.declareTopic({ name: 't', type: 'delay' })).toThrow('cannot become delay');
    expect(() => broker.declareTopic({ name: 'a b' })).toThrow('ILLEGAL_TOPIC');
    expect(() => broker.declareTopic({ name: 'u', queues: 0 })).toThrow('ILLEGAL_QUEUES');
    expect(() => broker.declareGroup({ name: '' })).toThrow('ILLEGAL_CONSUMER_GROUP');
    expect(() => broker.endpoints).toThrow('NOT_STARTED');
  });

  it.each<[string, (broker: EmbeddedBroker) => void]>([
    ['ILLEGAL_TOPIC', (broker) => broker.declareTopic(undefined as never)],
    ['ILLEGAL_TOPIC', (broker) => broker.declareTopic({ name: 5 } as never)],
    ['ILLEGAL_TOPIC_TYPE', (broker) => broker.declareTopic({ name: 't', type: 'FIFO' } as never)],
    ['ILLEGAL_TOPIC_TYPE', (broker) => broker.declareTopic({ name: 't', type: null } as never)],
    ['ILLEGAL_QUEUES', (broker) => broker.declareTopic({ name: 't', queues: 5n } as never)],
    ['ILLEGAL_CONSUMER_GROUP', (broker) => broker.declareGroup({} as never)],
    ['ILLEGAL_OPTION', (broker) => broker.declareGroup({ name: 'g', fifo: 'no' } as never)],
  ])('rejects declarations of another type with %s', (code, declare) => {
    expect(() => declare(new EmbeddedBroker())).toThrow(expect.objectContaining({ code, outcome: 'not-sent' }));
  });

  it('runs next to another one in the same process', async () => {
    const [one, two] = [await wire.broker(), await wire.broker()];
    await wire.client(one).call('sendMessage', { messages: [message('t', 'of one')] });
    await wire.client(two).call('sendMessage', { messages: [message('t', 'of two')] });
    const inbox = await wire.consumer(two, 'g');
    const received = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(received.map(({ systemProperties }) => systemProperties?.messageId)).toEqual(['of two']);
  });

  it('has several addresses, each of which can fail alone', async () => {
    const broker = await wire.broker({ morePorts: [0] });
    const [first = '', second = ''] = broker.endpoints.split(';');
    const clients = [first, second].map((endpoint, index) => new RawClient(endpoint, `client ${index}`));
    const [one, two] = clients as [RawClient, RawClient];
    await one.call('sendMessage', { messages: [message('t', 'a')] });
    await two.settle(consumerSettings('g'));
    const route = await one.call('queryRoute', { topic: resource('t') });
    const { addresses = [] } = route.messageQueues[0]?.broker?.endpoints ?? {};
    expect(addresses.map(({ host, port }) => `${host}:${port}`)).toEqual([first, second]);
    expect(messagesIn(await two.receive(receiveRequest('t', 'g')))).toHaveLength(1);
    const port = Number(first.split(':')[1]);
    broker.faults.refuseConnections({ port });
    broker.faults.cutConnections(port);
    await expect(one.call('queryRoute', { topic: resource('t') })).rejects.toMatchObject({
      code: grpcStatus.UNAVAILABLE,
    });
    expect((await two.call('queryRoute', { topic: resource('t') })).status?.code).toBe(Code.OK);
    for (const client of clients) client.close();
    await broker.stop();
    await broker.start();
    expect(broker.endpoints).toBe(`${first};${second}`);
  });
});
