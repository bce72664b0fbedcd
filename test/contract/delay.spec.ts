import { describe, expect } from '@jest/globals';
import { delayLevelMs, MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq/client';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();

/** The real server rounds due times down to whole seconds and scans a slot early. */
const PRECISION_MS = 2 * SECOND_MS;

describe('delay', () => {
  contract('a delayed message is not delivered before its time', async (world) => {
    const topic = await world.topic('delay');
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    const sentAtMs = world.nowMs();
    await producer.send({ topic, body: 'later', delayMs: 6 * SECOND_MS });
    await world.backend.advance(6 * SECOND_MS - PRECISION_MS - SECOND_MS);
    await world.backend.quiet();
    const early = recorder.deliveries.length;
    await world.backend.advance(PRECISION_MS + SECOND_MS);
    await world.until('it is delivered', () => recorder.deliveries.length === 1);
    expect(recorder.deliveries[0]?.atMs).toBeGreaterThanOrEqual(sentAtMs + 6 * SECOND_MS - PRECISION_MS);
    expect(early).toBe(0);
  });

  contract('a message due at a point of time keeps it, and one that is due already comes at once', async (world) => {
    const topic = await world.topic('delay');
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    const deliverAt = new Date(world.nowMs() + 3 * SECOND_MS);
    await producer.send({ topic, body: 'in time', deliverAt });
    await producer.send({ topic, body: 'at once', deliverAt: new Date(world.nowMs() - MINUTE_MS) });
    await world.until('the due one is delivered', () => texts(recorder.deliveries).includes('at once'));
    await world.backend.advance(3 * SECOND_MS);
    await world.until('both are delivered', () => recorder.deliveries.length === 2);
    expect(texts(recorder.deliveries)).toEqual(['at once', 'in time']);
    expect(recorder.deliveries[1]?.message.deliveryTimestampMs).toBe(deliverAt.getTime());
  });

  contract('a delay level is its time', async (world) => {
    const topic = await world.topic('delay');
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    await producer.send({ topic, body: 'level 2', delayMs: delayLevelMs(2) });
    await world.backend.advance(delayLevelMs(2));
    await world.until('it is delivered', () => recorder.deliveries.length === 1);
    expect(delayLevelMs(2)).toBe(5 * SECOND_MS);
  });

  contract('a delay that is no level is rounded up where a broker knows levels only', async (world) => {
    const topic = await world.topic('delay');
    const producer = await world.producer({ delayLevels: 'round-up' });
    const recorder = await world.record({ topic });
    const sentAtMs = world.nowMs();
    await producer.send({ topic, body: 'later', delayMs: 4 * SECOND_MS });
    await world.backend.advance(delayLevelMs(2));
    await world.until('it is delivered', () => recorder.deliveries.length === 1);
    expect(recorder.deliveries[0]?.atMs).toBeGreaterThanOrEqual(sentAtMs + 4 * SECOND_MS - PRECISION_MS);
  });

  contract('a delay that is no level is made of several where a broker knows levels only', async (world) => {
    const topic = await world.topic('delay');
    const delayLevels = { topic: await world.topic('normal'), consumerGroup: await world.group() };
    const producer = await world.producer({ delayLevels });
    await producer.start();
    const recorder = await world.record({ topic });
    const sentAtMs = world.nowMs();
    const message = { topic, body: 'later', tag: 'paid', keys: ['one', 'two'], properties: { region: 'eu' } };
    const { messageId } = await producer.send({ ...message, delayMs: 7 * SECOND_MS });
    await world.backend.advance(7 * SECOND_MS - PRECISION_MS - SECOND_MS);
    await world.backend.quiet();
    const early = recorder.deliveries.length;
    await world.backend.advance(PRECISION_MS + SECOND_MS);
    await world.until('it is delivered', () => recorder.deliveries.length === 1);
    const { tag, keys, properties, body } = message;
    expect(recorder.deliveries[0]?.message).toMatchObject({ messageId, topic, tag, keys, properties });
    expect(recorder.deliveries[0]?.message.body.toString()).toBe(body);
    expect(Object.keys(recorder.deliveries[0]?.message.properties ?? {})).toEqual(['region']);
    expect(recorder.deliveries[0]?.atMs).toBeGreaterThanOrEqual(sentAtMs + 7 * SECOND_MS - PRECISION_MS);
    expect(early).toBe(0);
  });

  contract('a recalled message is not delivered', async (world) => {
    const topic = await world.topic('delay');
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    const recalled = await producer.send({ topic, body: 'recalled', delayMs: 8 * SECOND_MS });
    await producer.send({ topic, body: 'kept', delayMs: 8 * SECOND_MS });
    expect(recalled.recallHandle).toBeDefined();
    const answer = await producer.recall({ topic, recallHandle: recalled.recallHandle ?? '' });
    expect(answer.messageId).toBe(recalled.messageId);
    await world.backend.advance(8 * SECOND_MS);
    await world.until('the other one is delivered', () => recorder.deliveries.length > 0);
    await world.backend.advance(SERVER_SLACK_MS);
    expect(texts(recorder.deliveries)).toEqual(['kept']);
  });
});
