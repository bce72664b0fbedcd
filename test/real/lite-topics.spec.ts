// Lite topics on a broker with its default configuration, which stores their messages and delivers none.

import { expect, it } from '@jest/globals';
import { Connection, PushConsumer } from 'nestjs-rocketmq/client';
import { isBefore } from '../contract/support/backend.js';
import { nameServer, withAdmin } from '../fixtures/real-server.js';
import { testTransport } from '../fixtures/transport.js';

const byNameServer = testTransport === 'remoting' && !isBefore('5.5.0') ? it : it.skip;

byNameServer('a consumer of lite topics does not start where they are off, and names the setting', async () => {
  const [topic, consumerGroup] = ['lite-topics-off', 'lite-topics-off-readers'];
  await withAdmin(async (admin) => {
    await admin.createTopic({ topic, type: 'lite' });
    await admin.createGroup({ consumerGroup, lite: { topic } });
  });
  const connection = new Connection({ endpoints: `name-server:${nameServer}` });
  const consumer = new PushConsumer(connection, {
    consumerGroup,
    subscriptions: [{ topic }],
    liteTopics: ['one'],
    deadLetterTo: async () => {},
    handler: () => {},
  });
  try {
    await expect(consumer.start({ timeoutMs: 30_000 })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      outcome: 'rejected',
      retryable: false,
      message: expect.stringContaining('set enableLmq=true and enableMultiDispatch=true'),
    });
  } finally {
    await consumer.close();
    await connection.close();
  }
});
