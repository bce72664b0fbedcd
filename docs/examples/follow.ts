import type { RocketMQAdmin } from 'nestjs-rocketmq/admin';

/** Shows the messages of a topic that were stored since then, and each that arrives, until the signal aborts. */
export async function follow(
  admin: RocketMQAdmin,
  topic: string,
  options: { readonly from: Date; readonly signal: AbortSignal },
  show: (line: string) => void,
): Promise<void> {
  for await (const { messages } of admin.tailMessages(topic, options)) {
    for (const { messageId, keys, body } of messages) show(`${messageId} ${keys.join(' ')} ${body.toString()}`);
  }
}
