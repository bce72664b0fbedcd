import { describe, expect, it } from '@jest/globals';
import {
  type ConsumptionEvent,
  consumptionOrderViolations,
  consumptionViolations,
  silentRepetitions,
} from './consumption-history.js';

const sent = (id: string, messageGroup?: string): ConsumptionEvent => ({
  kind: 'sent',
  id,
  ...(messageGroup === undefined ? {} : { messageGroup }),
});
const begun = (id: string, consumer = 'A'): ConsumptionEvent => ({ kind: 'begun', id, consumer });
const handled = (id: string, consumer = 'A'): ConsumptionEvent => ({ kind: 'handled', id, consumer });
const failed = (id: string, consumer = 'A'): ConsumptionEvent => ({ kind: 'failed', id, consumer });
const doubted = (id: string, consumer = 'A'): ConsumptionEvent => ({ kind: 'doubted', id, consumer });
const certain = (id: string): ConsumptionEvent => ({ kind: 'certain', id });

function all(history: readonly ConsumptionEvent[]): string[] {
  return [...consumptionViolations(history), ...silentRepetitions(history), ...consumptionOrderViolations(history)];
}

describe('the checkers of consumption', () => {
  it('find nothing in correct histories', () => {
    const failedOnce = [sent('a'), begun('a'), failed('a'), begun('a', 'B'), handled('a', 'B'), certain('a')];
    const lostLease = [sent('a'), begun('a'), doubted('a'), begun('a', 'B'), handled('a'), handled('a', 'B')];
    const crash: ConsumptionEvent[] = [sent('a'), begun('a'), { kind: 'crashed', consumer: 'A' }, begun('a', 'B')];
    const dead: ConsumptionEvent[] = [sent('a'), begun('a'), failed('a'), { kind: 'dead', id: 'a' }];
    const unsure = [sent('a'), begun('a'), handled('a'), doubted('a'), begun('a', 'B'), handled('a', 'B')];
    for (const history of [failedOnce, lostLease, [...crash, handled('a', 'B')], dead, unsure]) {
      expect(all(history)).toEqual([]);
    }
  });

  it('find a message that was lost, and one that nobody sent', () => {
    expect(all([sent('a'), begun('a'), failed('a')])).toEqual(['a was lost']);
    expect(all([begun('ghost')])).toEqual(['ghost was handled without being sent']);
  });

  it('find a message that was handled twice at the same time, by one consumer or two', () => {
    for (const second of ['A', 'B']) {
      expect(all([sent('a'), begun('a'), begun('a', second), handled('a'), handled('a', second)])).toEqual([
        'a was handled by two at once',
      ]);
    }
  });

  it('find a message that was redelivered after its settlement was confirmed', () => {
    expect(consumptionViolations([sent('a'), begun('a'), handled('a'), certain('a'), begun('a', 'B')])).toEqual([
      'a was redelivered after its end was certain',
    ]);
  });

  it('find a message that was redelivered although its consumer got no notice', () => {
    const history = [sent('a'), begun('a'), handled('a'), begun('a', 'B'), handled('a', 'B')];
    expect(all(history)).toEqual(['a was redelivered without notice']);
  });

  it('find a message that was handled before an earlier one of its group', () => {
    const overtaking = [sent('a', 'g'), sent('b', 'g'), sent('c', 'h'), begun('a'), begun('b', 'B'), begun('c')];
    expect(consumptionOrderViolations(overtaking)).toEqual(['b was handled before a']);
    const beside = [sent('a', 'g'), sent('b', 'g'), begun('a'), doubted('a'), begun('a'), handled('a'), begun('b')];
    expect(consumptionOrderViolations(beside)).toEqual(['a was handled beside a']);
    const inTurn = [sent('a', 'g'), sent('b', 'g'), begun('a'), handled('a'), begun('b'), handled('b'), begun('a')];
    expect(consumptionOrderViolations(inTurn)).toEqual([]);
  });
});
