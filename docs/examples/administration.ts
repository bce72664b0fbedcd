import { type DeadLetterView, ReplayInterruptedError, type RocketMQAdmin } from 'nestjs-rocketmq/admin';

/** Describes what is wrong with a consumer group; empty when nothing is. */
export async function troublesOf(admin: RocketMQAdmin, consumerGroup: string): Promise<string[]> {
  const troubles: string[] = [];
  const { topics, failures } = await admin.groupLag(consumerGroup);
  for (const { topic, lag, retries } of topics) {
    if (lag > 1_000) troubles.push(`${lag} messages of ${topic} wait, ${retries} of them for redelivery`);
  }
  // `failures` lists the brokers whose part is missing.
  for (const { name, error } of failures) troubles.push(`${name} does not answer: ${error.message}`);

  const { clients, differences } = await admin.groupClients(consumerGroup, { compareMembers: true });
  if (clients.length === 0) troubles.push('no consumer is connected');
  for (const { topic, members } of differences ?? []) {
    troubles.push(`${members.map(({ clientId }) => clientId).join(' and ')} differ in ${topic}: messages are lost`);
  }

  const { total } = await admin.listDeadLetters(consumerGroup, { limit: 1 });
  if (total > 0) troubles.push(`${total} dead letters`);
  return troubles;
}

/** Replays all dead letters of one customer, page by page. @returns how many */
export async function replayFor(
  admin: RocketMQAdmin,
  consumerGroup: string,
  customer: string,
  log: (line: string) => void,
): Promise<number> {
  const select = ({ keys }: DeadLetterView): boolean => keys.includes(customer);
  let count = 0;
  let after: string | undefined;
  do {
    try {
      const { replayed, failed, next } = await admin.replayDeadLetters(consumerGroup, { select, after });
      for (const { deadLetter, error } of failed) log(`${deadLetter.messageId} stays: ${error.message}`);
      count += replayed.length;
      after = next;
    } catch (error) {
      // A server failed halfway. `done` lists what was sent; running this again sends the rest.
      if (error instanceof ReplayInterruptedError) log(`${count + error.done.replayed.length} were sent`);
      throw error;
    }
  } while (after !== undefined);
  return count;
}
