import { ControlClient } from 'nestjs-rocketmq/broker';

/** Delivers the timeout of an order now. @returns what the groups still have to handle */
export async function hurry(endpoint: string, messageId: string): Promise<string[]> {
  const control = new ControlClient({ endpoint });
  await control.deliverNow({ topic: 'payment-due', messageId });
  const { items } = await control.lag();
  return items.map(({ group, topic, lag }) => `${group} has a lag of ${lag} messages on ${topic}`);
}
