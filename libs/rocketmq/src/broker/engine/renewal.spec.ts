import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import type { Delivery } from './deliveries.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function popped(harness: EngineHarness): Delivery {
  const [delivery] = harness.pop('t', 'g', { leaseMs: MINUTE_MS, renewFor: 'c' }).deliveries;
  return delivery as Delivery;
}

describe('a lease that the broker renews', () => {
  it('lasts while its client is connected, and its handle stays valid', () => {
    const harness = new EngineHarness();
    harness.present.add('c');
    harness.send('t', 'm');
    const delivery = popped(harness);
    harness.advance(HOUR_MS);
    expect(harness.popIds('t', 'g')).toEqual([]);
    harness.ack(delivery, 'g');
    harness.advance(HOUR_MS);
    expect(harness.popIds('t', 'g')).toEqual([]);
  });

  it('ends when its client is no longer connected', () => {
    const harness = new EngineHarness();
    harness.present.add('c');
    harness.send('t', 'm');
    popped(harness);
    harness.advance(MINUTE_MS);
    harness.present.delete('c');
    harness.advance(MINUTE_MS);
    expect(harness.popIds('t', 'g')).toEqual(['m2']);
  });

  it('ends after three hours in any case', () => {
    const harness = new EngineHarness();
    harness.present.add('c');
    harness.send('t', 'm');
    popped(harness);
    harness.advance(3 * HOUR_MS);
    expect(harness.popIds('t', 'g')).toEqual(['m2']);
  });

  it("ends a second after its client disconnects in order, and no other client's lease does", () => {
    const harness = new EngineHarness();
    harness.present.add('c').add('d');
    harness.send('t', 'm');
    popped(harness);
    harness.send('t', 'n');
    harness.pop('t', 'g', { leaseMs: MINUTE_MS, renewFor: 'd' });
    harness.engine.releaseLeases('g', 'c', harness.nowMs);
    harness.advance(999);
    expect(harness.popIds('t', 'g')).toEqual([]);
    harness.advance(1);
    expect(harness.popIds('t', 'g')).toEqual(['m2']);
  });

  it('is no longer renewed once the consumer changes the invisible duration itself', () => {
    const harness = new EngineHarness();
    harness.present.add('c');
    harness.send('t', 'm');
    const { receiptHandle } = popped(harness);
    const handle = { topic: 't', group: harness.engine.group('g'), receiptHandle, nowMs: harness.nowMs };
    harness.engine.changeInvisible({ ...handle, invisibleMs: 5_000, suspend: false });
    harness.advance(5_000);
    expect(harness.popIds('t', 'g')).toEqual(['m2']);
  });
});
