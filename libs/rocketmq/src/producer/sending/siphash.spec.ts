import { describe, expect, it } from '@jest/globals';
import { sipHash24 } from './siphash.js';

// Vectors computed by the official Java client's hash (Guava sipHash24 with its default key).
const VECTORS = [
  ['', '726fdb47dd0e0e31'],
  ['a', '2ba3e8e9a71148ca'],
  ['g1', 'd5c93ba344eff2ec'],
  ['group-1', 'aefe56766157004a'],
  ['order-12345', '26b8da1646381d42'],
] as const;

describe('sipHash24', () => {
  it.each(VECTORS)('returns for %j the same as the other clients', (text, hex) => {
    expect(BigInt.asUintN(64, sipHash24(text)).toString(16)).toBe(hex);
  });
});
