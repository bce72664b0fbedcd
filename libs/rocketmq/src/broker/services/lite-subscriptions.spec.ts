import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { codeOf } from '../../../../../test/contract/support/question.js';
import { until } from '../../../../../tools/until.js';
import { RawClient, resource } from '../../../../../tools/wire/raw-grpc-client.js';
import { Connection } from '../../client/connection.js';
import { PushConsumer } from '../../consumer/push-consumer.js';
import { Producer } from '../../producer/producer.js';
import { LiteSubscriptionAction } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { TestBroker } from '../../testing/test-broker.js';

const DATE_TIME = '20260101T000000Z';

function signedBy(accessKey: string): Record<string, string> {
  const signature = createHmac('sha1', accessKey).update(DATE_TIME).digest('hex');
  const authorization = `MQv2-HMAC-SHA1 Credential=${accessKey}, SignedHeaders=x-mq-date-time, Signature=${signature}`;
  return { 'x-mq-date-time': DATE_TIME, authorization };
}

const user = (accessKey: string, group: string) => ({
  accessKey,
  secretKey: accessKey,
  permissions: [
    { resource: 'Topic:chats', actions: ['All' as const] },
    { resource: `Group:${group}`, actions: ['Sub' as const] },
  ],
});

describe('the subscriptions to lite topics', () => {
  it('of a client are changed only by those who may consume for its group', async () => {
    const broker = await TestBroker.start({
      topics: [{ name: 'chats', type: 'lite' }],
      groups: ['ours', 'theirs'].map((name) => ({ name, lite: { topic: 'chats' } })),
      users: [user('we', 'ours'), user('successor', 'ours'), user('they', 'theirs')],
    });
    const connection = new Connection({
      endpoints: broker.endpoints,
      credentials: { accessKey: 'we', secretKey: 'we' },
    });
    const received: string[] = [];
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'ours',
      subscriptions: [{ topic: 'chats' }],
      liteTopics: ['a'],
      deadLetterTo: async () => {},
      handler: ({ body }) => void received.push(body.toString()),
    });
    const producer = new Producer(connection, {});
    try {
      await consumer.start();
      const as = async (who: string, group: string, action: LiteSubscriptionAction, liteTopicSet: string[]) => {
        const client = new RawClient(broker.endpoints, consumer.clientId, signedBy(who));
        const request = { topic: resource('chats'), group: resource(group), action, liteTopicSet };
        try {
          return await codeOf(client, 'syncLiteSubscription', request);
        } finally {
          client.close();
        }
      };
      const { COMPLETE_REMOVE, PARTIAL_ADD } = LiteSubscriptionAction;
      expect([
        await as('they', 'ours', COMPLETE_REMOVE, []),
        await as('they', 'theirs', COMPLETE_REMOVE, []),
        await as('they', 'theirs', PARTIAL_ADD, ['b']),
        await as('successor', 'ours', PARTIAL_ADD, ['b']),
      ]).toEqual(['UNAUTHORIZED', 'UNAUTHORIZED', 'UNAUTHORIZED', 'OK']);
      for (const liteTopic of ['a', 'b']) await producer.send({ topic: 'chats', liteTopic, body: liteTopic });
      await until(() => received.length === 2);
      expect(received.sort()).toEqual(['a', 'b']);
    } finally {
      await consumer.close({ shutdownGraceMs: 0 });
      await producer.close();
      connection.close();
      await broker.stop();
    }
  });
});
