// The parameters of requests, checked.

import { ConsoleRejection, type ConsoleRequest } from '../http/exchange.js';

/** Reads query parameters. Each throws a ConsoleRejection that names the parameter. */
export class Query {
  constructor(private readonly request: Pick<ConsoleRequest, 'query'>) {}

  text(name: string): string | undefined {
    const value = this.request.query.get(name);
    return value === null || value === '' ? undefined : value;
  }

  needed(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw wrong(name, 'is missing');
    return value;
  }

  /** @param most the largest that is allowed */
  count(name: string, otherwise: number, most: number): number {
    const text = this.text(name);
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < 1 || value > most) throw wrong(name, `must be an integer from 1 to ${most}`);
    return value;
  }

  /** An integer from 0 on. */
  index(name: string): number {
    const text = this.needed(name);
    if (!/^\d{1,9}$/.test(text)) throw wrong(name, 'must be an integer from 0 on');
    return Number(text);
  }

  /** A time in milliseconds since 1970. */
  time(name: string): Date | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const date = new Date(Number(text));
    if (!/^\d{1,15}$/.test(text) || Number.isNaN(date.getTime())) throw wrong(name, 'must be milliseconds since 1970');
    return date;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], otherwise: T): T {
    const text = this.text(name);
    if (text === undefined) return otherwise;
    const value = allowed.find((one) => one === text);
    if (value === undefined) throw wrong(name, `must be ${allowed.join(' or ')}`);
    return value;
  }
}

function wrong(name: string, problem: string): ConsoleRejection {
  return new ConsoleRejection(400, 'WRONG_PARAMETER', `parameter ${name} ${problem}`);
}
