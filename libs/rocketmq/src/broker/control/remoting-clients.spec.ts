// Clients of the remoting protocol, as the control port sees them.

import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../../tools/until.js';
import { BrokerWire } from '../../../../../tools/wire/broker-wire.js';
import { producerSettings } from '../../../../../tools/wire/raw-grpc-client.js';
import { RawRemotingClient } from '../../../../../tools/wire/raw-remoting-client.js';
import { heartbeatOf, popOf, sendOf, subscribed, waitingPullOf } from '../../../../../tools/wire/remoting-requests.js';
import { ControlClient } from './control-client.js';

const wire = new BrokerWire();
const clients: RawRemotingClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await wire.close();
});

async function world() {
  const topics = [{ name: 'orders', queues: 1 }];
  const ports = { nameServerPort: 0, controlPort: 0 };
  const broker = await wire.broker({ ...ports, topics, groups: [{ name: 'shop' }] });
  const control = new ControlClient({ endpoint: broker.controlEndpoint });
  const connect = async () => {
    const client = await RawRemotingClient.connect(broker.nameServerEndpoint);
    clients.push(client);
    return client;
  };
  return { broker, control, connect };
}

describe('clients by remoting', () => {
  it('are listed with those by gRPC, until they leave', async () => {
    const { broker, control, connect } = await world();
    await wire.client(broker, 'by-grpc').settle(producerSettings('orders'));
    const [consumer, producer] = [await connect(), await connect()];
    const heartbeat = heartbeatOf('consumer', [subscribed('orders'), subscribed('%RETRY%shop')]);
    await consumer.ask({ ...heartbeat, version: 409 });
    const body = Buffer.from('{"clientID":"producer","producerDataSet":[{"groupName":"pg"},{"groupName":"more"}]}');
    await producer.ask({ code: 34, version: 317, language: 'OTHER', body });
    expect(await control.state()).toMatchObject({ clients: 3 });
    const { items } = await control.clients();
    expect(items).toEqual([
      {
        clientId: 'by-grpc',
        kind: 'producer',
        protocol: 'grpc',
        language: expect.any(String),
        address: expect.any(String),
        isConnected: true,
        groups: [],
        producerGroups: [],
        topics: ['orders'],
      },
      {
        clientId: 'consumer',
        kind: 'pushConsumer',
        protocol: 'remoting',
        language: 'JAVA',
        version: '4.9.8',
        address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        isConnected: true,
        groups: ['shop'],
        producerGroups: ['pg'],
        topics: ['orders'],
      },
      {
        clientId: 'producer',
        kind: 'producer',
        protocol: 'remoting',
        language: 'OTHER',
        version: '4.5.2',
        address: expect.any(String),
        isConnected: true,
        groups: [],
        producerGroups: ['pg', 'more'],
        topics: [],
      },
    ]);
    expect((await control.groups()).items).toMatchObject([{ name: 'shop', consumers: ['consumer'] }]);
    const metrics = await control.metrics();
    expect(metrics).toMatch(/rocketmq_consumer_connections\{.*consumer_group="shop".*protocol_type="remoting".*\} 1/);
    await consumer.ask({ code: 35, fields: { clientID: 'consumer', consumerGroup: 'shop', producerGroup: 'pg' } });
    producer.close();
    await until(async () => (await control.clients()).items.length === 1);
  });

  it('are named as those that hold messages', async () => {
    const { control, connect } = await world();
    const [consumer, unknown] = [await connect(), await connect()];
    await consumer.ask(heartbeatOf('consumer'));
    await consumer.ask(sendOf());
    await consumer.ask(popOf());
    expect((await control.inFlight()).items).toMatchObject([{ state: 'held', attempt: 1, clientId: 'consumer' }]);
    await unknown.ask(sendOf({ properties: { UNIQ_KEY: 'second' } }));
    await unknown.ask(popOf());
    const { items } = await control.inFlight({ messageId: 'second' });
    expect(items[0]?.clientId).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('suffer the faults of the control port, and lose their connections', async () => {
    const { broker, control, connect } = await world();
    const client = await connect();
    await client.ask(heartbeatOf('c'));
    await control.addFault({ rpc: 'sendMessage', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' } });
    expect((await client.ask(sendOf())).code).toBe(2);
    const waiting = expect(client.ask(waitingPullOf())).rejects.toThrow('ended');
    await client.ask({ code: 105 });
    await control.cutConnections({ clientId: 'other' });
    expect((await client.ask({ code: 105 })).code).toBe(17);
    await control.cutConnections({ clientId: 'c' });
    await waiting;
    await expect(control.cutConnections({ clientId: '' })).rejects.toMatchObject({ code: 'ILLEGAL_ARGUMENT' });
    await broker.stop();
  });

  it('are needed for faults of what only they ask', async () => {
    const broker = await wire.broker({ controlPort: 0 });
    const control = new ControlClient({ endpoint: broker.controlEndpoint });
    const fault = control.addFault({ rpc: 'pullMessage', action: { kind: 'dropResponse' } });
    const text = 'this broker has no name server port';
    await expect(fault).rejects.toMatchObject({ code: 'ILLEGAL_ARGUMENT', message: expect.stringContaining(text) });
  });
});
