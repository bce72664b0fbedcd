// What other clients write on a message, and our own producer would not.

import { describe, expect } from '@jest/globals';
import { SECOND_MS } from 'nestjs-rocketmq/client';
import { NotHere } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { rawStore } from './support/raw-store.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** What a consumer receives of messages with these properties, in their order. */
async function received(world: World, topic: string, all: readonly string[]) {
  for (const [index, properties] of all.entries()) {
    await rawStore(world, { topic, properties, body: String(index) });
  }
  const { deliveries } = await world.record({ topic });
  await world.until('all are received', () => deliveries.length === all.length);
  return all.map((_, index) => deliveries.find(({ text }) => text === String(index))?.message);
}

describe('labels of other clients', () => {
  contract('are read without the blanks between and around keys', async (world) => {
    const messages = await received(world, await world.topic(), [
      // As rocketmq-client-go writes a list of two.
      'KEYS\u0001k1 k2 \u0002',
      'KEYS\u0001 k1\u0002',
      'KEYS\u0001k1  k2\u0002',
      'KEYS\u0001  \u0002',
    ]);
    expect(messages.map((message) => message?.keys)).toEqual([['k1', 'k2'], ['k1'], ['k1', 'k2'], []]);
  });

  contract('keep a value with the separator of names, and lose a property without a name or a value', async (world) => {
    const messages = await received(world, await world.topic(), [
      'a\u0001b\u0001c\u0002d\u00014\u0002',
      'a\u0001\u0002d\u00014\u0002',
      '\u0001b\u0002d\u00014\u0002',
    ]);
    expect(messages.map((message) => message?.properties)).toEqual([{ a: 'b\u0001c', d: '4' }, { d: '4' }, { d: '4' }]);
  });
});

describe('delays of other clients', () => {
  const DELAYS = ['TIMER_DELAY_MS\u00012500\u0002', 'TIMER_DELAY_SEC\u00012\u0002'];
  const notOnEmbedded = (world: World): void => {
    if (world.backend.name === 'embedded') throw new NotHere('its admin port takes no delayed messages');
  };

  contract('have the type of delayed messages', async (world) => {
    notOnEmbedded(world);
    const messages = await received(world, await world.topic('delay'), [...DELAYS, 'DELAY\u00011\u0002']);
    expect(messages.map((message) => message?.messageType)).toEqual(['delay', 'delay', 'delay']);
  });

  contract('have the time when they were due, to the second', async (world) => {
    notOnEmbedded(world);
    const messages = await received(world, await world.topic('delay'), DELAYS);
    const early = messages.map((message) => (message?.storeTimestampMs ?? 0) - (message?.deliveryTimestampMs ?? 0));
    // Nothing is delivered before it is due. After that, a busy server takes its time.
    for (const earlyMs of early) expect(earlyMs).toBeGreaterThanOrEqual(0);
    const lengths = messages.map((message) => (message?.deliveryTimestampMs ?? 0) - (message?.bornTimestampMs ?? 0));
    for (const lengthMs of lengths) expect(lengthMs).toBeGreaterThanOrEqual(SECOND_MS - 1);
  });

  contract('have it for administrators too, while they wait and afterwards', async (world) => {
    notOnEmbedded(world);
    const topic = await world.topic('delay');
    const admin = world.admin();
    const messageId = await rawStore(world, { topic, body: 'x', properties: 'TIMER_DELAY_SEC\u00014\u0002' });
    const sentAtMs = world.nowMs();
    await world.until('it is seen to wait', async () => {
      const { delayed } = await admin.messageTrail({ topic, messageId });
      return delayed.some((one) => one.deliveryTimestampMs === one.dueTimestampMs);
    });
    await world.until(
      'it is delivered',
      async () => (await admin.messageTrail({ topic, messageId })).stored.length > 0,
    );
    const { stored } = await admin.messageTrail({ topic, messageId });
    expect(stored[0]?.deliveryTimestampMs).toBeGreaterThan(sentAtMs + SECOND_MS);
    expect(stored[0]?.deliveryTimestampMs).toBeLessThanOrEqual(stored[0]?.storeTimestampMs ?? 0);
  });
});
