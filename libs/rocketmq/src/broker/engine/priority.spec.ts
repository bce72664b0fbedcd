import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import { messagesOf } from './views.js';

function priorities(harness: EngineHarness, ...values: number[]): void {
  for (const priority of values) harness.send('urgent', `p${priority}-`, { type: 'priority', priority });
}

function withTopic(queues = 4): EngineHarness {
  const harness = new EngineHarness();
  harness.engine.declareTopic({ name: 'urgent', type: 'priority', queues });
  return harness;
}

describe('a priority topic', () => {
  it('stores each priority in its own queue, and higher ones in the last queue', () => {
    const harness = withTopic(3);
    priorities(harness, 0, 1, 2, 3, 100);
    expect(messagesOf(harness.store, 'urgent').map(({ queueId }) => queueId)).toEqual([0, 1, 2, 2, 2]);
  });

  it('delivers the highest priority first, whatever was sent first', () => {
    const harness = withTopic();
    priorities(harness, 0, 3, 1, 2, 3);
    expect(harness.popIds('urgent', 'g', { batchSize: 3 })).toEqual(['p3-1', 'p3-1', 'p2-1']);
    expect(harness.popIds('urgent', 'g')).toEqual(['p1-1', 'p0-1']);
  });

  it('redelivers before new messages of the same priority, and after higher ones', () => {
    const harness = withTopic();
    priorities(harness, 1);
    harness.pop('urgent', 'g', { leaseMs: 10_000 });
    priorities(harness, 0, 1, 2);
    harness.advance(10_000);
    expect(harness.popIds('urgent', 'g')).toEqual(['p2-1', 'p1-2', 'p1-1', 'p0-1']);
  });

  it('has the same order for ordered groups', () => {
    const harness = withTopic();
    harness.engine.declareGroup({ name: 'ordered', fifo: true });
    priorities(harness, 0, 2, 1, 2);
    expect(harness.popIds('urgent', 'ordered')).toEqual(['p2-1', 'p2-1', 'p1-1', 'p0-1']);
  });

  it('accepts only messages with a priority, and other topics reject those', () => {
    const harness = withTopic();
    expect(() => harness.send('urgent', 'plain')).toThrow('takes priority messages');
    expect(() => harness.send('new', 'urgent one', { type: 'priority', priority: 1 })).toThrow('priority');
  });
});
