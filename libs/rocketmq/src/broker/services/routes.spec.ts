import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire } from '../../../../../test/support/broker-wire.js';
import { message, resource } from '../../../../../test/support/raw-grpc-client.js';
import { AddressScheme, MessageType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';

const wire = new BrokerWire();

afterEach(() => wire.close());

describe('routes', () => {
  it('tell queues, type and address; an undeclared topic takes any type until its first message', async () => {
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

  it('tell the advertised address where there is one', async () => {
    const broker = await wire.broker({ advertisedAddress: { host: 'broker.example', port: 4711 } });
    const route = await wire.client(broker).call('queryRoute', { topic: resource('t') });
    expect(route.messageQueues[0]?.broker?.endpoints?.addresses).toEqual([{ host: 'broker.example', port: 4711 }]);
  });

  it('tell the address by which they were asked, where they shall; the own one to who does not say it', async () => {
    const broker = await wire.broker({
      advertiseAsAsked: true,
      advertisedAddress: { host: 'broker.example', port: 4711 },
    });
    const client = wire.client(broker);
    const asked = (count: number) => ({
      scheme: AddressScheme.DOMAIN_NAME,
      addresses: Array.from({ length: count }, (_, index) => ({ host: 'tunnel.example', port: 18_081 + index })),
    });
    const told = async (endpoints: ReturnType<typeof asked> | undefined) => {
      const route = await client.call('queryRoute', { topic: resource('t'), endpoints });
      const group = { topic: resource('t'), group: resource('g'), endpoints };
      const { assignments } = await client.call('queryAssignment', group);
      const queues = [...route.messageQueues, ...assignments.map(({ messageQueue }) => messageQueue)];
      return queues.map((queue) => queue?.broker?.endpoints);
    };
    const own = { scheme: AddressScheme.DOMAIN_NAME, addresses: [{ host: 'broker.example', port: 4711 }] };
    // Of eight queues and one assignment.
    const everywhere = (endpoints: typeof own) => Array.from({ length: 9 }, () => endpoints);
    expect(await told(asked(2))).toEqual(everywhere(asked(2)));
    expect(await told(undefined)).toEqual(everywhere(own));
    expect(await told(asked(17))).toEqual(everywhere(own));
  });

  it('assign all queues at once, and each queue of its own to an ordered group', async () => {
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
