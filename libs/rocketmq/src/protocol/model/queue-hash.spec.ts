import { describe, expect, it } from '@jest/globals';
import { queueOfMessageGroup } from './queue-hash.js';

describe('queueOfMessageGroup', () => {
  it.each([
    ['', 0, 0],
    ['a', 0, 0],
    ['g1', 0, 6],
    ['group-1', 1, 7],
    ['order-12345', 2, 4],
  ])('chooses for %j what the server chooses among 4 and 8 queues', (messageGroup, ofFour, ofEight) => {
    expect(queueOfMessageGroup(messageGroup, 4)).toBe(ofFour);
    expect(queueOfMessageGroup(messageGroup, 8)).toBe(ofEight);
  });
});
