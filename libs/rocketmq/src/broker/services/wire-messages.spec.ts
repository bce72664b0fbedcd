import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import { message } from '../../../../../tools/wire/raw-grpc-client.js';
import type { Delivery } from '../engine/deliveries.js';
import type { DueCheck } from '../engine/transactions.js';
import { SAME_TIME } from '../time/client-time.js';
import { assertMessage } from './validation.js';
import { toCheckedMessage, toDeliveredMessage, toStoredMessage } from './wire-messages.js';

const PLACE = { storeHost: '127.0.0.1:8081', clientTime: SAME_TIME };

function delivered(harness: EngineHarness) {
  const [delivery] = harness.pop('t', 'g').deliveries;
  return toDeliveredMessage(delivery as Delivery, PLACE);
}

describe('the properties that Apache RocketMQ 5.5 adds to messages', () => {
  it('include the message group', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { type: 'fifo', messageGroup: 'order-1', properties: { p: 'v' } });
    expect(delivered(harness).userProperties).toEqual({ p: 'v', __SHARDINGKEY: 'order-1' });
  });

  it('include the transaction of a committed message, and the number of its checks', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { type: 'transaction', properties: { p: 'v' } });
    harness.advance(6_000);
    harness.end('t', 'm', 'commit');
    const expected = { p: 'v', __transactionId__: 'm', TRANSACTION_CHECK_TIMES: '1' };
    expect(delivered(harness).userProperties).toEqual(expected);
  });

  it('include no number of checks if there were none', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { type: 'transaction' });
    harness.end('t', 'm', 'commit');
    expect(delivered(harness).userProperties).toEqual({ __transactionId__: 'm' });
  });

  it('are sent with a transaction check like those of a first delivery', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { type: 'transaction' });
    harness.advance(6_000);
    const checked = toCheckedMessage(harness.checks[0] as DueCheck, PLACE);
    expect(checked.systemProperties?.deliveryAttempt).toBe(1);
    expect(checked.userProperties).toEqual({ __transactionId__: 'm', TRANSACTION_CHECK_TIMES: '1' });
  });
});

describe('a message to store', () => {
  const stored = (sent: ReturnType<typeof message>) =>
    toStoredMessage(sent, assertMessage(sent, 0, 0), { bornAtMs: 0, nowMs: 0, clientTime: SAME_TIME });

  it('has a key with a blank as two keys', () => {
    expect(stored(message('t', 'm', { keys: ['a b', 'c', ' d '] })).keys).toEqual(['a', 'b', 'c', 'd']);
  });

  it('has a body that keeps no larger buffer in memory', () => {
    const chunk = Buffer.alloc(10_000, 7);
    const { body } = stored({ ...message('t', 'm'), body: chunk.subarray(100, 200) });
    expect([body.equals(Buffer.alloc(100, 7)), body.buffer.byteLength]).toEqual([true, 100]);
    expect(stored({ ...message('t', 'm'), body: chunk.subarray(100) }).body.buffer).toBe(chunk.buffer);
  });
});
