import { describe, expect } from '@jest/globals';
import { seemsBefore } from './support/backend.js';
import { contractSuite } from './support/contract.js';

const contract = contractSuite();

describe('the clients of a group', () => {
  contract('are none when none is connected', async (world) => {
    const consumerGroup = await world.group();
    const nothing = { clients: [], subscriptions: [], differences: undefined, failures: [] };
    await expect(world.admin().groupClients(consumerGroup)).resolves.toEqual({ consumerGroup, ...nothing });
    await expect(world.admin().groupClients(world.name())).resolves.toMatchObject(nothing);
  });

  contract('are listed with the subscriptions of the group, until they disconnect', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    const first = await world.record({ topic, consumerGroup, filter: 'x || y' });
    const second = await world.record({ topic, consumerGroup, filter: 'x || y' });
    const group = await world.admin().groupClients(consumerGroup);
    expect(group.clients).toHaveLength(2);
    // Older brokers do not know the language.
    const language = seemsBefore('5.3.2') ? 'OTHER' : 'NODE_JS';
    for (const client of group.clients) {
      expect(client).toMatchObject({ language, subscriptions: undefined, brokers: [expect.any(String)] });
      expect(client.address).toMatch(/^\S+:\d+$/);
    }
    expect(group.subscriptions).toEqual([{ topic, kind: 'tag', expression: 'x || y' }]);
    await first.consumer.close();
    expect((await world.admin().groupClients(consumerGroup)).clients).toHaveLength(1);
    await second.consumer.close();
    expect((await world.admin().groupClients(consumerGroup)).clients).toEqual([]);
  });

  contract('are listed with SQL filters', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    await world.record({ topic, consumerGroup, filter: { kind: 'sql', expression: 'a > 1' } });
    const group = await world.admin().groupClients(consumerGroup);
    expect(group.subscriptions).toEqual([{ topic, kind: 'sql', expression: 'a > 1' }]);
  });

  contract('report what they are doing: their running handlers, and no content of messages', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const recorder = await world.record({ topic, consumerGroup, handle: () => released });
    const { clientId } = recorder.consumer;
    const producer = await world.producer();
    const sent = { topic, body: 'secret body', keys: ['secret-key'], properties: { name: 'secret property' } };
    const { messageId } = await producer.send(sent);
    await world.until('the handler runs', () => recorder.deliveries.length === 1);
    const report = (await world.admin().describeClient(consumerGroup, clientId)) ?? '';
    release();
    expect(report).toContain(`client: ${clientId}\n`);
    expect(report).toContain(`consumer group: ${consumerGroup}\n`);
    expect(report).toMatch(/^running handlers: 1\n {2}.*, attempt 1, for \d+ ms$/m);
    expect(report).toContain(`message ${messageId} from "${topic}"`);
    expect(report).toMatch(/^active resources: \w+ \d+/m);
    expect(report).not.toContain('secret');
    await expect(world.admin().describeClient(consumerGroup, world.name())).resolves.toBeUndefined();
  });

  contract('that do not subscribe alike are named', async (world) => {
    const [topic, other] = [await world.topic(), await world.topic()];
    const consumerGroup = await world.group();
    const differences = async () => {
      const group = await world.admin().groupClients(consumerGroup, { compareMembers: true });
      return group.differences?.map(({ topic: name, members }) => ({
        topic: name,
        expressions: members.map(({ subscription }) => subscription?.expression ?? 'none').sort(),
      }));
    };
    await world.record({ topic, consumerGroup, filter: 'a||b' });
    expect(await differences()).toBeUndefined();
    await world.record({ topic, consumerGroup, filter: 'b || a' });
    expect(await differences()).toEqual([]);
    await world.record({ topic: other, consumerGroup });
    const expected = [
      { topic, expressions: ['a||b', 'b || a', 'none'] },
      { topic: other, expressions: ['*', 'none', 'none'] },
    ];
    expect(await differences()).toEqual(expected.sort((left, right) => (left.topic < right.topic ? -1 : 1)));
  });
});
