// Which producers the servers check, when, and for how long they accept the answer.

import { describe, expect } from '@jest/globals';
import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq/client';
import { toDuration } from '../../libs/rocketmq/src/protocol/grpc/duration.js';
import { TransactionResolution } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { messagesIn } from '../../tools/wire/broker-wire.js';
import { consumerSettings, producerSettings, receiveRequest, resource } from '../../tools/wire/raw-grpc-client.js';
import { CHECK_INTERVAL_MS, FIRST_CHECK_MS, SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { codeOf, halfSent, messageOf } from './support/question.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** A producer that lists the topics and counts its checks without answering. */
async function askedProducer(world: World, ...topics: string[]) {
  const client = world.rawClient();
  const asked: string[] = [];
  const { call } = await client.settle(producerSettings(...topics));
  call.on('data', ({ command }) => {
    if (command?.$case === 'recoverOrphanedTransactionCommand') asked.push(command.value.transactionId);
  });
  return { client, asked };
}

/** Long enough for several checks. */
async function letChecksCome(world: World, count: number, seen: () => number): Promise<void> {
  await world.backend.advanceDuringWork(FIRST_CHECK_MS);
  for (let round = 0; round < count * 4 && seen() < count; round++) {
    await world.backend.advanceDuringWork(CHECK_INTERVAL_MS);
  }
}

describe('transaction checks', () => {
  contract('go in turn to every producer that lists the topic, and to no other', async (world) => {
    const topic = await world.topic('transaction');
    const one = await askedProducer(world, topic);
    const two = await askedProducer(world, topic);
    const stranger = await askedProducer(world, await world.topic('transaction'));
    const half = messageOf(world, topic, { messageType: 4 });
    await stranger.client.call('sendMessage', { messages: [half] });
    // A real server alternates between producers over the checks of all topics, so other cases can take every second check for a while.
    await letChecksCome(world, 8, () => (one.asked.length > 0 && two.asked.length > 0 ? 8 : 0));
    expect(one.asked.length).toBeGreaterThan(0);
    expect(two.asked.length).toBeGreaterThan(0);
    expect(new Set([...one.asked, ...two.asked])).toEqual(new Set([half.systemProperties?.messageId]));
    expect(stranger.asked).toEqual([]);
  });

  contract('come while the local transaction still runs, and any producer may answer', async (world) => {
    const topic = await world.topic('transaction');
    const sender = await askedProducer(world, topic);
    const half = messageOf(world, topic, { messageType: 4 });
    const { entries } = await sender.client.call('sendMessage', { messages: [half] });
    const transactionId = entries[0]?.transactionId ?? '';
    await letChecksCome(world, 1, () => sender.asked.length);
    expect(sender.asked).toContain(transactionId);
    const end = { topic: resource(topic), messageId: transactionId, transactionId, source: 2 };
    const answer = { ...end, resolution: TransactionResolution.COMMIT };
    expect(await codeOf(world.rawClient(), 'endTransaction', answer)).toBe('OK');
    const group = await world.group();
    const reader = world.rawClient();
    await reader.settle(consumerSettings(group));
    const received = messagesIn(await reader.receive(receiveRequest(topic, group)));
    expect(received.map(({ systemProperties }) => systemProperties?.messageId)).toEqual([transactionId]);
  });

  contract(
    'alone end a transaction whose recovery duration is over; other ends say OK and change nothing',
    async (world) => {
      const topic = await world.topic('transaction');
      const { client, asked } = await askedProducer(world, topic);
      const recovery = { orphanedTransactionRecoveryDuration: toDuration(8 * SECOND_MS) };
      const half = messageOf(world, topic, { messageType: 4, ...recovery });
      const { entries } = await client.call('sendMessage', { messages: [half] });
      const transactionId = entries[0]?.transactionId ?? '';
      const commit = { topic: resource(topic), messageId: transactionId, transactionId, resolution: 1 };
      await world.backend.advanceDuringWork(8 * SECOND_MS + SERVER_SLACK_MS);
      await letChecksCome(world, 1, () => asked.length);
      expect(await codeOf(client, 'endTransaction', { ...commit, source: 1 })).toBe('OK');
      const group = await world.group();
      const reader = world.rawClient();
      await reader.settle(consumerSettings(group));
      const poll = { ...receiveRequest(topic, group), longPollingTimeout: toDuration(5 * SECOND_MS) };
      const polling = reader.receive(poll);
      await world.backend.advanceDuringWork(6 * SECOND_MS);
      expect(messagesIn(await polling)).toEqual([]);
      const askedBefore = asked.length;
      await letChecksCome(world, askedBefore + 1, () => asked.length);
      expect(await codeOf(client, 'endTransaction', { ...commit, source: 2 })).toBe('OK');
      const received = messagesIn(await reader.receive(poll));
      expect(received.map(({ systemProperties }) => systemProperties?.messageId)).toEqual([transactionId]);
    },
  );

  contract('an end is taken for 30 s, then the transaction is forgotten', async (world) => {
    const recovery = { orphanedTransactionRecoveryDuration: toDuration(10 * MINUTE_MS) };
    const early = await halfSent(world, recovery);
    const late = await halfSent(world, recovery);
    await world.backend.advanceDuringWork(20 * SECOND_MS);
    const commit = { resolution: TransactionResolution.COMMIT, source: 1 };
    expect(await codeOf(early.client, 'endTransaction', { ...early.end, ...commit })).toBe('OK');
    await world.backend.advanceDuringWork(10 * SECOND_MS + SERVER_SLACK_MS);
    expect(await codeOf(late.client, 'endTransaction', { ...late.end, ...commit })).toBe('INTERNAL_SERVER_ERROR');
  });
});
