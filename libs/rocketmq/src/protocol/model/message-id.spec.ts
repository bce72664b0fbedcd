import { describe, expect, it } from '@jest/globals';
import { systemRandom } from '../../support/random.js';
import { MessageIdGenerator } from './message-id.js';

describe('MessageIdGenerator', () => {
  it('generates 34 upper-case hex digits: version, node, process, second since 2021, sequence', () => {
    const ids = new MessageIdGenerator({ ...systemRandom, bytes: (size) => Buffer.alloc(size, 0xab) }, 0x12345);
    const at = Date.UTC(2021, 0, 1, 0, 0, 16);
    expect([ids.next(at), ids.next(at)]).toEqual([
      '01ABABABABABAB23450000001000000000',
      '01ABABABABABAB23450000001000000001',
    ]);
  });
});
