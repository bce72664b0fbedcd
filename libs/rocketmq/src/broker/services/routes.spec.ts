import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire } from '../../../../../tools/wire/broker-wire.js';
import { message, resource } from '../../../../../tools/wire/raw-grpc-client.js';
import { AddressScheme, MessageType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';

const wire = new BrokerWire();

afterEach(() => wire.close());

describe('routes', () => {
  it('return queues, type and address; an undeclared topic accepts any type until its first message', async () => {
    const broker = await wire.broker({ topics: [{ name: 'orders', type: 'fifo', queues: 3 }] });
    const client = wire.client(broker);
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

  it('return the advertised address if there is one', async () => {
    const broker = await wire.broker({ advertisedAddress: { host: 'broker.example', port: 4711 } });
    const route = await wire.client(broker).call('queryRoute', { topic: resource('t') });
    expect(route.messageQueues[0]?.broker?.endpoints?.addresses).toEqual([{ host: 'broker.example', port: 4711 }]);
  });

  it('return an advertised host without a port with the port of the broker', async () => {
    const broker = await wire.broker({ advertisedAddress: { host: 'broker.example' } });
    const port = Number(broker.endpoints.split(':').at(-1));
    const route = await wire.client(broker).call('queryRoute', { topic: resource('t') });
    expect(route.messageQueues[0]?.broker?.endpoints?.addresses).toEqual([{ host: 'broker.example', port }]);
  });

  it('return the address of the request if the broker listens on all addresses, and otherwise one that others can reach', async () => {
    const endpoints = { scheme: AddressScheme.DOMAIN_NAME, addresses: [{ host: 'tunnel.example', port: 18_081 }] };
    const returned = async (options: EmbeddedBrokerOptions) => {
      const client = wire.client(await wire.broker({ host: '0.0.0.0', ...options }));
      const asked = await client.call('queryRoute', { topic: resource('t'), endpoints });
      const plain = await client.call('queryRoute', { topic: resource('t') });
      return [asked, plain].map(({ messageQueues: [queue] }) => queue?.broker?.endpoints?.addresses[0]?.host);
    };
    const [asked, own] = await returned({});
    expect(asked).toBe('tunnel.example');
    expect(own).not.toBe('0.0.0.0');
    expect(await returned({ advertisedAddress: { host: 'broker.example' } })).toEqual([
      'tunnel.example',
      'broker.example',
    ]);
    expect(await returned({ advertisedAddress: { host: 'broker.example', port: 1 } })).toEqual([
      'broker.example',
      'broker.example',
    ]);
  });

  it('return the address of the request with advertiseAsAsked, and the own one if the request has none', async () => {
    const broker = await wire.broker({
      advertiseAsAsked: true,
      advertisedAddress: { host: 'broker.example', port: 4711 },
    });
    const client = wire.client(broker);
    const asked = (count: number) => ({
      scheme: AddressScheme.DOMAIN_NAME,
      addresses: Array.from({ length: count }, (_, index) => ({ host: 'tunnel.example', port: 18_081 + index })),
    });
    const returned = async (endpoints: ReturnType<typeof asked> | undefined) => {
      const route = await client.call('queryRoute', { topic: resource('t'), endpoints });
      const group = { topic: resource('t'), group: resource('g'), endpoints };
      const { assignments } = await client.call('queryAssignment', group);
      const queues = [...route.messageQueues, ...assignments.map(({ messageQueue }) => messageQueue)];
      return queues.map((queue) => queue?.broker?.endpoints);
    };
    const own = { scheme: AddressScheme.DOMAIN_NAME, addresses: [{ host: 'broker.example', port: 4711 }] };
    // Eight queues and one assignment.
    const everywhere = (endpoints: typeof own) => Array.from({ length: 9 }, () => endpoints);
    expect(await returned(asked(2))).toEqual(everywhere(asked(2)));
    expect(await returned(undefined)).toEqual(everywhere(own));
    expect(await returned(asked(17))).toEqual(everywhere(own));
  });

  it('assign all queues together, and to an ordered group each queue separately', async () => {
    const broker = await wire.broker({ groups: [{ name: 'ordered', fifo: true }], topics: [{ name: 't', queues: 2 }] });
    const ids = async (group: string) => {
      const { assignments } = await wire.client(broker).call('queryAssignment', {
        topic: resource('t'),
        group: resource(group),
      });
      return assignments.map(({ messageQueue }) => messageQueue?.id);
    };
    expect(await ids('plain')).toEqual([-1]);
    expect(await ids('ordered')).toEqual([0, 1]);
  });
});
