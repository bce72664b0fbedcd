import { describe, expect } from '@jest/globals';
import { SECOND_MS } from '../../libs/rocketmq/src/support/clock.js';
import { gate } from '../fixtures/consumer-bench.js';
import { MemoryStore } from '../fixtures/limit-store.js';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();

describe('backpressure', () => {
  contract('a producer that may have few messages under way sends all the same', async (world) => {
    const topic = await world.topic();
    const recorder = await world.record({ topic });
    const producer = await world.producer({ maxInFlight: 2, maxInFlightBytes: 8 });
    const bodies = Array.from({ length: 20 }, (_, index) => `message ${index}`);
    await Promise.all(bodies.map((body) => producer.send({ topic, body })));
    await world.until('all arrive', () => recorder.deliveries.length === bodies.length);
    expect(texts(recorder.deliveries).sort()).toEqual([...bodies].sort());
  });

  contract('a message that is rejected for want of room never arrives', async (world) => {
    const topic = await world.topic();
    const recorder = await world.record({ topic });
    const producer = await world.producer({ maxInFlight: 1, whenFull: 'reject' });
    const sends = await Promise.allSettled(['a', 'b'].map((body) => producer.send({ topic, body })));
    expect(sends).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'TOO_MANY_IN_FLIGHT', outcome: 'not-sent' } },
    ]);
    await producer.send({ topic, body: 'c' });
    await world.until('two arrive', () => recorder.deliveries.length === 2);
    await world.backend.quiet();
    expect(texts(recorder.deliveries).sort()).toEqual(['a', 'c']);
  });

  contract('a handler with a rate limit is given no more in any such time, and all in the end', async (world) => {
    const topic = await world.topic();
    const rateLimit = { max: 4, perMs: SECOND_MS };
    const producer = await world.producer();
    const recorder = await world.record({ topic, rateLimit });
    const bodies = Array.from({ length: 14 }, (_, index) => `message ${index}`);
    await Promise.all(bodies.map((body) => producer.send({ topic, body })));
    await world.until('some arrive', () => recorder.deliveries.length >= rateLimit.max);
    await world.backend.advance(3 * SECOND_MS + 500);
    await world.until('all arrive', () => recorder.deliveries.length === bodies.length);
    const apart = recorder.deliveries.slice(4).map(({ atMs }, index) => atMs - (recorder.deliveries[index]?.atMs ?? 0));
    // The limit goes by another clock than the record.
    expect(Math.min(...apart)).toBeGreaterThan(SECOND_MS - 50);
    expect(texts(recorder.deliveries).sort()).toEqual([...bodies].sort());
  });

  contract('no more handlers run at once in all instances of a group than it may have', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    const limitStore = new MemoryStore(() => world.nowMs());
    const { opened, open } = gate();
    let [running, most] = [0, 0];
    const handle = async (): Promise<void> => {
      running++;
      most = Math.max(most, running);
      await opened;
      running--;
    };
    const options = { topic, consumerGroup, groupConcurrency: 3, limitStore, handle };
    const producer = await world.producer();
    const recorders = [await world.record(options), await world.record(options)];
    const deliveries = () => recorders.flatMap((recorder) => recorder.deliveries);
    const bodies = Array.from({ length: 12 }, (_, index) => `message ${index}`);
    await Promise.all(bodies.map((body) => producer.send({ topic, body })));
    await world.until('as many run as may', () => running === 3);
    await world.backend.advanceDuringWork(4 * SECOND_MS);
    expect(deliveries()).toHaveLength(3);
    open();
    // An instance that has to wait for long releases what it holds, for 10 s.
    await world.backend.advanceDuringWork(12 * SECOND_MS);
    await world.until('all arrive', () => deliveries().length === bodies.length);
    expect(most).toBe(3);
    expect(texts(deliveries()).sort()).toEqual([...bodies].sort());
  });
});
