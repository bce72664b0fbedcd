import { describe, expect, it } from '@jest/globals';
import { type DeliveryEvent, deliveryViolations, orderedViolations, unorderedViolations } from './delivery-history.js';

function visible(id: string, offset: number): DeliveryEvent {
  return { kind: 'visible', id, queueId: 0, offset };
}

function delivered(id: string, pop: number, atMs = 0, attempt = 1): DeliveryEvent {
  return { kind: 'delivered', id, pop, attempt, atMs, leaseEndsAtMs: atMs + 10, receiptHandle: `${id}${pop}` };
}

function settled(id: string, by = 'broker'): DeliveryEvent {
  return { kind: 'settled', id, by };
}

describe('the checkers of deliveries', () => {
  it('find nothing in a correct history', () => {
    const history = [
      visible('a', 0),
      visible('b', 1),
      delivered('a', 1),
      delivered('b', 1),
      settled('b'),
      delivered('a', 2, 10, 2),
      settled('a'),
    ];
    expect(deliveryViolations(history, 2)).toEqual([]);
    expect(unorderedViolations(history)).toEqual([]);
  });

  it('find a message that was delivered while invisible', () => {
    expect(deliveryViolations([delivered('half', 1)], 2)).toEqual(['half was delivered while invisible']);
  });

  it('find a message that two consumers held at the same time, unless its lease was changed', () => {
    const twice = [visible('a', 0), delivered('a', 1, 0), delivered('a', 2, 5), settled('a')];
    expect(deliveryViolations(twice, 2)).toEqual(['a was leased twice']);
    const moved: DeliveryEvent = { kind: 'leaseMoved', id: 'a', leaseEndsAtMs: 4, by: 'a1', receiptHandle: 'a1-moved' };
    expect(deliveryViolations([...twice.slice(0, 2), moved, ...twice.slice(2)], 2)).toEqual([]);
  });

  it('find a message that was settled with a replaced handle', () => {
    const history = [visible('a', 0), delivered('a', 1), delivered('a', 2, 10), settled('a', 'a1')];
    expect(deliveryViolations(history, 2)).toEqual(['a was settled by a dead handle']);
    expect(deliveryViolations([...history.slice(0, 3), settled('a', 'a2')], 2)).toEqual([]);
  });

  it('find an excess attempt and a lost message', () => {
    const history = [visible('a', 0), visible('b', 1), delivered('a', 1, 0, 3), settled('a')];
    expect(deliveryViolations(history, 2)).toEqual(['a had attempt 3', 'b was lost']);
  });

  it('find a settled message that was redelivered', () => {
    const history = [visible('a', 0), delivered('a', 1), settled('a'), delivered('a', 2, 20)];
    expect(unorderedViolations(history)).toEqual(['a came back after it was settled']);
    expect(orderedViolations(history)).toEqual(['a came back after all up to it was settled']);
  });

  it('find a message that overtook an unsettled one of its queue', () => {
    const history = [visible('a', 0), visible('b', 1), delivered('a', 1), delivered('b', 2)];
    expect(orderedViolations(history)).toEqual(['b overtook a']);
  });

  it('allow an ordered group to receive a settled message again behind an unsettled one', () => {
    const history = [
      visible('a', 0),
      visible('b', 1),
      delivered('a', 1),
      delivered('b', 1),
      settled('b'),
      delivered('a', 2, 10, 2),
      delivered('b', 2, 10, 2),
    ];
    expect(orderedViolations(history)).toEqual([]);
  });
});
