// Delays of more than 24 h, on servers whose operator allows them.

import { describe, expect } from '@jest/globals';
import type { Producer } from 'nestjs-rocketmq/client';
import { contractSuite } from '../contract/support/contract.js';
import type { World } from '../contract/support/world.js';
import { DAY_MS, startSecured } from './support/secured-backend.js';

const contract = contractSuite(startSecured);

/** @returns a producer, and a topic for delayed messages */
async function setUp(world: World, maxDelayMs: number): Promise<{ producer: Producer; topic: string }> {
  return { topic: await world.topic('delay'), producer: await world.producer({ maxDelayMs }) };
}

describe('a delay of more than 24 h', () => {
  contract('is accepted when the option allows it', async (world) => {
    const { producer, topic } = await setUp(world, 2 * DAY_MS);
    const { recallHandle = '', messageId } = await producer.send({ topic, body: 'x', delayMs: 2 * DAY_MS });
    expect(await producer.recall({ topic, recallHandle })).toEqual({ messageId });
  });

  contract('is rejected before the wire beyond the option', async (world) => {
    const { producer, topic } = await setUp(world, 2 * DAY_MS);
    const rejected = producer.send({ topic, body: 'x', delayMs: 2 * DAY_MS + 1 });
    await expect(rejected).rejects.toMatchObject({
      code: 'ILLEGAL_DELIVERY_TIME',
      field: 'delayMs',
      outcome: 'not-sent',
    });
  });

  contract('is rejected by a server that does not allow it, and nothing is stored', async (world) => {
    const { producer, topic } = await setUp(world, 9 * DAY_MS);
    const recorder = await world.record({ topic });
    for (const delayMs of [3.5 * DAY_MS, 8 * DAY_MS]) {
      const rejected = producer.send({ topic, body: 'x', delayMs });
      await expect(rejected).rejects.toMatchObject({
        code: 'ILLEGAL_DELIVERY_TIME',
        outcome: 'rejected',
        retryable: false,
        message: expect.stringContaining('timerMaxDelaySec of the brokers'),
      });
    }
    await world.backend.quiet();
    expect(recorder.deliveries).toEqual([]);
  });
});
