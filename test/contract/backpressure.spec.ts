import { describe, expect } from '@jest/globals';
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

  contract('a message that is refused for want of room never arrives', async (world) => {
    const topic = await world.topic();
    const recorder = await world.record({ topic });
    const producer = await world.producer({ maxInFlight: 1, whenFull: 'refuse' });
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
});
