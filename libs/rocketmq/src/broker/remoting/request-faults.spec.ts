// What scripted faults do to clients of the remoting protocol.

import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../../tools/until.js';
import { BrokerWire } from '../../../../../tools/wire/broker-wire.js';
import { consumerSettings, grpcStatus, resource } from '../../../../../tools/wire/raw-grpc-client.js';
import { RawRemotingClient } from '../../../../../tools/wire/raw-remoting-client.js';
import {
  heartbeatOf,
  popOf,
  pullOf,
  sendBackOf,
  sendOf,
  textsOf,
  waitingPullOf,
} from '../../../../../tools/wire/remoting-requests.js';
import { ClientType, Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcName } from '../../protocol/grpc/rpc.js';
import type { EmbeddedBroker } from '../embedded-broker.js';
import type { FaultAction } from '../services/faults.js';

const wire = new BrokerWire();
const clients: RawRemotingClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await wire.close();
});

async function clientOf(broker: EmbeddedBroker): Promise<RawRemotingClient> {
  const client = await RawRemotingClient.connect(broker.nameServerEndpoint);
  clients.push(client);
  return client;
}

async function world() {
  const groups = [{ name: 'shop' }];
  const broker = await wire.broker({ nameServerPort: 0, topics: [{ name: 'orders', queues: 1 }], groups });
  const fault = (rpc: RpcName, action: FaultAction, more: { clientId?: string; times?: number } = {}) =>
    broker.faults.add({ rpc, action, ...more });
  return { broker, fault, client: await clientOf(broker) };
}

const answer = (code: keyof typeof Code): FaultAction => ({ kind: 'answer', code });
const BROKEN = 'the connection ended without an answer';

describe('a fault of requests by remoting', () => {
  it.each<[RpcName, { code: number }]>([
    ['queryRoute', { code: 105 }],
    ['heartbeat', heartbeatOf('c')],
    ['telemetry', heartbeatOf('c')],
    ['sendMessage', sendOf()],
    ['sendMessage', { ...sendOf(), code: 10 }],
    ['sendMessage', { ...sendOf(), code: 320 }],
    ['queryAssignment', { code: 400 }],
    ['queryAssignment', { code: 38 }],
    ['receiveMessage', pullOf()],
    ['receiveMessage', popOf()],
    ['pullMessage', pullOf()],
    ['ackMessage', { code: 200_051 }],
    ['ackMessage', { code: 200_151 }],
    ['changeInvisibleDuration', { code: 200_053 }],
    ['changeInvisibleDuration', sendBackOf(0, 0)],
    ['forwardMessageToDeadLetterQueue', sendBackOf(0, -1)],
    ['updateOffset', { code: 15 }],
    ['getOffset', { code: 14 }],
    ['queryOffset', { code: 29 }],
    ['queryOffset', { code: 30 }],
    ['endTransaction', { code: 37 }],
    ['recallMessage', { code: 370 }],
    ['syncLiteSubscription', { code: 200_071 }],
    ['notifyClientTermination', { code: 35 }],
  ])('of %s affects %j, which is not executed, as often as it says', async (rpc, request) => {
    const { fault, client, broker } = await world();
    fault(rpc, { kind: 'answer', code: 'FORBIDDEN', message: 'no' }, { times: 1 });
    expect(await client.ask(request)).toMatchObject({ code: 16, remark: 'no' });
    expect(broker.faults.list()).toEqual([]);
    expect((await client.ask(request)).remark).not.toBe('no');
    // The pull has no messages of a send that was kept from it.
    if (rpc !== 'sendMessage') expect(textsOf(await client.ask(pullOf()))).toEqual([]);
  });

  it('does not affect requests of another meaning', async () => {
    const { fault, client, broker } = await world();
    fault('forwardMessageToDeadLetterQueue', answer('FORBIDDEN'));
    fault('pullMessage', answer('FORBIDDEN'));
    await client.ask(sendBackOf(0, 3));
    await client.ask(popOf());
    expect(broker.faults.list()).toHaveLength(2);
  });

  it.each<[keyof typeof Code, number]>([
    ['TOO_MANY_REQUESTS', 2],
    ['TOPIC_NOT_FOUND', 17],
    ['MESSAGE_BODY_TOO_LARGE', 13],
    ['UNAUTHORIZED', 16],
    ['INTERNAL_SERVER_ERROR', 1],
    ['PROXY_TIMEOUT', 1],
  ])('answers %s with the nearest code, %i', async (code, expected) => {
    const { fault, client } = await world();
    fault('sendMessage', answer(code));
    expect((await client.ask(sendOf())).code).toBe(expected);
    expect(textsOf(await client.ask(pullOf()))).toEqual([]);
  });

  it.each<[keyof typeof Code, number]>([
    ['MASTER_PERSISTENCE_TIMEOUT', 10],
    ['HA_NOT_AVAILABLE', 11],
    ['SLAVE_PERSISTENCE_TIMEOUT', 12],
  ])('answers %s with code %i for a message that is stored', async (code, expected) => {
    const { fault, client } = await world();
    fault('sendMessage', answer(code));
    expect(await client.ask(sendOf())).toMatchObject({ code: expected, fields: { queueId: '0', queueOffset: '0' } });
    expect(textsOf(await client.ask(pullOf()))).toEqual(['x']);
  });

  it('loses the answer to a request that took effect; the connection goes on', async () => {
    const { fault, client } = await world();
    fault('sendMessage', { kind: 'dropResponse' });
    let answered = 0;
    void client.ask(sendOf({ body: 'lost' })).then(
      () => answered++,
      () => {},
    );
    expect(textsOf(await client.ask(waitingPullOf()))).toEqual(['lost']);
    expect((await client.ask(sendOf({ body: 'next' }))).code).toBe(0);
    expect(answered).toBe(0);
  });

  it('delays a request, and others of the connection are answered meanwhile', async () => {
    const { fault, client } = await world();
    fault('sendMessage', { kind: 'delay', delayMs: 50 });
    const order: string[] = [];
    const late = client.ask(sendOf({ body: 'late' })).then(() => order.push('late'));
    await client.ask(sendOf({ body: 'early' })).then(() => order.push('early'));
    await late;
    expect(order).toEqual(['early', 'late']);
    expect(textsOf(await client.ask(pullOf()))).toEqual(['early', 'late']);
  });

  it('does not execute a delayed request after the broker has stopped', async () => {
    const { fault, client, broker } = await world();
    fault('sendMessage', { kind: 'delay', delayMs: 600_000 });
    const sending = client.ask(sendOf());
    const rejected = expect(sending).rejects.toThrow(BROKEN);
    await until(() => broker.faults.list().length === 0);
    await broker.stop();
    await rejected;
    await until(() => broker.inside.activity.labels().length === 0);
    await broker.start();
    expect(textsOf(await (await clientOf(broker)).ask(pullOf()))).toEqual([]);
  });

  it('closes the connections of the client instead of executing the request', async () => {
    const { fault, client, broker } = await world();
    const other = await clientOf(broker);
    await client.ask(heartbeatOf('c'));
    await other.ask(heartbeatOf('d'));
    const waiting = client.ask(waitingPullOf());
    const broken = expect(waiting).rejects.toThrow(BROKEN);
    fault('sendMessage', { kind: 'cutStreams' }, { clientId: 'c' });
    await expect(client.ask(sendOf())).rejects.toThrow(BROKEN);
    await broken;
    expect(textsOf(await other.ask(pullOf()))).toEqual([]);
  });

  it('forgets who a client is, until its next heartbeat', async () => {
    const { fault, client } = await world();
    await client.ask(heartbeatOf('c'));
    fault('pullMessage', { kind: 'loseSettings' });
    // Without a subscription of its own, a pull reads by that of the heartbeat.
    const pull = pullOf({ sysFlag: '0' });
    expect((await client.ask(pull)).code).toBe(24);
    await client.ask(heartbeatOf('c'));
    expect((await client.ask(pull)).code).toBe(19);
  });

  it('affects only the client that it names, known by its heartbeat, the first included', async () => {
    const { fault, client, broker } = await world();
    const other = await clientOf(broker);
    fault('sendMessage', answer('FORBIDDEN'), { clientId: 'c' });
    fault('heartbeat', answer('TOO_MANY_REQUESTS'), { clientId: 'c' });
    expect((await other.ask(heartbeatOf('d'))).code).toBe(0);
    expect((await client.ask(heartbeatOf('c'))).code).toBe(2);
    expect((await client.ask(sendOf())).code).toBe(0);
    expect((await client.ask(heartbeatOf('c'))).code).toBe(0);
    expect([(await other.ask(sendOf())).code, (await client.ask(sendOf())).code]).toEqual([0, 16]);
  });

  it('that only such requests can suffer is rejected by a broker without the port', async () => {
    const broker = await wire.broker();
    const add = () => broker.faults.add({ rpc: 'updateOffset', action: { kind: 'dropResponse' } });
    const text = 'updateOffset is a request of clients by remoting, and this broker has no name server port';
    expect(add).toThrow(expect.objectContaining({ field: 'rpc', message: expect.stringContaining(text) }) as never);
  });
});

describe('connections by remoting', () => {
  it('are rejected', async () => {
    const { broker } = await world();
    const port = Number(broker.nameServerEndpoint.split(':')[1]);
    broker.faults.refuseConnections({ port, times: 1 });
    const rejected = await clientOf(broker);
    await expect(rejected.ask(sendOf())).rejects.toThrow(BROKEN);
    expect((await (await clientOf(broker)).ask(sendOf())).code).toBe(0);
  });

  it('are broken: by port, by client, or all', async () => {
    const { broker } = await world();
    const port = Number(broker.nameServerEndpoint.split(':')[1]);
    const other = Number(broker.endpoints.split(':')[1]);
    const isBroken = async (choice: object): Promise<boolean> => {
      const client = await clientOf(broker);
      await client.ask(heartbeatOf('c'));
      const waiting = client.ask(waitingPullOf()).then(
        () => false,
        () => true,
      );
      await client.ask({ code: 105 });
      broker.faults.cutConnections(choice);
      const answers = client.ask({ code: 105 }).then(
        () => false,
        () => true,
      );
      return (await answers) && (await waiting);
    };
    expect(await isBroken({})).toBe(true);
    expect(await isBroken({ port })).toBe(true);
    expect(await isBroken({ clientId: 'c' })).toBe(true);
    expect(await isBroken({ port, clientId: 'c' })).toBe(true);
    expect(await isBroken({ port: other, clientId: 'c' })).toBe(false);
    expect(await isBroken({ clientId: 'd' })).toBe(false);
    expect(() => broker.faults.cutConnections({ clientid: 'c' } as never)).toThrow('clientid is unknown');
  });

  it('and those by gRPC are broken of one client, by its streams', async () => {
    const { broker } = await world();
    const [one, two] = [wire.client(broker, 'one'), wire.client(broker, 'two')];
    const [{ call }, other] = [await one.settle(consumerSettings('shop')), await two.settle(consumerSettings('shop'))];
    const broken = new Promise<{ code?: number }>((resolve) => call.once('error', resolve));
    other.call.once('error', () => {});
    broker.faults.cutConnections({ clientId: 'one' });
    expect(await broken).toMatchObject({ code: grpcStatus.UNAVAILABLE });
    const beat = { clientType: ClientType.SIMPLE_CONSUMER, group: resource('shop') };
    expect((await two.call('heartbeat', beat)).status?.code).toBe(Code.OK);
  });

  it('are the streams of their clients, which wait there', async () => {
    const { broker, client } = await world();
    const idle = await clientOf(broker);
    await client.ask(heartbeatOf('c'));
    const waiting = expect(client.ask(waitingPullOf())).rejects.toThrow(BROKEN);
    await client.ask({ code: 105 });
    broker.faults.cutStreams('d');
    expect((await client.ask(sendOf({ topic: 'others' }))).code).toBe(0);
    broker.faults.cutStreams();
    await waiting;
    expect((await idle.ask(sendOf())).code).toBe(0);
  });
});
