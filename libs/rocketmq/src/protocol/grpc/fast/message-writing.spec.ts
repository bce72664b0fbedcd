import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MESSAGE_PREFIX_BYTES } from '../../../support/grpc/framing.js';
import { Message, SystemProperties } from '../generated/apache/rocketmq/v2/definition.js';
import { SendMessageRequest } from '../generated/apache/rocketmq/v2/service.js';
import { frameSendMessage } from './message-writing.js';

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('', 'ä', '𝄞', 'x'.repeat(200)));
const time = fc.option(
  fc.date({ min: new Date(0), max: new Date('2100-01-01') }).filter((date) => !Number.isNaN(date.getTime())),
  { nil: undefined },
);
const natural = fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1));
const message: fc.Arbitrary<Message> = fc
  .record({
    topic: fc.record({ resourceNamespace: text, name: text }),
    userProperties: fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 4 }),
    system: fc.record({
      tag: fc.option(text, { nil: undefined }),
      keys: fc.array(text, { maxLength: 3 }),
      messageId: text,
      bodyEncoding: fc.constantFrom(0, 1, 2),
      messageType: fc.nat(6),
      bornTimestamp: time,
      bornHost: text,
      queueId: natural,
      deliveryTimestamp: time,
      messageGroup: fc.option(text, { nil: undefined }),
      liteTopic: fc.option(text, { nil: undefined }),
      priority: fc.option(natural, { nil: undefined }),
    }),
    body: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(70_000))),
  })
  .map(({ topic, userProperties, system, body }) => ({
    topic,
    userProperties,
    systemProperties: SystemProperties.fromPartial(system),
    body: Buffer.from(body),
  }));

describe('a framed send request', () => {
  it('is, byte for byte, what the generated code writes', () => {
    const property = fc.property(fc.array(message, { maxLength: 4 }), (messages) => {
      const frame = frameSendMessage({ messages });
      const generated = SendMessageRequest.encode({ messages }).finish();
      expect(frame?.subarray(MESSAGE_PREFIX_BYTES).equals(generated)).toBe(true);
      expect(frame?.readUInt8(0)).toBe(0);
      expect(frame?.readUInt32BE(1)).toBe(generated.length);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('leaves fields that producers never set to the generated code', () => {
    const whole = Message.fromPartial({
      topic: { name: 't' },
      systemProperties: { messageId: 'm' },
      body: Buffer.from('b'),
    });
    const others: Partial<SystemProperties>[] = [
      { traceContext: 't' },
      { queueId: -1 },
      { queueOffset: -1n },
      { deliveryAttempt: -1 },
      { bornTimestamp: new Date(-1) },
      { orphanedTransactionRecoveryDuration: { seconds: 1n, nanos: 0 } },
    ];
    for (const other of others) {
      const systemProperties = { ...(whole.systemProperties as SystemProperties), ...other };
      expect([other, frameSendMessage({ messages: [{ ...whole, systemProperties }] })]).toEqual([other, undefined]);
    }
  });
});
