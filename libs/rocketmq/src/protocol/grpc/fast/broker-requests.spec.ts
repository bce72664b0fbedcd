import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Message, SystemProperties } from '../generated/apache/rocketmq/v2/definition.js';
import { AckMessageRequest, SendMessageRequest } from '../generated/apache/rocketmq/v2/service.js';
import { decodeAck, decodeSend } from './broker-requests.js';

const text = fc.oneof(
  // The generated code strips a byte order mark.
  fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => !value.startsWith('\uFEFF')),
  fc.constantFrom('', 'ä', '𝄞', 'x'.repeat(200)),
);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const resource = fc.record({ resourceNamespace: text, name: text });
const time = optional(
  fc.date({ min: new Date(-1e12), max: new Date('2200-01-01') }).filter((date) => !Number.isNaN(date.getTime())),
);
const message: fc.Arbitrary<Message> = fc
  .record({
    topic: optional(resource),
    userProperties: fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 4 }),
    systemProperties: optional(
      fc
        .record({
          tag: optional(text),
          keys: fc.array(text, { maxLength: 3 }),
          messageId: text,
          bodyEncoding: fc.nat(2),
          messageType: fc.nat(6),
          bornTimestamp: time,
          bornHost: text,
          deliveryTimestamp: time,
          messageGroup: optional(text),
          priority: optional(fc.integer()),
          traceContext: fc.option(text, { nil: undefined, freq: 1 }),
        })
        .map((fields) => SystemProperties.fromPartial(fields)),
    ),
    body: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(20_000))),
  })
  .map(({ body, ...rest }) => Message.fromPartial({ ...rest, body: Buffer.from(body) }));
const send = fc.array(message, { maxLength: 4 }).map((messages) => ({ messages }));
const ack = fc.record({
  group: optional(resource),
  topic: optional(resource),
  entries: fc.array(
    fc.record({ messageId: text, receiptHandle: text, liteTopic: fc.option(text, { nil: undefined, freq: 1 }) }),
    { maxLength: 4 },
  ),
});

/** Bodies as text, which is quick to compare; times as JSON has them, since a time that is none does not equal itself. */
function plain({ messages }: SendMessageRequest): unknown {
  return messages.map(({ body, ...rest }) => [JSON.parse(JSON.stringify(rest)), body.toString('latin1')]);
}

function outcome(decode: (bytes: Buffer) => unknown, bytes: Buffer): unknown {
  try {
    return decode(bytes);
  } catch {
    return 'rejected';
  }
}

/** Changes a byte and cuts some off; nothing for a change of nothing. */
function broken(whole: Uint8Array, at: number, value: number, cut: number): Buffer {
  const bytes = Buffer.from(whole);
  if (bytes.length > 0) bytes[at % bytes.length] = value;
  return bytes.subarray(0, Math.max(0, bytes.length - (cut % 3)));
}

describe('a send request', () => {
  it('is read as the generated code reads it', () => {
    const property = fc.property(send, (request) => {
      const bytes = Buffer.from(SendMessageRequest.encode(request).finish());
      expect(plain(decodeSend(bytes))).toEqual(plain(SendMessageRequest.decode(bytes)));
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('is read or rejected like by the generated code when bytes of it are changed or missing', () => {
    const property = fc.property(send, fc.nat(), fc.nat(255), fc.nat(), (request, ...change) => {
      const bytes = broken(SendMessageRequest.encode(request).finish(), ...change);
      const generated = outcome((input) => plain(SendMessageRequest.decode(input)), bytes);
      expect(outcome((input) => plain(decodeSend(input)), bytes)).toEqual(generated);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('an ack', () => {
  it('is read or rejected like by the generated code, intact or with changed or missing bytes', () => {
    const property = fc.property(
      ack,
      fc.nat(),
      fc.nat(255),
      fc.nat(),
      fc.boolean(),
      (request, at, value, cut, isWhole) => {
        const whole = AckMessageRequest.encode(request).finish();
        const bytes = isWhole ? Buffer.from(whole) : broken(whole, at, value, cut);
        expect(outcome(decodeAck, bytes)).toEqual(outcome((input) => AckMessageRequest.decode(input), bytes));
      },
    );
    fc.assert(property, { numRuns: 500 });
  });
});
