import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire, statusIn } from '../../../../../tools/wire/broker-wire.js';
import {
  consumerSettings,
  grpcStatus,
  message,
  producerSettings,
  type RawClient,
  receiveRequest,
  resource,
} from '../../../../../tools/wire/raw-grpc-client.js';
import { ClientType, Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';

import { ManualClock } from '../../support/manual-clock.js';
import { Sessions } from './sessions.js';

const wire = new BrokerWire();

afterEach(() => wire.close());

describe('settings and sessions', () => {
  it('returns the settings with the values of the server', async () => {
    const broker = await wire.broker({ groups: [{ name: 'ordered', fifo: true, maxDeliveryAttempts: 3 }] });
    const { reply: producer } = await wire.client(broker, 'p').settle(producerSettings('t'));
    expect(producer).toMatchObject({
      status: { code: Code.OK },
      command: {
        value: {
          backoffPolicy: { maxAttempts: 3, strategy: { $case: 'exponentialBackoff' } },
          pubSub: { $case: 'publishing', value: { topics: [resource('t')], maxBodySize: 4194304 } },
        },
      },
    });
    const { reply: consumer } = await wire.client(broker, 'c').settle(consumerSettings('ordered'));
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

  it('ends the telemetry stream when the client half-closes it', async () => {
    const broker = await wire.broker();
    const { call } = await wire.client(broker).settle(producerSettings());
    const ended = new Promise((resolve) => call.once('end', resolve));
    call.end();
    await ended;
  });

  it('breaks the telemetry stream after invalid settings', async () => {
    const broker = await wire.broker({ strict: true, groups: [{ name: 'known' }] });
    const rejection = async (client: RawClient, settings: Parameters<RawClient['settle']>[0]) =>
      client.settle(settings).then(
        () => 'taken',
        (error: { code?: number }) => error.code,
      );
    const invalid = grpcStatus.INVALID_ARGUMENT;
    expect(await rejection(wire.client(broker, '1'), consumerSettings('unknown'))).toBe(invalid);
    expect(await rejection(wire.client(broker, '2'), consumerSettings('bad name'))).toBe(invalid);
    expect(await rejection(wire.client(broker, '3'), { clientProperties: {} })).toBe(invalid);
    const pull = consumerSettings('known', ClientType.PULL_CONSUMER);
    expect(await rejection(wire.client(broker, '4'), pull)).toBe(grpcStatus.INTERNAL);
    const golang = wire.client(broker, '5', { 'x-mq-language': 'GOLANG' });
    expect(await rejection(golang, consumerSettings('known'))).toBe(grpcStatus.INTERNAL);
    expect(await rejection(wire.client(broker, '6'), consumerSettings('known'))).toBe('taken');
  });

  it('knows a client from its settings to its termination', async () => {
    const broker = await wire.broker();
    const client = wire.client(broker);
    const heartbeat = async () => (await client.call('heartbeat', { clientType: ClientType.PRODUCER })).status?.code;
    expect(await heartbeat()).toBe(Code.UNRECOGNIZED_CLIENT_TYPE);
    await client.settle(producerSettings('t'));
    expect(await heartbeat()).toBe(Code.OK);
    expect((await client.call('notifyClientTermination', {})).status?.code).toBe(Code.OK);
    expect(await heartbeat()).toBe(Code.UNRECOGNIZED_CLIENT_TYPE);
  });

  it('rejects a caller without client id, in each kind of call', async () => {
    const broker = await wire.broker();
    const nobody = wire.client(broker, '');
    const sent = await nobody.call('sendMessage', { messages: [message('t', 'a')] });
    expect(sent.status?.code).toBe(Code.CLIENT_ID_REQUIRED);
    expect(statusIn(await nobody.receive(receiveRequest('t', 'g')))).toBe(Code.CLIENT_ID_REQUIRED);
    const { reply } = await nobody.settle(producerSettings());
    expect(reply.status?.code).toBe(Code.CLIENT_ID_REQUIRED);
  });

  it('does not implement what the real server does not', async () => {
    const broker = await wire.broker();
    await expect(wire.client(broker).call('getOffset', {})).rejects.toMatchObject({ code: grpcStatus.UNIMPLEMENTED });
  });

  it('removes a client without a stream after two minutes of silence, and reports it once', () => {
    const clock = new ManualClock();
    const sessions = new Sessions(clock);
    const gone: string[] = [];
    sessions.whenGone(({ clientId }) => gone.push(clientId));
    const push = (): void => {};
    const pass = (durationMs: number): void => clock.advanceTo(clock.nowMs() + durationMs);
    sessions.register('c', consumerSettings('g'), push);
    pass(500_000);
    expect(sessions.find('c')).toBeDefined();
    sessions.streamEnded('c', push);
    pass(119_000);
    sessions.heartbeat(sessions.require('c'));
    pass(119_000);
    expect(sessions.find('c')).toBeDefined();
    pass(1_000);
    expect(sessions.find('c')).toBeUndefined();
    pass(500_000);
    expect(gone).toEqual(['c']);
    sessions.close();
  });

  it('does not remove a client that opened another stream, and does not report one that terminated', () => {
    const clock = new ManualClock();
    const sessions = new Sessions(clock);
    const gone: string[] = [];
    sessions.whenGone(({ clientId }) => gone.push(clientId));
    const [first, second] = [() => {}, () => {}];
    sessions.register('c', consumerSettings('g'), first);
    sessions.register('d', consumerSettings('g'), first);
    sessions.streamEnded('c', first);
    sessions.streamEnded('d', first);
    sessions.register('c', consumerSettings('g'), second);
    sessions.remove('d');
    clock.advanceTo(clock.nowMs() + 500_000);
    expect(sessions.find('c')).toBeDefined();
    expect(gone).toEqual([]);
  });
});
