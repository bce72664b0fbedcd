import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/support/engine-harness.js';
import type { Delivery } from '../engine/deliveries.js';
import type { TransactionCheck } from '../engine/transactions.js';
import { toCheckedMessage, toDeliveredMessage } from './wire-messages.js';

const STORE_HOST = '127.0.0.1:8081';

function delivered(harness: EngineHarness) {
  const [delivery] = harness.pop('t', 'g').deliveries;
  return toDeliveredMessage(delivery as Delivery, STORE_HOST);
}

describe('what clients of Apache RocketMQ 5.5 see of its bookkeeping is seen here too', () => {
  it('shows the message group among the properties', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { type: 'fifo', messageGroup: 'order-1', properties: { p: 'v' } });
    expect(delivered(harness).userProperties).toEqual({ p: 'v', __SHARDINGKEY: 'order-1' });
  });

  it('shows the transaction of a committed message, and how often it was checked', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { type: 'transaction', properties: { p: 'v' } });
    harness.advance(6_000);
    harness.end('t', 'm', 'commit');
    const expected = { p: 'v', __transactionId__: 'm', TRANSACTION_CHECK_TIMES: '1' };
    expect(delivered(harness).userProperties).toEqual(expected);
  });

  it('shows no number of checks on a message that needed none', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { type: 'transaction' });
    harness.end('t', 'm', 'commit');
    expect(delivered(harness).userProperties).toEqual({ __transactionId__: 'm' });
  });

  it('asks a producer about a half message as if it were its first delivery', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { type: 'transaction' });
    harness.advance(6_000);
    const checked = toCheckedMessage(harness.checks[0] as TransactionCheck, STORE_HOST);
    expect(checked.systemProperties?.deliveryAttempt).toBe(1);
    expect(checked.userProperties).toEqual({ __transactionId__: 'm', TRANSACTION_CHECK_TIMES: '1' });
  });
});
