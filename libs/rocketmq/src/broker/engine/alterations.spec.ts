import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import { DEFAULT_BACKOFF } from '../../protocol/model/delay-levels.js';

const altered = (harness: EngineHarness, name: string, group: { fifo?: boolean; maxDeliveryAttempts?: number }): void =>
  harness.engine.alterGroup({ name, fifo: false, maxDeliveryAttempts: 17, backoff: DEFAULT_BACKOFF, ...group });

describe('an altered topic', () => {
  it('wakes waiting consumers when it gets more queues', () => {
    const harness = new EngineHarness();
    harness.engine.alterTopic({ name: 't', type: 'normal', queues: 1 });
    harness.available.length = 0;
    harness.engine.alterTopic({ name: 't', type: undefined, queues: 2 });
    expect(harness.available).toEqual([{ topic: 't', group: undefined }]);
    expect(harness.engine.topic('t')).toEqual({ name: 't', type: 'normal', queues: 2 });
  });

  it('lets messages delivered from a removed queue be acked and redelivered', () => {
    const harness = new EngineHarness();
    harness.engine.alterTopic({ name: 't', type: 'priority', queues: 2 });
    for (const priority of [1, 1]) harness.send('t', `p${priority}`, { type: 'priority', priority });
    const [first] = harness.pop('t', 'g').deliveries;
    harness.engine.alterTopic({ name: 't', type: 'priority', queues: 1 });
    if (first !== undefined) harness.ack(first, 'g');
    harness.advance(30_000);
    expect(harness.popIds('t', 'g')).toEqual(['p12']);
  });
});

describe('an altered group', () => {
  it('applies its new number of attempts from the next pop on', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm');
    harness.pop('t', 'g', { leaseMs: 10_000 });
    altered(harness, 'g', { maxDeliveryAttempts: 1 });
    harness.advance(10_000);
    expect(harness.popIds('t', 'g')).toEqual([]);
    expect(harness.popIds('%DLQ%g', 'reader')).toHaveLength(1);
  });

  it('that is no longer ordered loses no unsettled message and redelivers no settled one', () => {
    const harness = new EngineHarness();
    harness.engine.alterTopic({ name: 't', type: 'normal', queues: 1 });
    harness.engine.declareGroup({ name: 'g', fifo: true });
    for (const id of ['a', 'b', 'c']) harness.send('t', id);
    const [, b] = harness.pop('t', 'g', { leaseMs: 10_000 }).deliveries;
    if (b !== undefined) harness.ack(b, 'g');
    altered(harness, 'g', { fifo: false });
    expect(harness.popIds('t', 'g')).toEqual([]);
    harness.advance(10_000);
    expect(harness.popIds('t', 'g')).toEqual(['a2', 'c2']);
  });

  it('that becomes ordered receives waiting messages in order', () => {
    const harness = new EngineHarness();
    harness.engine.alterTopic({ name: 't', type: 'normal', queues: 1 });
    for (const id of ['a', 'b', 'c']) harness.send('t', id);
    harness.pop('t', 'g', { batchSize: 2, leaseMs: 10_000 });
    altered(harness, 'g', { fifo: true });
    expect(harness.popIds('t', 'g')).toEqual([]);
    harness.advance(10_000);
    expect(harness.popIds('t', 'g')).toEqual(['a2', 'b2', 'c1']);
  });
});
