// A consumer group that is paused over all its instances: what servers reject, what consumers do, and what is kept of it.

import { describe, expect } from '@jest/globals';
import type { Logger } from 'nestjs-rocketmq/client';
import { RESPONSE_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import { receiveRequest } from '../../tools/wire/raw-grpc-client.js';
import { popOf, sendOf, waitingPullOf } from '../../tools/wire/remoting-requests.js';
import { gate } from '../fixtures/consumer-bench.js';
import { isBefore } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { codeOfReceive, consuming } from './support/question.js';
import { atBroker } from './support/raw-store.js';
import { type Recorder, type RecorderOptions, texts, type World } from './support/world.js';

const contract = contractSuite();

const PAUSE = { reason: 'the bank is away – until 6, "or so"', by: 'ada@desk' };
const REJECTION = 'subscription group no permission';

/** A consumer that looks up why its group is paused. */
function record(world: World, options: RecorderOptions, connection = world.connection()): Promise<Recorder> {
  const admin = world.admin();
  return world.record({ describeGroup: (group, given) => admin.describeGroup(group, given), ...options }, connection);
}

const attempts = ({ deliveries }: Recorder) => deliveries.map(({ text, attempt }) => `${text} ${attempt}`).sort();
const pauseOf = ({ consumer }: Recorder) => consumer.health.groupPause;

describe('a group that is paused', () => {
  contract('is rejected by the broker, a poll that waits too, until it is resumed', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await world.begin(consumerGroup, [topic]);
    const admin = world.admin();
    const pops = !isBefore('5.0.0');
    await atBroker(world, topic, async (ask) => {
      const rejected = { code: RESPONSE_CODES.noPermission, remark: `${REJECTION}, ${consumerGroup}` };
      const pull = () => ask(waitingPullOf({ consumerGroup, topic }));
      const pop = async (pollTime: string) =>
        pops ? ask(popOf({ consumerGroup, topic, pollTime, bornTime: String(Date.now()) })) : rejected;
      const waiting = [pull(), pop('20000')];
      await admin.pauseGroup(consumerGroup, PAUSE);
      await ask(sendOf({ topic, body: 'a' }));
      for (const answer of [...waiting, pull(), pop('0')]) expect(await answer).toMatchObject(rejected);
      await admin.resumeGroup(consumerGroup);
      expect((await pull()).code).toBe(RESPONSE_CODES.success);
    });
  });

  contract.answers(
    'is rejected by a proxy with the words of the broker',
    'INTERNAL_SERVER_ERROR',
    async (world) => {
      const { topic, group, client } = await consuming(world);
      await world.admin().pauseGroup(group, PAUSE);
      return codeOfReceive(client, receiveRequest(topic, group));
    },
    [REJECTION],
  );

  contract('handles nothing in any instance, goes on by itself, and keeps what it holds', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const admin = world.admin();
    const lines: string[] = [];
    const note = (text: string): void => void lines.push(text);
    const logger: Logger = { debug: () => {}, info: note, warn: note, error: note };
    const held = gate();
    const handle = async ({ text }: { text: string }) => (text === 'held' ? held.opened : undefined);
    const running = await record(world, { topic, consumerGroup, handle }, world.connection({ logger }));
    const producer = await world.producer();
    await producer.send({ topic, body: 'held' });
    await world.until('it is handled', () => running.deliveries.length === 1);

    await admin.pauseGroup(consumerGroup, PAUSE);
    for (const body of ['one', 'two']) await producer.send({ topic, body });
    await world.until('the consumer knows', () => pauseOf(running)?.reason !== undefined);
    held.open();
    await world.until('what had begun is settled', () => running.consumer.health.unsettled === 0);
    const late = await record(world, { topic, consumerGroup });
    await world.until('one that starts knows, too', () => pauseOf(late)?.reason !== undefined);
    expect(pauseOf(late)).toEqual({ ...PAUSE, sinceMs: expect.any(Number) });
    expect([texts(running.deliveries), late.deliveries]).toEqual([['held'], []]);
    expect(running.consumer.health.topics.map(({ error }) => error)).toEqual([undefined]);

    await admin.resumeGroup(consumerGroup);
    const all = () => [...attempts(running), ...attempts(late)].sort();
    await world.until('the others come', () => all().length >= 3);
    await world.until('both know', () => [running, late].every((one) => pauseOf(one) === undefined));
    await world.backend.quiet();
    expect(all()).toEqual(['held 1', 'one 1', 'two 1']);
    expect(lines.filter((text) => /pause|resume|fail/.test(text))).toEqual([
      expect.stringContaining(`npx nestjs-rocketmq group resume ${consumerGroup}`),
      'the consumer group is resumed',
    ]);
  });

  contract('keeps retries until it is resumed', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const admin = world.admin();
    const failing = gate();
    const recorder = await record(world, {
      topic,
      consumerGroup,
      backoff: { kind: 'customized', nextMs: [1_000] },
      handle: async ({ text, attempt }) => {
        if (text !== 'a' || attempt > 1) return;
        await failing.opened;
        throw new Error('the bank is away');
      },
    });
    const producer = await world.producer();
    await producer.send({ topic, body: 'a' });
    await world.until('it is handled', () => recorder.deliveries.length === 1);
    await admin.pauseGroup(consumerGroup, PAUSE);
    // Ends the poll that waits.
    await producer.send({ topic, body: 'b' });
    await world.until('the consumer knows', () => pauseOf(recorder)?.reason !== undefined);
    failing.open();
    await world.backend.advance(15_000);
    expect(attempts(recorder)).toEqual(['a 1']);
    await admin.resumeGroup(consumerGroup);
    await world.until('it is retried', () => recorder.deliveries.length === 3);
    expect(attempts(recorder)).toEqual(['a 1', 'a 2', 'b 1']);
  });

  contract('keeps the order of an ordered group', async (world) => {
    const [topic, consumerGroup] = [await world.topic('fifo'), await world.group({ fifo: true })];
    const admin = world.admin();
    const recorder = await record(world, { topic, consumerGroup });
    const producer = await world.producer();
    const send = (body: string) => producer.send({ topic, body, messageGroup: 'g' });
    await send('1');
    await world.until('it is handled', () => recorder.deliveries.length === 1);
    await admin.pauseGroup(consumerGroup, PAUSE);
    for (const body of ['2', '3']) await send(body);
    await world.until('the consumer knows', () => pauseOf(recorder) !== undefined);
    await admin.resumeGroup(consumerGroup);
    await world.until('all come', () => recorder.deliveries.length >= 3);
    await world.backend.quiet();
    expect([texts(recorder.deliveries), attempts(recorder)]).toEqual([
      ['1', '2', '3'],
      ['1 1', '2 1', '3 1'],
    ]);
  });

  contract('fails a receive of a simple consumer with a code of its own', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const consumer = await world.simpleConsumer(topic, consumerGroup);
    await world.admin().pauseGroup(consumerGroup, PAUSE);
    await expect(consumer.receive({ maxMessages: 1 })).rejects.toMatchObject({
      code: 'GROUP_PAUSED',
      outcome: 'rejected',
      retryable: true,
      message: expect.stringContaining('the consumer group is paused'),
    });
  });

  contract('is described with its pause, and keeps it when it is altered', async (world) => {
    const [consumerGroup, other] = [await world.group({ maxDeliveryAttempts: 5 }), await world.group()];
    const admin = world.admin();
    const paused = { ...PAUSE, sinceMs: expect.any(Number) };
    expect((await admin.describeGroup(consumerGroup))?.pause).toBeUndefined();
    await admin.pauseGroup(consumerGroup, { reason: 'an earlier one', by: 'bob' });
    await admin.pauseGroup(consumerGroup, PAUSE);
    await admin.createGroup({ consumerGroup, maxDeliveryAttempts: 7 }, { ifExists: 'update' });
    const described = await admin.describeGroup(consumerGroup);
    expect(described).toMatchObject({ pause: paused, maxDeliveryAttempts: 7 });
    expect(described?.brokers.map(({ isPaused }) => isPaused)).toEqual([true]);
    const { groups } = await admin.listGroups();
    const found = (name: string) => groups.find((one) => one.consumerGroup === name)?.pause;
    expect([found(consumerGroup), found(other)]).toEqual([paused, undefined]);
    await admin.resumeGroup(consumerGroup);
    await admin.resumeGroup(consumerGroup);
    const resumed = await admin.describeGroup(consumerGroup);
    expect(resumed).toMatchObject({ pause: undefined, maxDeliveryAttempts: 7 });
    await admin.pauseGroup(consumerGroup, PAUSE);
    await admin.deleteGroup(consumerGroup);
    await admin.createGroup({ consumerGroup });
    expect((await admin.describeGroup(consumerGroup))?.pause).toBeUndefined();
  });

  contract('must exist', async (world) => {
    const [admin, name] = [world.admin(), world.name()];
    const unknown = { code: 'UNKNOWN_GROUP', outcome: 'not-sent', field: 'consumerGroup' };
    await expect(admin.pauseGroup(name, PAUSE)).rejects.toMatchObject(unknown);
    await expect(admin.resumeGroup(name)).rejects.toMatchObject(unknown);
    expect(await admin.describeGroup(name)).toBeUndefined();
  });
});
