// The trail of messages that clients of the remoting protocol sent, pulled and sent back. What a real server keeps of them is the same.

import { afterEach, expect, it } from '@jest/globals';
import { BrokerWire } from '../../../../../tools/wire/broker-wire.js';
import { RawRemotingClient } from '../../../../../tools/wire/raw-remoting-client.js';
import { heartbeatOf, pullOf, sendBackOf, sendOf } from '../../../../../tools/wire/remoting-requests.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import { decodeStoredMessages } from '../../protocol/remoting/stored-message.js';
import { ManualClock } from '../../support/manual-clock.js';

const wire = new BrokerWire();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await wire.close();
});

it('shows where a message was sent from, who has read it, its retries and its dead letter', async () => {
  const clock = new ManualClock();
  const groups = [{ name: 'shop' }, { name: 'behind' }];
  const broker = await wire.broker({ clock, nameServerPort: 0, topics: [{ name: 'orders', queues: 1 }], groups });
  const client = await RawRemotingClient.connect(broker.nameServerEndpoint);
  closers.push(() => client.close());
  const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  await client.ask(heartbeatOf('c'));
  await client.ask(sendOf({ body: 'poison', properties: { UNIQ_KEY: 'the-id', KEYS: 'k' } }));
  await client.ask(pullOf({ consumerGroup: 'behind', sysFlag: '5', commitOffset: '0' }));
  const sendBack = async (topic: string) => {
    const [message] = decodeStoredMessages((await client.ask(pullOf({ topic }))).body);
    await client.ask(sendBackOf(message?.commitLogOffset ?? 0, 1, 1));
    const where = { consumerGroup: 'shop', topic, queueId: '0', commitOffset: '1' };
    await client.ask({ code: 15, fields: where });
    clock.advanceTo(clock.nowMs() + 1_000);
  };
  await sendBack('orders');
  await sendBack('%RETRY%shop');
  const trail = await admin.messageTrail({ topic: 'orders', messageId: 'the-id' });
  expect(trail).toMatchObject({ halfMessages: [], delayed: [], mayBeMore: false, gaps: [], failures: [] });
  // By which the control port lists its sender.
  const [{ address: bornHost } = {}] = (await broker.control.clients()).items;
  expect(trail.stored).toMatchObject([{ messageId: 'the-id', keys: ['k'], bornHost }]);
  expect(bornHost).toMatch(/^127\.0\.0\.1:\d+$/);
  const [behind, shop] = trail.groups;
  expect(behind).toMatchObject({ consumerGroup: 'behind', copies: [{ isPassed: false }], retries: [] });
  expect(shop).toMatchObject({
    consumerGroup: 'shop',
    copies: [{ isPassed: true }],
    retries: [{ topic: '%RETRY%shop', attempt: 2, isPassed: true }],
    deadLetters: [{ topic: '%DLQ%shop', messageId: 'the-id' }],
  });
});
