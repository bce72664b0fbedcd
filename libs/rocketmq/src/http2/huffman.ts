// The Huffman code of HPACK (RFC 7541, appendix B). The code is canonical: the lengths of its codes give the codes.

import { HTTP2_CODE, Http2Error } from './frames.js';

/** The bits of the code of each byte, as runs of `length x count`, and of EOS, the last one. */
const RUNS =
  '13 23 28x7 24 30 28x2 30 28x8 30 28x9 6 10x2 12 13 6 8 11 10x2 8 11 8 6x3 5x3 6x7 7 8 15 6 12 10 13 6 7x22 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6x3 5 ' +
  '7x2 6x3 5 6 7 6 5x2 6 7x5 15 11 14 13 28 20 22 20x2 22x3 23 22 23x5 24 23 24x2 22 23 24 23x4 21 22 23 22 23x2 24 22 21 20 22x2 23x2 21 23 22x2 ' +
  '24 21 22 23x2 21x2 22 21 23 22 23x2 20 22x3 23 22x2 23 26x2 20 19 22 23 22 25 26x3 27x2 26 24 25 19 21 26 27x2 26 27 24 21x2 26x2 28 27x3 20 24 ' +
  '20 21 22 21x2 23 22x2 25x2 24x2 26 23 26 27 26x2 27x5 28 27x5 26 30';

const EOS = 256;
const MAX_BITS = 30;

interface Code {
  /** By the number of bits: the first code of that length, and where its symbols begin. */
  readonly firstCode: readonly number[];
  readonly firstSymbol: readonly number[];
  readonly counts: readonly number[];
  readonly symbols: readonly number[];
}

const CODE = codeOf(
  RUNS.split(' ').flatMap((run) => {
    const [bits = 0, count = 1] = run.split('x').map(Number);
    return Array<number>(count).fill(bits);
  }),
);

function codeOf(lengths: readonly number[]): Code {
  const counts = Array.from({ length: MAX_BITS + 1 }, (_, bits) => lengths.filter((length) => length === bits).length);
  const firstCode = [0];
  const firstSymbol = [0];
  for (let bits = 1; bits <= MAX_BITS; bits++) {
    const before = counts[bits - 1] ?? 0;
    firstCode[bits] = ((firstCode[bits - 1] ?? 0) + before) * 2;
    firstSymbol[bits] = (firstSymbol[bits - 1] ?? 0) + before;
  }
  const symbols = lengths.map((_, symbol) => symbol).sort((one, other) => (lengths[one] ?? 0) - (lengths[other] ?? 0));
  return { firstCode, firstSymbol, counts, symbols };
}

/** Decodes a string, whose bytes become characters of the same codes. @throws Http2Error COMPRESSION_ERROR */
export function decodeHuffman(bytes: Buffer, from: number, to: number): string {
  const { firstCode, firstSymbol, counts, symbols } = CODE;
  const text: number[] = [];
  let code = 0;
  let bits = 0;
  for (let at = from; at < to; at++) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + (((bytes[at] as number) >> bit) & 1);
      bits++;
      if (bits > MAX_BITS) throw invalid();
      const offset = code - (firstCode[bits] as number);
      if (offset < 0 || offset >= (counts[bits] as number)) continue;
      const symbol = symbols[(firstSymbol[bits] as number) + offset] as number;
      if (symbol === EOS) throw invalid();
      text.push(symbol);
      code = 0;
      bits = 0;
    }
  }
  // The padding is the beginning of EOS, which is all ones, and shorter than a byte.
  if (bits > 7 || code !== 2 ** bits - 1) throw invalid();
  return Buffer.from(text).toString('latin1');
}

function invalid(): Http2Error {
  return new Http2Error(HTTP2_CODE.compressionError, 'a header has an invalid Huffman code');
}
