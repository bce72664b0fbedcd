import { describe, expect } from '@jest/globals';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();

describe('one-way sends', () => {
  contract('a one-way message arrives, also when the producer closes at once', async (world) => {
    const topic = await world.topic();
    const recorder = await world.record({ topic });
    const producer = await world.producer();
    await producer.sendOneway({ topic, body: 'a', tag: 'red' });
    await producer.close();
    await world.until('it arrives', () => recorder.deliveries.length === 1);
    expect(texts(recorder.deliveries)).toEqual(['a']);
    expect(recorder.deliveries[0]?.message.tag).toBe('red');
  });

  contract('a one-way message that the server rejects is reported as an event', async (world) => {
    const topic = world.name();
    const failed: unknown[] = [];
    const producer = await world.producer({ events: { onOnewayFailed: (_, error) => failed.push(error) } });
    await producer.sendOneway({ topic, body: 'a' });
    await producer.close();
    expect(failed).toMatchObject([{ code: 'TOPIC_NOT_FOUND' }]);
  });
});
