// The values of SQL filters and how they compare: as the real server's Java types do, surprises included
// (`ComparisonExpression` of 5.5.0; test/contract/sql-filter.spec.ts). No syntax here.

/** An integer. A literal beyond 32 bits is a 64-bit one; text compared with it must fit into the same number of bits. */
export interface SqlInteger {
  readonly value: bigint;
  readonly bits: 32 | 64;
}

/** null: unknown, as a property that a message does not have. A `number` is a literal with a point or an exponent. */
export type SqlValue = string | boolean | number | SqlInteger | null;

/** A comparison that has no answer for this message, so that the message is not matched whatever surrounds it. */
export class Incomparable extends Error {}

/** What `Long.valueOf` reads: no more digits than a 64-bit number has, but for zeros before them. */
const WHOLE = /^([+-]?)0*(\d{1,19})$/;
/** What `Double.valueOf` reads, without hexadecimal. */
const DECIMAL = /^\s*([+-]?)(NaN|Infinity|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)[fFdD]?\s*$/;

/** Of a 64-bit number. */
const MOST_DIGITS = 19;

/** Makes a literal's digits a value; undefined when they do not fit into 64 bits. */
export function integerOf(digits: string): SqlInteger | undefined {
  if (digits.length > MOST_DIGITS) return undefined;
  const value = BigInt(digits);
  if (!fits(value, 64)) return undefined;
  return { value, bits: fits(value, 32) ? 32 : 64 };
}

/** `=`: unknown when the left side is, false when only the right side is, true when both are. */
export function isEqual(left: SqlValue, right: SqlValue): boolean | null {
  if (left === null) return right === null ? true : null;
  return right !== null && (left === right || compare(left, right) === 0);
}

/** How the left side lies to the right one, negative, 0 or positive; null when a side is unknown. */
export function order(left: SqlValue, right: SqlValue): number | null {
  if (left === null || right === null) return null;
  // Two texts have an order only as numbers.
  const areTexts = typeof left === 'string' && typeof right === 'string';
  return areTexts ? compareNumbers(decimalOf(left), decimalOf(right)) : compare(left, right);
}

/** @throws Incomparable when text is not of the other side's type */
export function compare(left: NonNullable<SqlValue>, right: NonNullable<SqlValue>): number {
  if (typeof left === 'boolean' || typeof right === 'boolean') return compareBooleans(left, right);
  if (typeof left === 'string') {
    if (typeof right !== 'string') return compareNumbers(readAs(right, left), right);
    return left === right ? 0 : left < right ? -1 : 1;
  }
  return compareNumbers(left, typeof right === 'string' ? readAs(left, right) : right);
}

function compareBooleans(left: NonNullable<SqlValue>, right: NonNullable<SqlValue>): number {
  if (typeof left === 'string') return Number(left.toLowerCase() === 'true') - Number(right);
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right);
  // The real server fails to convert the text here; only with the text on the left it succeeds.
  if (typeof right === 'string') throw new Incomparable('a boolean cannot be compared with a string');
  return -1;
}

function compareNumbers(left: number | SqlInteger, right: number | SqlInteger): number {
  if (typeof left === 'object' && typeof right === 'object') {
    return left.value === right.value ? 0 : left.value < right.value ? -1 : 1;
  }
  const [one, other] = [asDecimal(left), asDecimal(right)];
  // NaN is equal to itself and above all else, as in Java.
  if (Number.isNaN(one) || Number.isNaN(other)) return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
  return one === other ? 0 : one < other ? -1 : 1;
}

function asDecimal(value: number | SqlInteger): number {
  return typeof value === 'object' ? Number(value.value) : value;
}

/** Text as a number of the kind of `model`. */
function readAs(model: number | SqlInteger, text: string): number | SqlInteger {
  if (typeof model === 'number') return decimalOf(text);
  const [, sign, digits] = WHOLE.exec(text) ?? [];
  const value = digits === undefined ? undefined : BigInt(sign === '-' ? `-${digits}` : digits);
  if (value === undefined || !fits(value, model.bits)) {
    throw new Incomparable(`"${text}" is not an integer of ${model.bits} bits`);
  }
  return { value, bits: model.bits };
}

function decimalOf(text: string): number {
  const [, sign, digits] = DECIMAL.exec(text) ?? [];
  if (digits === undefined) throw new Incomparable(`"${text}" is not a number`);
  return sign === '-' ? -Number(digits) : Number(digits);
}

function fits(value: bigint, bits: 32 | 64): boolean {
  return BigInt.asIntN(bits, value) === value;
}
