// A broker whose time stands still until it is moved, and clients of the remoting protocol: what waits for the time, and what does not.

import { afterEach, describe, expect, it } from '@jest/globals';
import { TimeBench } from '../../../../../test/fixtures/time-bench.js';
import { soon } from '../../../../../tools/until.js';
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
import { decodeStoredMessages, offsetInMessageId } from '../../protocol/remoting/stored-message.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { realSleep } from '../../support/deadline.js';

let bench: TimeBench;
const clients: RawRemotingClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await bench?.close();
});

const start = async (): Promise<TimeBench> => {
  const topics = [
    { name: 'orders', queues: 1 },
    { name: 'due', type: 'delay' as const },
  ];
  const own = { topics, groups: [{ name: 'shop' }] };
  bench = await TimeBench.startByRemoting({ timeTravel: false, manualClock: true, ...own });
  return bench;
};

async function connect(): Promise<RawRemotingClient> {
  const client = await RawRemotingClient.connect(bench.broker.nameServerEndpoint);
  clients.push(client);
  return client;
}

describe('on a broker with a manual clock, by remoting,', () => {
  it.each([
    ['a delay level', { DELAY: '18' }, 2 * HOUR_MS],
    ['a timer', { TIMER_DELAY_MS: String(HOUR_MS) }, HOUR_MS],
  ])('%s ends when the time is moved, and wakes the pull that waits', async (_, properties, delayMs) => {
    const { control } = await start();
    const [producer, consumer] = [await connect(), await connect()];
    await producer.ask(sendOf({ properties: properties as Record<string, string> }));
    const waiting = consumer.ask(waitingPullOf());
    await control.advanceTime({ byMs: delayMs - 1 });
    expect((await consumer.ask(pullOf())).code).toBe(19);
    await control.advanceTime({ byMs: 1 });
    expect(textsOf(await waiting)).toEqual(['x']);
  });

  it('a message that was sent back is retried when the time is moved, each time anew', async () => {
    const { control } = await start();
    const client = await connect();
    await client.ask(heartbeatOf('c'));
    await client.ask(sendOf());
    const [first] = decodeStoredMessages((await client.ask(pullOf())).body);
    await client.ask(sendBackOf(first?.commitLogOffset ?? 0, 0));
    const retries = (fields = {}) => client.ask(pullOf({ topic: '%RETRY%shop', ...fields }));
    const { due } = await control.time();
    expect(due).toMatchObject([{ kind: 'delayed', topic: '%RETRY%shop' }]);
    await control.advanceTime({ byMs: 10 * SECOND_MS });
    const [second] = decodeStoredMessages((await retries()).body);
    expect(second?.reconsumeTimes).toBe(1);
    await client.ask(sendBackOf(second?.commitLogOffset ?? 0, 0));
    await control.advanceTime({ byMs: HOUR_MS });
    const [third] = decodeStoredMessages((await retries({ queueOffset: '1' })).body);
    expect(third?.reconsumeTimes).toBe(2);
  });

  it('the lease of a pop ends with the time, which waits for its consumer, unless it has gone', async () => {
    const { control } = await start();
    const client = await connect();
    await client.ask(heartbeatOf('c'));
    await client.ask(sendOf());
    await client.ask(popOf());
    const moved = control.advanceTime({ byMs: MINUTE_MS });
    await expect(moved).rejects.toMatchObject({
      code: 'NOT_QUIET',
      message: expect.stringContaining('at a consumer of group shop (client c'),
    });
    client.close();
    await soon(async () => (await control.clients()).items.length === 0);
    await control.advanceTime({ byMs: MINUTE_MS });
    const [again] = decodeStoredMessages((await (await connect()).ask(popOf())).body);
    expect(again?.reconsumeTimes).toBe(1);
  });

  it('the lock of a consumer that has gone ends with the time, and that of one that is there does not', async () => {
    const { control } = await start();
    const [first, second] = [await connect(), await connect()];
    const lock = async (client: RawRemotingClient, clientId: string) => {
      const mqSet = [{ topic: 'orders', brokerName: 'embedded', queueId: 0 }];
      const body = Buffer.from(JSON.stringify({ consumerGroup: 'shop', clientId, mqSet }));
      return JSON.parse(String((await client.ask({ code: 41, body })).body)).lockOKMQSet.length;
    };
    await first.ask(heartbeatOf('first'));
    await second.ask(heartbeatOf('second'));
    expect([await lock(first, 'first'), await lock(second, 'second')]).toEqual([1, 0]);
    await control.advanceTime({ byMs: HOUR_MS });
    expect(await lock(second, 'second')).toBe(0);
    expect(await lock(first, 'first')).toBe(1);
    first.close();
    await soon(async () => (await control.clients()).items.length === 1);
    await control.advanceTime({ byMs: MINUTE_MS - 1 });
    expect(await lock(second, 'second')).toBe(0);
    await control.advanceTime({ byMs: 1 });
    expect(await lock(second, 'second')).toBe(1);
  });

  it('a half message is checked when the time is moved', async () => {
    const { control } = await start();
    const producer = await connect();
    await producer.ask(heartbeatOf('c'));
    const half = { TRAN_MSG: 'true', PGROUP: 'pg' };
    const born = { g: String((await control.time()).nowMs) };
    const sent = await producer.ask(sendOf({ properties: half, fields: { f: '4', ...born } }));
    const checks = () => producer.requests.filter(({ code }) => code === 39);
    await control.advanceTime({ byMs: 6 * SECOND_MS });
    await soon(() => checks().length === 1);
    const place = { commitLogOffset: String(offsetInMessageId(sent.fields.msgId ?? '')), tranStateTableOffset: '0' };
    const { transactionId = '' } = sent.fields;
    const fields = {
      producerGroup: 'pg',
      commitOrRollback: '8',
      fromTransactionCheck: 'true',
      transactionId,
      ...place,
    };
    await producer.ask({ code: 37, fields });
    expect(textsOf(await producer.ask(pullOf()))).toEqual(['x']);
  });

  it('time moves on when the producer has answered a check, so that none of the next ones gives the message up', async () => {
    const { control } = await start();
    const producer = await connect();
    await producer.ask(heartbeatOf('c'));
    const half = { TRAN_MSG: 'true', PGROUP: 'pg' };
    const born = { g: String((await control.time()).nowMs) };
    const { fields } = await producer.ask(sendOf({ properties: half, fields: { f: '4', ...born } }));
    const end = {
      producerGroup: 'pg',
      fromTransactionCheck: 'true',
      transactionId: fields.transactionId ?? '',
      commitLogOffset: String(offsetInMessageId(fields.msgId ?? '')),
      tranStateTableOffset: '0',
    };
    const checks = () => producer.requests.filter(({ code }) => code === 39).length;
    const answers = async () => {
      for (const [index, commitOrRollback] of ['0', '0', '8'].entries()) {
        await soon(() => checks() > index);
        await realSleep(60);
        const request = { code: 37, fields: { ...end, commitOrRollback } };
        if (commitOrRollback === '0') producer.sendOneWay(request);
        else await producer.ask(request);
      }
    };
    await Promise.all([control.advanceTime({ byMs: HOUR_MS }), answers()]);
    expect(checks()).toBe(3);
    expect(textsOf(await producer.ask(pullOf()))).toEqual(['x']);
  });

  it('a client of this library handles what becomes due on the way, in its order', async () => {
    const { control } = await start();
    const handled: string[] = [];
    await bench.pushConsumer({
      consumerGroup: 'shop',
      subscriptions: [{ topic: 'orders' }, { topic: 'due' }],
      handler: async ({ body, deliveryAttempt }) => {
        handled.push(`${body} ${deliveryAttempt}`);
        if (deliveryAttempt < 3) throw new Error('not yet');
      },
    });
    const producer = await bench.producer();
    await producer.send({ topic: 'orders', body: 'now' });
    await soon(() => handled.length === 1);
    await producer.send({ topic: 'due', body: 'later', delayMs: 30 * MINUTE_MS });
    await control.advanceTime({ byMs: HOUR_MS });
    expect(handled).toEqual(['now 1', 'now 2', 'now 3', 'later 1', 'later 2', 'later 3']);
    expect((await control.time()).due).toEqual([]);
  });
});
