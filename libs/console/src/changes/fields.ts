// The fields of the body of a change, checked.

import { ConsoleRejection } from '../http/exchange.js';

const MAX_TEXT_LENGTH = 8_192;
/** The latest time of a `Date`, in milliseconds since 1970. */
export const MAX_DATE_MS = 8_640_000_000_000_000;

/** Fields that are not what a change is about. */
const OF_MESSAGES: readonly string[] = ['action', 'text', 'edited', 'properties'];

/** Without what is nested deeper, of which a request may have any amount. */
function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const inside = Object.entries(value).filter(([, one]) => typeof one !== 'object');
  return inside.map(([name, one]) => (Array.isArray(value) ? String(one) : `${name} ${one}`)).join(' ');
}

/** Each throws a ConsoleRejection that names the field. */
export class Fields {
  private readonly fields: Readonly<Record<string, unknown>>;
  private readonly read = new Set<string>();

  constructor(body: unknown) {
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw new ConsoleRejection(400, 'WRONG_BODY', 'the body must be a JSON object; nothing was changed');
    this.fields = body as Record<string, unknown>;
  }

  text(name: string, longest = MAX_TEXT_LENGTH): string {
    const value = this.of(name);
    if (typeof value !== 'string' || value === '') throw wrong(`${name} must be a non-empty string`);
    if (value.length > longest) throw wrong(`${name} has more than ${longest} characters`);
    return value;
  }

  optionalText(name: string, longest = MAX_TEXT_LENGTH): string | undefined {
    const value = this.of(name);
    return value === undefined || value === '' ? undefined : this.text(name, longest);
  }

  texts(name: string, most: number): readonly string[] | undefined {
    const value = this.of(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.length <= most && value.every((one) => typeof one === 'string')) return value;
    throw wrong(`${name} must be a list of at most ${most} strings`);
  }

  record(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.of(name);
    if (value === undefined) return undefined;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (isObject && Object.values(value).every((one) => typeof one === 'string'))
      return value as Record<string, string>;
    throw wrong(`${name} must be an object with strings`);
  }

  object(name: string): Fields | undefined {
    const value = this.of(name);
    return value === undefined ? undefined : new Fields(value);
  }

  flag(name: string): boolean {
    const value = this.of(name);
    if (value === undefined || typeof value === 'boolean') return value === true;
    throw wrong(`${name} must be true or false`);
  }

  /** An integer, as a number or a string. */
  count(name: string, from: number, to: number): number {
    const value = this.optionalCount(name, from, to);
    if (value === undefined) throw wrong(`${name} is missing`);
    return value;
  }

  optionalCount(name: string, from: number, to: number): number | undefined {
    const value = this.of(name);
    if (value === undefined) return undefined;
    const isDigits = typeof value === 'string' && /^\d{1,16}$/.test(value);
    const number = isDigits ? Number(value) : value;
    if (Number.isSafeInteger(number) && (number as number) >= from && (number as number) <= to) return number as number;
    throw wrong(`${name} must be an integer from ${from} to ${to}`);
  }

  /** What a request that is rejected was about, as it says itself: for the audit, without what a message would have. */
  named(): Readonly<Record<string, string>> {
    const others = Object.entries(this.fields).filter(([name]) => !OF_MESSAGES.includes(name));
    return Object.fromEntries(others.map(([name, value]) => [name, textOf(value)]));
  }

  /** All of them, for something else to check. */
  rest(): Readonly<Record<string, unknown>> {
    for (const name of Object.keys(this.fields)) this.read.add(name);
    return this.fields;
  }

  /** @throws ConsoleRejection for a field that nothing has read: it may be misspelled, and would change what is planned */
  end(): void {
    const unknown = Object.keys(this.fields).find((name) => !this.read.has(name));
    if (unknown !== undefined)
      throw wrong(`${unknown.slice(0, 100)} is unknown; the fields are ${[...this.read].join(', ')}`);
  }

  private of(name: string): unknown {
    this.read.add(name);
    return Object.hasOwn(this.fields, name) ? this.fields[name] : undefined;
  }
}

export function wrong(problem: string): ConsoleRejection {
  return new ConsoleRejection(400, 'WRONG_PARAMETER', `${problem}; nothing was changed`);
}
