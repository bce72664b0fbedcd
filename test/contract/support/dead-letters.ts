// Creates dead letters: sends messages, receives them as often as allowed, and releases them each time.

import type { Producer } from 'nestjs-rocketmq/client';
import type { World } from './world.js';

export type SendMessage = Parameters<Producer['send']>[0];

/**
 * @param attempts the deliveries that the group allows
 * @param topic the topic to receive from if nothing is sent
 * @returns the ids of the sent messages
 */
export async function buried(
  world: World,
  consumerGroup: string,
  messages: readonly SendMessage[],
  attempts = 1,
  topic = messages[0]?.topic ?? '',
): Promise<string[]> {
  const producer = await world.producer();
  const ids: string[] = [];
  for (const message of messages) ids.push((await producer.send(message)).messageId);
  await world.backend.advance(Math.max(0, ...messages.map(({ delayMs = 0 }) => delayMs + (delayMs > 0 ? 2_000 : 0))));
  const admin = world.admin();
  const totalOf = async (): Promise<number> => (await admin.listDeadLetters(consumerGroup, { limit: 1 })).total;
  const wanted = (await totalOf()) + Math.max(1, messages.length);
  const consumer = await world.simpleConsumer(topic, consumerGroup);
  await world.until('they are dead letters', async () => {
    const received = await consumer.receive({ longPollingTimeoutMs: 5_000, maxMessages: 16 });
    for (const message of received) await consumer.changeInvisibleDuration(message, 0);
    if (received.length > 0) await world.backend.advance(attempts > 0 ? 3_000 : 0);
    return (await totalOf()) >= wanted;
  });
  await consumer.close();
  return ids;
}
