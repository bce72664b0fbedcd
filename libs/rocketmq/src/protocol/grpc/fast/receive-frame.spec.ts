import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MESSAGE_PREFIX_BYTES } from '../../../support/grpc/framing.js';
import { ReceiveMessageRequest } from '../generated/apache/rocketmq/v2/service.js';
import { PollFramer } from './receive-frame.js';

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('', 'ä', '𝄞', 'x'.repeat(200)));
const resource = fc.record({ resourceNamespace: text, name: text });
const duration = fc.record({ seconds: fc.bigInt({ min: 0n, max: 2n ** 31n - 1n }), nanos: fc.nat() });
const queue = fc.record({
  topic: resource,
  id: fc.integer(),
  permission: fc.nat(3),
  broker: fc.record({
    name: text,
    id: fc.nat(),
    endpoints: fc.record({ scheme: fc.nat(3), addresses: fc.array(fc.record({ host: text, port: fc.nat(65_535) })) }),
  }),
  acceptMessageTypes: fc.array(fc.nat(6), { maxLength: 3 }),
});
const request: fc.Arbitrary<ReceiveMessageRequest> = fc.record({
  group: resource,
  messageQueue: queue,
  filterExpression: fc.record({ type: fc.nat(2), expression: text }),
  batchSize: fc.nat(),
  invisibleDuration: duration,
  autoRenew: fc.constant(false),
  longPollingTimeout: duration,
  attemptId: text,
});

describe('a framed poll', () => {
  it('is, byte for byte, what the generated code writes', () => {
    const property = fc.property(request, request, (one, other) => {
      const framer = new PollFramer();
      // The second of one queue is written from what is known of the first.
      for (const poll of [one, { ...other, messageQueue: one.messageQueue }, other]) {
        const frame = framer.frame(poll);
        const generated = ReceiveMessageRequest.encode(poll).finish();
        expect(frame?.subarray(MESSAGE_PREFIX_BYTES).equals(generated)).toBe(true);
        expect(frame?.readUInt32BE(1)).toBe(generated.length);
      }
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('leaves what consumers never ask for to the generated code', () => {
    const changes: Partial<ReceiveMessageRequest>[] = [
      { autoRenew: true },
      { attemptId: undefined },
      { filterExpression: undefined },
      { batchSize: -1 },
      { invisibleDuration: { seconds: -1n, nanos: 0 } },
      { longPollingTimeout: { seconds: 2n ** 40n, nanos: 0 } },
      { longPollingTimeout: undefined },
    ];
    const [poll] = fc.sample(request, 1);
    for (const change of changes)
      expect(new PollFramer().frame({ ...(poll as ReceiveMessageRequest), ...change })).toBeUndefined();
  });
});
