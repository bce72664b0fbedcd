// What other clients write on a message, and our own producer would not.

import { describe, expect } from '@jest/globals';
import { contractSuite } from './support/contract.js';
import { receivedInOrder } from './support/raw-store.js';

const contract = contractSuite();

describe('labels of other clients', () => {
  contract('are read without the blanks between and around keys', async (world) => {
    const messages = await receivedInOrder(world, await world.topic(), [
      // As rocketmq-client-go writes a list of two.
      'KEYS\u0001k1 k2 \u0002',
      'KEYS\u0001 k1\u0002',
      'KEYS\u0001k1  k2\u0002',
      'KEYS\u0001  \u0002',
    ]);
    expect(messages.map((message) => message?.keys)).toEqual([['k1', 'k2'], ['k1'], ['k1', 'k2'], []]);
  });

  contract('keep a value with the separator of names, and lose a property without a name or a value', async (world) => {
    const messages = await receivedInOrder(world, await world.topic(), [
      'a\u0001b\u0001c\u0002d\u00014\u0002',
      'a\u0001\u0002d\u00014\u0002',
      '\u0001b\u0002d\u00014\u0002',
    ]);
    expect(messages.map((message) => message?.properties)).toEqual([{ a: 'b\u0001c', d: '4' }, { d: '4' }, { d: '4' }]);
  });
});
