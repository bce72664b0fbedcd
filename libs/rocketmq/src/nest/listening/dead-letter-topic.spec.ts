import { describe, expect, it } from '@jest/globals';
import type { DeadLetter } from '../../consumer/model/failure-policy.js';
import type { Producer } from '../../producer/producer.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { assertSendable } from '../../protocol/model/message-checks.js';
import { defineTopic } from '../messages/topic-definition.js';
import { deadLetterSender } from './dead-letter-topic.js';

describe('a dead letter for a topic', () => {
  it.each([
    ['a\u0002KEYS\u0001b', 'a KEYS b'],
    ['x'.repeat(20_000), 'x'.repeat(500)],
  ])('can be sent whatever the ID of the message is', async (messageId, shown) => {
    const sent: OutgoingMessage[] = [];
    const producer = {
      send: async (message: OutgoingMessage) => {
        assertSendable(message, message.body.length, 0);
        sent.push(message);
      },
    } as unknown as Producer;
    const message = {
      topic: 'orders',
      messageId,
      keys: [],
      properties: {},
      body: Buffer.from('b'),
      deliveryAttempt: 1,
    };
    await deadLetterSender(
      defineTopic('graves', { type: 'normal' }),
      () => producer,
    )({ message, consumerGroup: 'stock', reason: 'handler-decided', error: new Error('no') } as unknown as DeadLetter);
    expect(sent[0]?.properties).toMatchObject({ originMessageId: shown });
  });
});
