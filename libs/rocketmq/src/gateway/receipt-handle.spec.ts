import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  decodeHandle,
  deliveryOfCheckPoint,
  encodeHandle,
  extraInfoOf,
  type ReceiptHandle,
  storedTopic,
} from './receipt-handle.js';

const number = fc.bigInt({ min: 0n, max: 2n ** 62n }).map(String);
const handles = fc.record({
  startOffset: number,
  popTimeMs: number,
  invisibleMs: number,
  reviveQueue: number,
  from: fc.constantFrom('0', '1', '2'),
  brokerName: fc.stringMatching(/^[\w-]{1,20}$/),
  queueId: number,
  offset: number,
  commitLogOffset: number,
  expiresAtMs: fc.nat(),
  liteTopic: fc.option(fc.stringMatching(/^[\w-]{1,64}$/), { nil: undefined }),
}) as fc.Arbitrary<ReceiptHandle>;

describe('receipt handles', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(handles, (handle) => {
        const text = encodeHandle(handle, handle.commitLogOffset, handle.expiresAtMs);
        expect(decodeHandle(text)).toEqual(handle);
      }),
    );
  });

  it('begin with what the broker calls the check point', () => {
    fc.assert(
      fc.property(handles, ({ commitLogOffset: _, expiresAtMs: __, liteTopic: ___, ...delivery }) =>
        expect(deliveryOfCheckPoint(extraInfoOf(delivery))).toEqual(delivery),
      ),
    );
  });

  it('are none for any other text', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(decodeHandle(text)).toBeUndefined()));
    expect(decodeHandle('0 1 2 3 9 broker 0 0 0 1')).toBeUndefined();
  });

  it.each([
    ['0', 't', 't'],
    ['1', 't', '%RETRY%g_t'],
    ['2', 't', '%RETRY%g+t'],
    ['1', '%RETRY%g', '%RETRY%g'],
  ] as const)('of kind %s of topic %s are settled under %s', (from, topic, stored) => {
    expect(storedTopic(topic, 'g', from)).toBe(stored);
  });
});
