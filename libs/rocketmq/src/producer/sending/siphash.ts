// SipHash-2-4, with which the clients of RocketMQ choose the queue of a message group. The key is fixed by convention.

const MASK = 0xffff_ffff_ffff_ffffn;
const K0 = 0x0706_0504_0302_0100n;
const K1 = 0x0f0e_0d0c_0b0a_0908n;

const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & MASK;

/** The 64-bit hash of the UTF-8 bytes of a string, signed like in the Java client. */
export function sipHash24(text: string): bigint {
  const bytes = Buffer.from(text, 'utf8');
  let v0 = K0 ^ 0x736f_6d65_7073_6575n;
  let v1 = K1 ^ 0x646f_7261_6e64_6f6dn;
  let v2 = K0 ^ 0x6c79_6765_6e65_7261n;
  let v3 = K1 ^ 0x7465_6462_7974_6573n;
  const rounds = (count: number): void => {
    for (let round = 0; round < count; round++) {
      v0 = (v0 + v1) & MASK;
      v1 = rotate(v1, 13n) ^ v0;
      v0 = rotate(v0, 32n);
      v2 = (v2 + v3) & MASK;
      v3 = rotate(v3, 16n) ^ v2;
      v0 = (v0 + v3) & MASK;
      v3 = rotate(v3, 21n) ^ v0;
      v2 = (v2 + v1) & MASK;
      v1 = rotate(v1, 17n) ^ v2;
      v2 = rotate(v2, 32n);
    }
  };
  const absorb = (word: bigint): void => {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  };
  const whole = bytes.length - (bytes.length % 8);
  for (let at = 0; at < whole; at += 8) absorb(bytes.readBigUInt64LE(at));
  let last = BigInt(bytes.length & 0xff) << 56n;
  for (let at = whole; at < bytes.length; at++) last |= BigInt(bytes[at] ?? 0) << BigInt(8 * (at - whole));
  absorb(last);
  v2 ^= 0xffn;
  rounds(4);
  return BigInt.asIntN(64, v0 ^ v1 ^ v2 ^ v3);
}
