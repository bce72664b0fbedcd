import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MESSAGE_PREFIX_BYTES } from '../../../support/grpc/framing.js';
import { SystemProperties } from '../generated/apache/rocketmq/v2/definition.js';
import {
  AckMessageResponse,
  ReceiveMessageResponse,
  SendMessageResponse,
} from '../generated/apache/rocketmq/v2/service.js';
import { frameAcked, frameReceived, frameSent } from './broker-answers.js';

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('', 'ä', '𝄞', 'x'.repeat(200)));
const natural = fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1));
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const status = fc.record({ code: fc.nat(60_000), message: text });
const time = optional(
  fc.date({ min: new Date(0), max: new Date('2100-01-01') }).filter((date) => !Number.isNaN(date.getTime())),
);
const delivered = fc.record({
  topic: fc.record({ resourceNamespace: text, name: text }),
  userProperties: fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 4 }),
  systemProperties: fc
    .record({
      tag: optional(text),
      keys: fc.array(text, { maxLength: 3 }),
      messageId: text,
      bodyDigest: optional(fc.record({ type: fc.nat(3), checksum: text })),
      bodyEncoding: fc.nat(2),
      messageType: fc.nat(6),
      bornTimestamp: time,
      bornHost: text,
      storeTimestamp: time,
      storeHost: text,
      deliveryTimestamp: time,
      receiptHandle: optional(text),
      queueId: natural,
      queueOffset: optional(natural.map(BigInt)),
      deliveryAttempt: optional(natural),
      messageGroup: optional(text),
      liteTopic: optional(text),
      priority: optional(natural),
    })
    .map((fields) => SystemProperties.fromPartial(fields)),
  body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

function expectAs(frame: Buffer | undefined, generated: Uint8Array): void {
  expect(frame?.subarray(MESSAGE_PREFIX_BYTES).equals(generated)).toBe(true);
  expect(frame?.readUInt32BE(1)).toBe(generated.length);
}

describe('a framed answer is, byte for byte, what the generated code writes', () => {
  it('to a send', () => {
    const entry = fc.record({
      status,
      messageId: text,
      transactionId: text,
      offset: natural.map(BigInt),
      recallHandle: text,
    });
    const answer = fc.record({ status, entries: fc.array(entry, { maxLength: 3 }) });
    const property = fc.property(answer, (sent) =>
      expectAs(frameSent(sent), SendMessageResponse.encode(sent).finish()),
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('to an ack', () => {
    const entry = fc.record({ messageId: text, receiptHandle: text, status });
    const answer = fc.record({ status, entries: fc.array(entry, { maxLength: 3 }) });
    const property = fc.property(answer, (acked) => {
      expectAs(frameAcked(acked), AckMessageResponse.encode(acked).finish());
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('to a poll', () => {
    const property = fc.property(delivered, (value) => {
      const answer: ReceiveMessageResponse = { content: { $case: 'message', value } };
      expectAs(frameReceived(answer), ReceiveMessageResponse.encode(answer).finish());
    });
    fc.assert(property, { numRuns: 500 });
  });
});

describe('the generated code encodes', () => {
  it('offsets and numbers with more bits than usual, and answers without a status', () => {
    const entry = { status: { code: 1, message: '' }, messageId: '', transactionId: '', recallHandle: '' };
    expect(frameSent({ status: entry.status, entries: [{ ...entry, offset: 2n ** 31n }] })).toBeUndefined();
    expect(frameSent({ status: undefined, entries: [] })).toBeUndefined();
    expect(frameAcked({ status: undefined, entries: [] })).toBeUndefined();
    expect(frameReceived({ content: { $case: 'status', value: entry.status } })).toBeUndefined();
    const systemProperties = SystemProperties.fromPartial({ queueOffset: -1n });
    const value = {
      topic: { resourceNamespace: '', name: '' },
      userProperties: {},
      systemProperties,
      body: Buffer.of(),
    };
    expect(frameReceived({ content: { $case: 'message', value } })).toBeUndefined();
  });
});
