import { ControlClient } from 'nestjs-rocketmq/broker';

/** Lets the time-out of an order come now, and tells what the embedded broker still has to do. */
export async function hurry(endpoint: string, messageId: string): Promise<string[]> {
  const control = new ControlClient({ endpoint });
  await control.deliverNow({ topic: 'payment-due', messageId });
  const { items } = await control.lag();
  return items.map(({ group, topic, lag }) => `${group} has ${lag} messages of ${topic} before it`);
}
