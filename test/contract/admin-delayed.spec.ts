import { describe, expect } from '@jest/globals';
import type { DelayedMessage } from 'nestjs-rocketmq/admin';
import { isBefore, seemsBefore } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** All delayed messages of a topic. */
async function delayedOf(world: World, topic: string, limit = 32): Promise<DelayedMessage[]> {
  const all: DelayedMessage[] = [];
  let after: string | undefined;
  do {
    const page = await world.admin().delayedMessages({ topic, limit, after });
    expect(page.failures).toEqual([]);
    all.push(...page.messages);
    after = page.next;
  } while (after !== undefined);
  return all;
}

const bodiesOf = (messages: readonly DelayedMessage[]): string[] => messages.map(({ body }) => body.toString());

/** Older brokers do not let tools read them. */
const suite = seemsBefore('5.3.1') ? describe.skip : describe;

suite('the delayed messages of a cluster', () => {
  contract('are listed with their topic and time until they are delivered, the last sent first', async (world) => {
    const topic = await world.topic('delay');
    const other = await world.topic('delay');
    const producer = await world.producer();
    const sent = { topic, tag: 't', keys: ['k'], properties: { user: 'Ada' } };
    const { messageId } = await producer.send({ ...sent, body: 'soon', delayMs: 25_000 });
    await world.backend.advance(100);
    const deliveryTimestampMs = world.nowMs() + 3_600_000;
    await producer.send({ ...sent, body: 'later', deliverAt: new Date(deliveryTimestampMs) });
    await producer.send({ topic: other, body: 'elsewhere', delayMs: 3_600_000 });
    await world.until('all are listed', async () => {
      return [...(await delayedOf(world, topic)), ...(await delayedOf(world, other))].length === 3;
    });
    const [later, soon] = await delayedOf(world, topic);
    expect(later).toMatchObject({ originTopic: topic, dueTimestampMs: deliveryTimestampMs, tag: 't' });
    expect(soon).toMatchObject({ messageId, keys: ['k'], properties: { user: 'Ada' } });
    expect(bodiesOf(await delayedOf(world, topic, 1))).toEqual(['later', 'soon']);
    await world.backend.advance(27_000);
    await world.until('one is delivered', async () => (await delayedOf(world, topic)).length === 1);
    expect(bodiesOf(await delayedOf(world, topic))).toEqual(['later']);
  });

  contract(
    'are canceled by a handle that is derived from the list, and are then not listed any more',
    async (world) => {
      const topic = await world.topic('delay');
      const producer = await world.producer();
      const receipts = [];
      for (const body of ['a', 'b', 'c']) receipts.push(await producer.send({ topic, body, delayMs: 20_000 }));
      await world.until('all are listed', async () => (await delayedOf(world, topic)).length === 3);
      const listed = await delayedOf(world, topic);
      const own = (handle = ''): string => Buffer.from(handle, 'base64url').toString();
      expect(listed.map(({ recallHandle }) => own(recallHandle)).sort()).toEqual(
        receipts.map(({ recallHandle }) => own(recallHandle)).sort(),
      );
      const [a, b] = [
        listed.find(({ body }) => body.toString() === 'a'),
        listed.find(({ body }) => body.toString() === 'b'),
      ];
      if (a === undefined || b === undefined) throw new Error('not listed');
      await world.admin().recallDelayed(a);
      await producer.recall({ topic, recallHandle: b.recallHandle });
      await world.until('one is left', async () => (await delayedOf(world, topic)).length === 1);
      expect(bodiesOf(await delayedOf(world, topic))).toEqual(['c']);
      const recorder = await world.record({ topic });
      await world.backend.advance(24_000);
      await world.until('it is delivered', () => recorder.deliveries.length > 0);
      await world.backend.quiet();
      expect(recorder.deliveries.map(({ text }) => text)).toEqual(['c']);
      const [c] = listed.filter(({ body }) => body.toString() === 'c');
      const late = world.admin().recallDelayed(c as DelayedMessage);
      await expect(late).rejects.toMatchObject({ code: 'ILLEGAL_OPERATION', outcome: 'rejected', retryable: false });
    },
  );

  contract('cannot be canceled on a broker that is not there', async (world) => {
    const message = { broker: 'nowhere', originTopic: 'orders', recallHandle: 'x' };
    await expect(world.admin().recallDelayed(message)).rejects.toMatchObject({ code: 'UNKNOWN_BROKER' });
  });
});

if (isBefore('5.3.1')) {
  describe('the delayed messages of a cluster that is too old', () => {
    contract('are not listed, and an error says why', async (world) => {
      await expect(world.admin().delayedMessages()).rejects.toMatchObject({ code: 'DELAYED_UNREADABLE' });
    });
  });
}
