import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MESSAGE_PREFIX_BYTES } from '../../../support/grpc/framing.js';
import { AckMessageRequest, AckMessageResponse } from '../generated/apache/rocketmq/v2/service.js';
import { decodeAcked, frameAckMessage } from './ack-frame.js';

const text = fc.oneof(
  // The generated code strips a byte order mark.
  fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => !value.startsWith('\uFEFF')),
  fc.constantFrom('', 'ä', '𝄞', 'x'.repeat(200)),
);
const resource = fc.record({ resourceNamespace: text, name: text });
const status = fc.option(fc.record({ code: fc.oneof(fc.nat(60_000), fc.integer()), message: text }), {
  nil: undefined,
});
const response = fc.record({
  status,
  entries: fc.array(fc.record({ messageId: text, receiptHandle: text, status }), { maxLength: 5 }),
});

describe('a framed ack', () => {
  it('is, byte for byte, what the generated code writes', () => {
    const filled = text.filter((value) => value !== '');
    const entries = fc.array(fc.record({ messageId: filled, receiptHandle: filled }), { maxLength: 5 });
    const property = fc.property(resource, resource, entries, (group, topic, acked) => {
      const request = { group, topic, entries: acked };
      const frame = frameAckMessage(request);
      const generated = AckMessageRequest.encode(request).finish();
      expect(frame?.subarray(MESSAGE_PREFIX_BYTES).equals(generated)).toBe(true);
      expect(frame?.readUInt32BE(1)).toBe(generated.length);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('leaves fields that consumers never set to the generated code', () => {
    const name = { resourceNamespace: '', name: 'n' };
    const lite = { messageId: 'm', receiptHandle: 'r', liteTopic: 'l' };
    expect(frameAckMessage({ group: name, topic: name, entries: [lite] })).toBeUndefined();
    for (const entry of [
      { messageId: '', receiptHandle: 'r' },
      { messageId: 'm', receiptHandle: '' },
    ])
      expect(frameAckMessage({ group: name, topic: name, entries: [entry] })).toBeUndefined();
    expect(frameAckMessage({ group: name, topic: undefined, entries: [] })).toBeUndefined();
  });
});

describe('the answer to an ack', () => {
  const outcome = (decode: (bytes: Buffer) => AckMessageResponse, bytes: Buffer): unknown => {
    try {
      return decode(bytes);
    } catch {
      return 'rejected';
    }
  };

  it('is read or rejected like by the generated code, intact or with changed bytes', () => {
    const property = fc.property(response, fc.nat(), fc.nat(255), fc.boolean(), (answer, at, value, isWhole) => {
      const bytes = Buffer.from(AckMessageResponse.encode(answer).finish());
      if (!isWhole && bytes.length > 0) bytes[at % bytes.length] = value;
      expect(outcome(decodeAcked, bytes)).toEqual(outcome((input) => AckMessageResponse.decode(input), bytes));
    });
    fc.assert(property, { numRuns: 500 });
  });
});
