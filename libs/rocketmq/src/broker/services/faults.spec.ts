import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../../tools/until.js';
import { BrokerWire, messagesIn, statusIn } from '../../../../../tools/wire/broker-wire.js';
import { answerOn, Http2Peer } from '../../../../../tools/wire/http2-peer.js';
import {
  consumerSettings,
  grpcStatus,
  message,
  producerSettings,
  receiveRequest,
  resource,
} from '../../../../../tools/wire/raw-grpc-client.js';
import { ClientType, Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';

const wire = new BrokerWire();

afterEach(() => wire.close());

describe('faults', () => {
  it('answer with a code instead of executing the call, as often and for the client as configured', async () => {
    const broker = await wire.broker();
    broker.faults.add({
      rpc: 'sendMessage',
      action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' },
      times: 2,
      clientId: 'p',
    });
    const send = async (clientId: string) =>
      (await wire.client(broker, clientId).call('sendMessage', { messages: [message('t', 'a')] })).status?.code;
    expect(await send('q')).toBe(Code.OK);
    expect([await send('p'), await send('p'), await send('p')]).toEqual([
      Code.TOO_MANY_REQUESTS,
      Code.TOO_MANY_REQUESTS,
      Code.OK,
    ]);
  });

  it('are rejected when they would never take effect', async () => {
    const { faults } = await wire.broker();
    const rpc = 'sendMessage';
    const rejected: readonly [unknown, string][] = [
      [undefined, 'options'],
      [{ action: 'dropAnswer' }, 'action'],
      [{ rpc, action: 'dropResponse' }, 'action'],
      [{ rpc, action: { kind: 'dropAnswer' } }, 'action.kind'],
      [{ rpc, action: { kind: 'dropResponse', code: 'OK' } }, 'action.code'],
      [{ rpc, action: { kind: 'answer' } }, 'action.code'],
      [{ rpc, action: { kind: 'answer', code: 'TOO_MANY' } }, 'action.code'],
      [{ rpc, action: { kind: 'delay', delayMs: '5' } }, 'action.delayMs'],
      [{ rpc: 'sendMesage', action: { kind: 'dropResponse' } }, 'rpc'],
      [{ rpc, action: { kind: 'dropResponse' }, time: 2 }, 'time'],
      [{ rpc, action: { kind: 'dropResponse' }, times: 0 }, 'times'],
      [{ action: { kind: 'dropResponse' } }, 'rpc'],
    ];
    for (const [rule, field] of rejected) {
      const error = expect.objectContaining({ code: 'ILLEGAL_OPTION', outcome: 'not-sent', field });
      expect(() => faults.add(rule as never)).toThrow(error);
    }
    expect(() => faults.refuseConnections({ prot: 1 } as never)).toThrow('option prot is unknown');
    expect(faults.list()).toEqual([]);
  });

  it('drop a response after the call was executed', async () => {
    const broker = await wire.broker();
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
    const sending = wire.client(broker).call('sendMessage', { messages: [message('t', 'a')] });
    await expect(sending).rejects.toMatchObject({ code: grpcStatus.UNAVAILABLE });
    const inbox = await wire.consumer(broker, 'g');
    expect(messagesIn(await inbox.receive(receiveRequest('t', 'g')))).toHaveLength(1);
  });

  it('break the streams of a client: telemetry and long polls', async () => {
    const broker = await wire.broker();
    const inbox = wire.client(broker, 'c');
    const { call } = await inbox.settle(consumerSettings('g'));
    const cut = new Promise<{ code?: number }>((resolve) => call.once('error', resolve));
    const poll = inbox.receive(receiveRequest('t', 'g'));
    const rejected = expect(poll).rejects.toMatchObject({ code: grpcStatus.UNAVAILABLE });
    await inbox.call('heartbeat', { clientType: ClientType.SIMPLE_CONSUMER, group: resource('g') });
    broker.faults.cutStreams('c');
    expect(await cut).toMatchObject({ code: grpcStatus.UNAVAILABLE });
    await rejected;
  });

  it('do not execute a delayed call after the broker has stopped', async () => {
    const broker = await wire.broker();
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 600_000 } });
    const sending = wire.client(broker).call('sendMessage', { messages: [message('t', 'a')] });
    const rejected = expect(sending).rejects.toMatchObject({
      code: grpcStatus.UNAVAILABLE,
      details: 'the broker is stopping',
    });
    await until(() => broker.faults.list().length === 0);
    await broker.stop();
    await rejected;
    expect(broker.inside.activity.labels()).toEqual([]);
  });

  it('drop the reply to settings, and delay a call', async () => {
    const broker = await wire.broker();
    broker.faults.add({ rpc: 'telemetry', action: { kind: 'dropResponse' } });
    broker.faults.add({ rpc: 'heartbeat', action: { kind: 'delay', delayMs: 5 } });
    const client = wire.client(broker);
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

  it('lose the settings of a client, so that its calls fail until it sends them again', async () => {
    const broker = await wire.broker();
    const inbox = await wire.consumer(broker, 'g');
    broker.faults.add({ rpc: 'receiveMessage', action: { kind: 'loseSettings' }, times: 2 });
    const request = receiveRequest('t', 'g');
    expect(statusIn(await inbox.receive(request))).toBe(Code.UNRECOGNIZED_CLIENT_TYPE);
    expect(statusIn(await inbox.receive(request))).toBe(Code.UNRECOGNIZED_CLIENT_TYPE);
    await inbox.settle(consumerSettings('g'));
    await wire.client(broker, 'p').call('sendMessage', { messages: [message('t', 'a')] });
    expect(messagesIn(await inbox.receive(request))).toHaveLength(1);
    broker.faults.loseSettings();
    expect(statusIn(await inbox.receive(request))).toBe(Code.UNRECOGNIZED_CLIENT_TYPE);
  });

  it('reject a configured number of connections, and break those that are open', async () => {
    const broker = await wire.broker();
    const attempt = async (): Promise<string> => {
      const peer = new Http2Peer(broker.endpoints);
      const stream = peer.open('/nothing');
      const { status } = await answerOn(stream);
      peer.close();
      return status ?? 'refused';
    };
    const takeAway = broker.faults.refuseConnections({ times: 2 });
    expect([await attempt(), await attempt(), await attempt()]).toEqual(['refused', 'refused', '12']);
    takeAway();
    const forGood = broker.faults.refuseConnections();
    expect([await attempt(), await attempt()]).toEqual(['refused', 'refused']);
    forGood();
    const { call } = await wire.client(broker, 'c').settle(consumerSettings('g'));
    const broken = new Promise<{ code?: number }>((resolve) => call.once('error', resolve));
    broker.faults.cutConnections();
    expect(await broken).toMatchObject({ code: grpcStatus.UNAVAILABLE });
  });
});
