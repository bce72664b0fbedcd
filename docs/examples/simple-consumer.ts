import { type Connection, SECOND_MS, SimpleConsumer } from 'nestjs-rocketmq/client';

/** Handles the messages that are available, then returns. @returns the number of messages acknowledged */
export async function nightlyRun(connection: Connection, handle: (body: string) => Promise<boolean>): Promise<number> {
  const consumer = new SimpleConsumer(connection, {
    consumerGroup: 'nightly',
    subscriptions: [{ topic: 'reports' }],
  });
  await consumer.start();
  let count = 0;
  try {
    for (;;) {
      const messages = await consumer.receive({
        maxMessages: 32,
        invisibleDurationMs: 60 * SECOND_MS,
        longPollingTimeoutMs: SECOND_MS,
      });
      if (messages.length === 0) return count;
      const done = [];
      for (const message of messages) {
        if (await handle(message.body.toString())) done.push(message);
        // Redeliver in ten minutes. Without this call the message is redelivered when its invisible duration ends.
        else await consumer.changeInvisibleDuration(message, 600 * SECOND_MS);
      }
      const outcomes = await consumer.ackBatch(done);
      count += outcomes.filter(({ status }) => status === 'acked').length;
    }
  } finally {
    await consumer.close();
  }
}
