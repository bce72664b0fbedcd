import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Message, SystemProperties } from '../generated/apache/rocketmq/v2/definition.js';
import { ReceiveMessageResponse } from '../generated/apache/rocketmq/v2/service.js';
import { decodeReceived } from './received-message.js';

const text = fc.oneof(
  // The generated code strips a byte order mark.
  fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => !value.startsWith('\uFEFF')),
  fc.constantFrom('', 'ä', '𝄞', 'x'.repeat(200)),
);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const time = optional(
  fc.date({ min: new Date(-1e12), max: new Date('2200-01-01') }).filter((date) => !Number.isNaN(date.getTime())),
);
const integer = fc.oneof(fc.nat(300), fc.integer());
const duration = optional(fc.record({ seconds: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), nanos: integer }));
const system = fc.record({
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
  queueId: integer,
  queueOffset: optional(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  invisibleDuration: duration,
  deliveryAttempt: optional(integer),
  messageGroup: optional(text),
  liteTopic: optional(text),
  traceContext: fc.option(text, { nil: undefined, freq: 1 }),
  priority: optional(integer),
});
const response: fc.Arbitrary<ReceiveMessageResponse> = fc
  .record({
    topic: optional(fc.record({ resourceNamespace: text, name: text })),
    userProperties: fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 4 }),
    systemProperties: optional(system.map((fields) => SystemProperties.fromPartial(fields))),
    body: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(20_000))),
  })
  .map(({ body, ...message }) => ({ content: { $case: 'message', value: { ...message, body: Buffer.from(body) } } }));

const bytesOf = (answer: ReceiveMessageResponse): Buffer => Buffer.from(ReceiveMessageResponse.encode(answer).finish());

/** Bodies as text, which is quick to compare, and times as numbers: an invalid Date is equal to no other. */
function plain(answer: ReceiveMessageResponse): unknown {
  const { content } = answer;
  if (content?.$case === 'deliveryTimestamp') return { time: content.value.getTime() };
  if (content?.$case !== 'message') return content;
  const { body, systemProperties: system, ...message } = content.value;
  const times = [system?.bornTimestamp, system?.storeTimestamp, system?.deliveryTimestamp].map((time) =>
    time?.getTime(),
  );
  const properties = system && {
    ...system,
    bornTimestamp: times[0],
    storeTimestamp: times[1],
    deliveryTimestamp: times[2],
  };
  return { ...message, systemProperties: properties, body: body.toString('latin1') };
}

describe('the answer to a poll', () => {
  it('is read as the generated code reads it', () => {
    const property = fc.property(response, (answer) => {
      const bytes = bytesOf(answer);
      expect(plain(decodeReceived(bytes))).toEqual(plain(ReceiveMessageResponse.decode(bytes)));
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('is read or rejected like by the generated code when bytes of it are changed or missing', () => {
    const outcome = (decode: (bytes: Buffer) => ReceiveMessageResponse, bytes: Buffer): unknown => {
      try {
        return plain(decode(bytes));
      } catch {
        return 'rejected';
      }
    };
    const property = fc.property(response, fc.nat(), fc.nat(255), fc.nat(), (answer, at, value, cut) => {
      const bytes = bytesOf(answer);
      bytes[at % bytes.length] = value;
      const broken = bytes.subarray(0, bytes.length - (cut % 3));
      expect(outcome(decodeReceived, broken)).toEqual(outcome((input) => ReceiveMessageResponse.decode(input), broken));
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('has its properties whatever their names, like with the generated code', () => {
    const userProperties = JSON.parse('{"__proto__":"a","constructor":"b"}') as Record<string, string>;
    const message = { ...Message.fromPartial({ body: Buffer.from('body') }), userProperties };
    const bytes = bytesOf({ content: { $case: 'message', value: message } });
    const partial = Message.fromPartial({ userProperties });
    const read = [decodeReceived(bytes), ReceiveMessageResponse.decode(bytes)].map(({ content }) => {
      return content?.$case === 'message' ? content.value : undefined;
    });
    for (const one of [...read, partial]) {
      expect(Object.entries(one?.userProperties ?? {})).toEqual(Object.entries(userProperties));
    }
  });

  it('can be a status or a time instead of a message', () => {
    const answers: ReceiveMessageResponse['content'][] = [
      { $case: 'status', value: { code: 20000, message: 'OK' } },
      { $case: 'deliveryTimestamp', value: new Date(1_700_000_000_123) },
    ];
    for (const content of answers) expect(decodeReceived(bytesOf({ content }))).toEqual({ content });
  });

  it('gives each message its own body', () => {
    const bytes = bytesOf({ content: { $case: 'message', value: Message.fromPartial({ body: Buffer.from('body') }) } });
    const { content } = decodeReceived(bytes);
    bytes.fill(0);
    expect(content?.$case === 'message' && content.value.body.toString()).toBe('body');
  });
});
