import { describe, expect } from '@jest/globals';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();

describe('stopping', () => {
  contract('a graceful stop finishes what runs, hands back the rest, and loses nothing', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group();
    const sent = Array.from({ length: 20 }, (_, index) => `message ${index}`);
    for (const body of sent) await producer.send({ topic, body });
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = await world.record({ topic, consumerGroup, concurrency: 2, handle: () => released });
    await world.until('two handlers run', () => first.deliveries.length === 2);
    const stopped = first.consumer.close({ graceMs: 20_000 });
    release();
    await stopped;
    const second = await world.record({ topic, consumerGroup });
    const all = (): string[] => [...texts(first.deliveries), ...texts(second.deliveries)];
    for (let round = 0; round < 5 && all().length < sent.length; round++) await world.backend.advance(1_000);
    await world.until('all were handled', () => all().length >= sent.length);
    await world.backend.quiet();
    expect(first.deliveries).toHaveLength(2);
    expect(all().sort()).toEqual([...sent].sort());
  });
});
