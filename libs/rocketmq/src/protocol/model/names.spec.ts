import { describe, expect, it } from '@jest/globals';
import { consumerGroupNameFault, topicNameFault } from './names.js';

describe('a name', () => {
  it('of a consumer group ends at 120 characters, that of a topic at 127', () => {
    expect([120, 121].map((length) => consumerGroupNameFault('g'.repeat(length)))).toEqual([undefined, 'too-long']);
    expect([127, 128].map((length) => topicNameFault('t'.repeat(length)))).toEqual([undefined, 'too-long']);
  });
});
