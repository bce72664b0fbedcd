// Delays as other clients write them, by time and by level.

import { describe, expect } from '@jest/globals';
import { SECOND_MS } from 'nestjs-rocketmq/client';
import { contractSuite } from './support/contract.js';
import { rawStore, receivedInOrder } from './support/raw-store.js';

const contract = contractSuite();

describe('delays of other clients', () => {
  const DELAYS = ['TIMER_DELAY_MS\u00012500\u0002', 'TIMER_DELAY_SEC\u00012\u0002'];

  contract('have the type of delayed messages', async (world) => {
    const all = [...DELAYS, 'DELAY\u00011\u0002'];
    const messages = await receivedInOrder(world, await world.topic('delay'), all, 3 * SECOND_MS);
    expect(messages.map((message) => message?.messageType)).toEqual(['delay', 'delay', 'delay']);
  });

  contract('have the time when they were due, to the second', async (world) => {
    const messages = await receivedInOrder(world, await world.topic('delay'), DELAYS, 3 * SECOND_MS);
    const early = messages.map((message) => (message?.storeTimestampMs ?? 0) - (message?.deliveryTimestampMs ?? 0));
    // Nothing is delivered before it is due. After that, a busy server takes its time.
    for (const earlyMs of early) expect(earlyMs).toBeGreaterThanOrEqual(0);
    const lengths = messages.map((message) => (message?.deliveryTimestampMs ?? 0) - (message?.bornTimestampMs ?? 0));
    for (const lengthMs of lengths) expect(lengthMs).toBeGreaterThanOrEqual(SECOND_MS - 1);
  });

  contract('have it for administrators too, while they wait and afterwards', async (world) => {
    const topic = await world.topic('delay');
    const admin = world.admin();
    const messageId = await rawStore(world, { topic, body: 'x', properties: 'TIMER_DELAY_SEC\u00014\u0002' });
    const sentAtMs = world.nowMs();
    await world.until('it is seen to wait', async () => {
      const { delayed } = await admin.messageTrail({ topic, messageId });
      return delayed.some((one) => one.deliveryTimestampMs === one.dueTimestampMs);
    });
    await world.backend.advance(4 * SECOND_MS);
    await world.until(
      'it is delivered',
      async () => (await admin.messageTrail({ topic, messageId })).stored.length > 0,
    );
    const { stored } = await admin.messageTrail({ topic, messageId });
    expect(stored[0]?.deliveryTimestampMs).toBeGreaterThan(sentAtMs + SECOND_MS);
    expect(stored[0]?.deliveryTimestampMs).toBeLessThanOrEqual(stored[0]?.storeTimestampMs ?? 0);
  });

  contract('do not apply to a message that has waited and is sent on with all properties', async (world) => {
    const times = [...DELAYS, `TIMER_DELIVER_MS\u0001${world.nowMs() + 600 * SECOND_MS}\u0002`];
    const sentOn = times.map((time) => `${time}TIMER_OUT_MS\u0001${world.nowMs()}\u0002`);
    const messages = await receivedInOrder(world, await world.topic('delay'), sentOn);
    expect(messages.map((message) => message?.messageType)).toEqual(['delay', 'delay', 'delay']);
  });
});
