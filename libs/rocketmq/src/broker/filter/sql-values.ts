// The values of SQL filters. They compare exactly as the Java types of the real server do (`ComparisonExpression` of 5.5.0;
// test/contract/sql-filter.spec.ts).

/** An integer. A literal beyond 32 bits has 64 bits. A string that is compared with it must fit into the same number of bits. */
export interface SqlInteger {
  readonly value: bigint;
  readonly bits: 32 | 64;
}

/** null means unknown, for instance a missing property. A `number` is a literal with a decimal point or an exponent. */
export type SqlValue = string | boolean | number | SqlInteger | null;

/** The comparison fails for this message, so the message does not match, whatever the rest of the expression. */
export class Incomparable extends Error {}

/** What `Long.valueOf` parses: at most the digits of a 64-bit number, after any leading zeros. */
const INTEGER = /^([+-]?)0*(\d{1,19})$/;
/** What `Double.valueOf` parses, without hexadecimal. */
const DECIMAL = /^\s*([+-]?)(NaN|Infinity|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)[fFdD]?\s*$/;

/** The maximum number of digits of a 64-bit number. */
const MAX_DIGITS = 19;

/** Parses the digits of a literal; undefined if they do not fit into 64 bits. */
export function integerOf(digits: string): SqlInteger | undefined {
  if (digits.length > MAX_DIGITS) return undefined;
  const value = BigInt(digits);
  if (!fits(value, 64)) return undefined;
  return { value, bits: fits(value, 32) ? 32 : 64 };
}

/** `=`: null if the left side is unknown; false if only the right side is. */
export function isEqual(left: SqlValue, right: SqlValue): boolean | null {
  if (left === null) return right === null ? true : null;
  return right !== null && (left === right || compare(left, right) === 0);
}

/** Compares two values: negative, 0 or positive; null if a side is unknown. */
export function order(left: SqlValue, right: SqlValue): number | null {
  if (left === null || right === null) return null;
  // Two strings are ordered only as numbers.
  const areTexts = typeof left === 'string' && typeof right === 'string';
  return areTexts ? compareNumbers(decimalOf(left), decimalOf(right)) : compare(left, right);
}

/** @throws Incomparable if a string cannot be converted to the type of the other side */
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
  // The real server fails to convert the string here; it succeeds only if the string is on the left.
  if (typeof right === 'string') throw new Incomparable('a boolean cannot be compared with a string');
  return -1;
}

function compareNumbers(left: number | SqlInteger, right: number | SqlInteger): number {
  if (typeof left === 'object' && typeof right === 'object') {
    return left.value === right.value ? 0 : left.value < right.value ? -1 : 1;
  }
  const [one, other] = [asDecimal(left), asDecimal(right)];
  // As in Java, NaN is equal to itself and greater than any other number.
  if (Number.isNaN(one) || Number.isNaN(other)) return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
  return one === other ? 0 : one < other ? -1 : 1;
}

function asDecimal(value: number | SqlInteger): number {
  return typeof value === 'object' ? Number(value.value) : value;
}

/** Parses a string as a number of the type of `model`. */
function readAs(model: number | SqlInteger, text: string): number | SqlInteger {
  if (typeof model === 'number') return decimalOf(text);
  const [, sign, digits] = INTEGER.exec(text) ?? [];
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
