// Codecs of bodies: JSON, JSON with 64-bit integers, text, bytes.

import { HALF_CHARACTER_PROBLEM, hasHalfCharacter } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';
import { assertOptions, checkedElsewhere, describe } from '../../support/options.js';
import { systemRandom } from '../../support/random.js';

/**
 * Converts bodies into bytes and back: `decode` of what `encode` returns is the body. A message by the name of its topic is different: its body is
 * sent as it is when it is bytes or a string (as UTF-8), and encoded otherwise.
 */
export interface BodyCodec {
  /** Throws when the body has no form as bytes; nothing is sent then. */
  encode(body: unknown): Uint8Array;
  /**
   * Throws when the body cannot be decoded; a retry does not help then. The message of an {@link UndecodableBody} becomes part of the error that
   * the application sees; that of other errors does not, because parsers quote what they read.
   */
  decode(bytes: Buffer): unknown;
  /** The media type of the bytes, for the AsyncAPI document. Default: none, the document does not say. */
  readonly contentType?: string;
}

/** Why a codec cannot decode a body, for an error or a log; it must not quote the body. */
export class UndecodableBody extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'UndecodableBody';
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The text of a body, without a byte order mark. Bytes that are no text must not become other ones. @throws UndecodableBody */
function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new UndecodableBody('it is not UTF-8; a Java sender must name the charset: getBytes(StandardCharsets.UTF_8)');
  }
}

/** @throws UndecodableBody */
function jsonIn(bytes: Uint8Array, parse: (text: string) => unknown): unknown {
  const text = textOf(bytes);
  try {
    return parse(text);
  } catch (error) {
    throw error instanceof UndecodableBody ? error : new UndecodableBody('it is not JSON');
  }
}

/**
 * JSON in UTF-8; the default. Numbers are those of JavaScript: an integer beyond 2^53 is rounded when it is received, such as a 64-bit id of another
 * language. {@link exactJsonCodec} keeps it.
 */
export const jsonCodec: BodyCodec = {
  encode(body) {
    if (body instanceof ArrayBuffer || ArrayBuffer.isView(body))
      throw new TypeError('bytes have no JSON form; a topic of bytes needs codec: bytesCodec');
    const text = JSON.stringify(body);
    if (text === undefined) throw new TypeError(`${typeof body} has no JSON form; null has`);
    return Buffer.from(text, 'utf8');
  },
  decode: (bytes) => jsonIn(bytes, JSON.parse),
  contentType: 'application/json',
};

/** What {@link exactJsonCodec} makes of integers beyond 2^53. */
export interface ExactJsonOptions {
  /**
   * What a handler gets for an integer that a number of JavaScript cannot hold: a `bigint`, or a string of its digits. Smaller ones stay numbers;
   * in a schema, `z.coerce.bigint()` or `z.coerce.string()` makes them all alike. A `bigint` is sent as an integer, whatever is chosen here.
   */
  readonly largeIntegers: 'bigint' | 'string';
}

/**
 * JSON in UTF-8 that keeps 64-bit integers, such as a `long` of Java: `codec: exactJsonCodec({ largeIntegers: 'bigint' })` for one topic, or in
 * `RocketMQModule` for all. Integers may have up to 40 digits, and nesting has no limit but the size of a body. Other numbers are those of JavaScript: a decimal has 15 to 17 digits.
 * @throws UsageError `ILLEGAL_OPTION`
 */
export function exactJsonCodec(options: ExactJsonOptions): BodyCodec {
  assertOptions(options, { options: { largeIntegers: checkedElsewhere } });
  const { largeIntegers } = options;
  if (largeIntegers !== 'bigint' && largeIntegers !== 'string') {
    const text = `largeIntegers must be bigint or string, not ${describe(largeIntegers)}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'largeIntegers');
  }
  const large = largeIntegers === 'bigint' ? (digits: bigint) => digits : String;
  return { ...jsonCodec, encode: encodeExactly, decode: (bytes) => jsonIn(bytes, (text) => parseExactly(text, large)) };
}

function encodeExactly(body: unknown): Uint8Array {
  // Stands for an integer until the text is complete: no string of the body can contain it, because it is new.
  const mark = systemRandom.uuid();
  let areLarge = false;
  const text = JSON.stringify(body, function (this: Readonly<Record<string, unknown>>, key, value) {
    const given = this[key];
    if (typeof given !== 'bigint') return value;
    areLarge = true;
    return `${mark}${given}`;
  });
  if (!areLarge) return jsonCodec.encode(body);
  // Each part behind a mark begins with digits and the closing quote.
  const [first = '', ...marked] = text.split(`"${mark}`);
  return Buffer.from(first + marked.map((part) => part.replace('"', '')).join(''), 'utf8');
}

/** A BigInt of millions of digits would take minutes. */
const MAX_INTEGER_DIGITS = 40;
const MAY_BE_ROUNDED = /\d{16}/;
/** A number of JSON, or the beginning of a string. */
const numbersAndStrings = (): RegExp => /"|-?(\d+)(\.\d+)?([eE][+-]?\d+)?/g;

/** @throws UndecodableBody, SyntaxError */
function parseExactly(text: string, large: (integer: bigint) => unknown): unknown {
  // What follows expects JSON.
  const rounded: unknown = JSON.parse(text);
  if (!MAY_BE_ROUNDED.test(text)) return rounded;
  // As in encodeExactly, a mark stands for an integer while the engine's parser, which has no limit of depth, does the rest.
  const mark = systemRandom.uuid();
  const parts: string[] = [];
  let end = 0;
  const numbers = numbersAndStrings();
  for (let found = numbers.exec(text); found !== null; found = numbers.exec(text)) {
    const [number, digits, decimals, exponent] = found;
    if (digits === undefined) {
      numbers.lastIndex = endOfString(text, found.index);
    } else if (decimals === undefined && exponent === undefined && !Number.isSafeInteger(Number(number))) {
      if (digits.length > MAX_INTEGER_DIGITS)
        throw new UndecodableBody(`it has an integer of ${digits.length} digits; the limit is ${MAX_INTEGER_DIGITS}`);
      parts.push(text.slice(end, found.index), `"${mark}${number}"`);
      end = numbers.lastIndex;
    }
  }
  if (parts.length === 0) return rounded;
  return unmarked(JSON.parse(parts.join('') + text.slice(end)), mark, large);
}

/** The index behind the closing quote of a string in valid JSON. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
}

/** The value with its integers in place of the marked ones. It changes the parsed value, and without recursion, because the nesting may be any. */
function unmarked(parsed: unknown, mark: string, large: (integer: bigint) => unknown): unknown {
  const root = { value: parsed };
  const containers: Record<string, unknown>[] = [root];
  for (let container = containers.pop(); container !== undefined; container = containers.pop()) {
    for (const [key, value] of Object.entries(container)) {
      // An own `__proto__` stays one when it is assigned.
      if (typeof value === 'string' && value.startsWith(mark)) container[key] = large(BigInt(value.slice(mark.length)));
      else if (typeof value === 'object' && value !== null) containers.push(value as Record<string, unknown>);
    }
  }
  return root.value;
}

/** For topics whose bodies are strings, as UTF-8; a byte order mark is dropped when one is received. */
export const textCodec: BodyCodec = {
  encode(body) {
    if (typeof body !== 'string')
      throw new TypeError(`the body of a topic with textCodec must be a string, not ${typeof body}`);
    if (hasHalfCharacter(body)) throw new TypeError(HALF_CHARACTER_PROBLEM);
    return Buffer.from(body, 'utf8');
  },
  decode: textOf,
  contentType: 'text/plain',
};

/** For topics whose bodies are bytes; a handler gets a Buffer. */
export const bytesCodec: BodyCodec = {
  encode(body) {
    if (body instanceof Uint8Array) return body;
    throw new TypeError(`the body of a topic with bytesCodec must be a Buffer or Uint8Array, not ${typeof body}`);
  },
  decode: (bytes) => bytes,
  contentType: 'application/octet-stream',
};
