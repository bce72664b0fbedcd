// What a consumer of the remoting protocol that pulls can notice, frame by frame.

import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire } from '../../../../../tools/wire/broker-wire.js';
import { RawRemotingClient } from '../../../../../tools/wire/raw-remoting-client.js';
import { pullOf, sendOf, textsOf } from '../../../../../tools/wire/remoting-requests.js';

const wire = new BrokerWire();
const clients: RawRemotingClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await wire.close();
});

async function clientOf(strict: boolean): Promise<RawRemotingClient> {
  const broker = await wire.broker({ nameServerPort: 0, strict, topics: [{ name: 'orders', queues: 2 }] });
  const client = await RawRemotingClient.connect(broker.nameServerEndpoint);
  clients.push(client);
  return client;
}

describe('a pull', () => {
  it('of DefaultLitePullConsumer is answered like any other', async () => {
    const client = await clientOf(false);
    await client.ask(sendOf({ body: 'first' }));
    const answer = await client.ask({ ...pullOf(), code: 361 });
    expect(answer).toMatchObject({ code: 0, fields: { nextBeginOffset: '1' } });
    expect(textsOf(answer)).toEqual(['first']);
  });

  it('needs no heartbeat before it: it creates its group, unless the broker is strict', async () => {
    const lenient = await clientOf(false);
    await lenient.ask(sendOf({ body: 'first' }));
    expect(textsOf(await lenient.ask(pullOf({ consumerGroup: 'new' })))).toEqual(['first']);
    const position = { consumerGroup: 'new', topic: 'orders', queueId: '0' };
    expect((await lenient.ask({ code: 15, fields: { ...position, commitOffset: '1' } })).code).toBe(0);
    expect(await lenient.ask({ code: 14, fields: position })).toMatchObject({ code: 0, fields: { offset: '1' } });
    expect((await (await clientOf(true)).ask(pullOf({ consumerGroup: 'new' }))).code).toBe(26);
  });
});
