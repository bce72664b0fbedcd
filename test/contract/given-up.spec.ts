// Half messages that the server gives up after its checks: the exception to "visible if and only if the transaction committed".

import { describe, expect } from '@jest/globals';
import type { GivenUpHalfMessage, RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { currentLocalTransaction, type Resolution } from 'nestjs-rocketmq/client';
import { CHECK_INTERVAL_MS, FIRST_CHECK_MS, SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();

/** The server counts checks in this property and trusts the producer's value, so that the first check exceeds the limit. */
const CHECKED_OFTEN = { TRANSACTION_CHECK_TIMES: '1000' };

/** A half message that the server gave up because no producer answered its checks. */
async function givenUp(world: World) {
  const topic = await world.topic('transaction');
  const recorder = await world.record({ topic });
  const checker = { answer: 'unknown' as Resolution | 'unknown', asked: 0 };
  const producer = await world.producer({
    transactionCheckers: {
      [topic]: () => {
        checker.asked++;
        return checker.answer;
      },
    },
  });
  let messageId = '';
  const message = { topic, body: 'half', keys: ['order-1'], properties: { ...CHECKED_OFTEN, own: '1' } };
  const failing = producer.transact({ message }, async () => {
    ({ messageId } = currentLocalTransaction());
    throw new Error('nobody knows how it ended');
  });
  await expect(failing).rejects.toThrow('nobody knows');
  await world.backend.advance(FIRST_CHECK_MS + CHECK_INTERVAL_MS + SERVER_SLACK_MS);
  const admin = world.admin();
  let found: GivenUpHalfMessage | undefined;
  await world.until('it is given up', async () => {
    found = (await allGivenUp(admin)).find((one) => one.messageId === messageId);
    return found !== undefined;
  });
  return { topic, recorder, checker, admin, messageId, found: found as GivenUpHalfMessage };
}

async function allGivenUp(admin: RocketMQAdmin): Promise<GivenUpHalfMessage[]> {
  const all: GivenUpHalfMessage[] = [];
  let after: string | undefined;
  do {
    const page = await admin.givenUpHalfMessages({ limit: 100, after });
    all.push(...page.messages);
    after = page.next;
  } while (after !== undefined);
  return all;
}

describe('a half message that was given up', () => {
  contract('is kept where administrators see it, with its topic, and is not delivered', async (world) => {
    const { topic, recorder, checker, found, messageId } = await givenUp(world);
    const askedBefore = checker.asked;
    checker.answer = 'commit';
    await world.backend.advance(CHECK_INTERVAL_MS + SERVER_SLACK_MS);
    expect([texts(recorder.deliveries), checker.asked - askedBefore]).toEqual([[], 0]);
    expect(found).toMatchObject({ originTopic: topic, keys: ['order-1'], messageId });
    expect([found.properties.own, found.properties.__transactionId__, found.body.toString()]).toEqual([
      '1',
      messageId,
      'half',
    ]);
  });

  contract(
    'is asked about again when its checks are resumed, and delivered when the answer is commit',
    async (world) => {
      const { recorder, checker, admin, found, messageId } = await givenUp(world);
      checker.answer = 'commit';
      await admin.resumeHalfMessage(found);
      await world.backend.advance(FIRST_CHECK_MS + CHECK_INTERVAL_MS + SERVER_SLACK_MS);
      await world.until('it is delivered', () => recorder.deliveries.length > 0);
      expect(recorder.deliveries[0]).toMatchObject({ text: 'half', message: { messageId, keys: ['order-1'] } });
      // The copy in the given-up topic stays.
      expect((await allGivenUp(admin)).filter((one) => one.messageId === messageId)).toHaveLength(1);
    },
  );

  contract('is dropped when its checks are resumed and the answer is rollback', async (world) => {
    const { recorder, checker, admin, found } = await givenUp(world);
    const askedBefore = checker.asked;
    checker.answer = 'rollback';
    await admin.resumeHalfMessage(found);
    await world.backend.advance(FIRST_CHECK_MS + CHECK_INTERVAL_MS + SERVER_SLACK_MS);
    await world.until('the server has asked', () => checker.asked > askedBefore);
    await world.backend.advance(CHECK_INTERVAL_MS + SERVER_SLACK_MS);
    expect(texts(recorder.deliveries)).toEqual([]);
  });

  contract('cannot be resumed by the name of another broker, nor where nothing lies', async (world) => {
    const { admin, found } = await givenUp(world);
    await expect(admin.resumeHalfMessage({ ...found, broker: 'elsewhere' })).rejects.toMatchObject({
      code: 'UNKNOWN_BROKER',
    });
    const nowhere = { ...found, offsetMessageId: `${found.offsetMessageId.slice(0, 16)}7FFFFFFFFFFFFFF0` };
    await expect(admin.resumeHalfMessage(nowhere)).rejects.toThrow('RMQ_SYS_TRANS_HALF_TOPIC');
  });
});
