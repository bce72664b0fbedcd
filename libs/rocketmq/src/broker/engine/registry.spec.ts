import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';

const DELAY = { type: 'delay', deliveryTimestampMs: 0 } as const;

describe('topics and groups', () => {
  it('are created on first use; a topic takes the type of its first message', () => {
    const harness = new EngineHarness();
    expect(harness.engine.topic('t')).toMatchObject({ type: undefined, queues: 8 });
    harness.send('t', 'm', DELAY);
    expect(harness.engine.topic('t').type).toBe('delay');
    expect(() => harness.send('t', 'n')).toThrow('takes delay messages');
    expect(harness.engine.group('g')).toMatchObject({ fifo: false, maxDeliveryAttempts: 17 });
  });

  it('must be declared if the broker is strict, at startup or later', () => {
    const harness = new EngineHarness({ strict: true });
    expect(() => harness.send('t', 'm')).toThrow('topic "t" does not exist');
    expect(() => harness.engine.group('g')).toThrow('group not found: g');
    harness.engine.declareTopic({ name: 't' });
    harness.engine.declareGroup({ name: 'g' });
    harness.send('t', 'm');
    expect(harness.popIds('t', 'g')).toEqual(['m1']);
    expect(() => harness.send('t', 'n', DELAY)).toThrow('takes normal messages');
  });

  it('keep their type and, once used, their order; the number of queues can only grow', () => {
    const harness = new EngineHarness();
    harness.engine.declareTopic({ name: 't', type: 'fifo', queues: 4 });
    expect(() => harness.engine.declareTopic({ name: 't', type: 'delay', queues: 4 })).toThrow('cannot become delay');
    expect(() => harness.engine.declareTopic({ name: 't', type: 'fifo', queues: 2 })).toThrow('cannot shrink');
    harness.engine.declareTopic({ name: 't', type: 'fifo', queues: 6 });
    expect(harness.engine.topic('t').queues).toBe(6);
    harness.engine.declareGroup({ name: 'g' });
    harness.engine.declareGroup({ name: 'g', fifo: true });
    harness.send('t', 'm', { type: 'fifo', messageGroup: 'x' });
    harness.pop('t', 'g');
    expect(() => harness.engine.declareGroup({ name: 'g', fifo: false })).toThrow('that cannot change');
  });

  it('are not created for the dead letters of a group that has none', () => {
    expect(() => new EngineHarness().engine.topic('%DLQ%g')).toThrow('does not exist');
  });
});
