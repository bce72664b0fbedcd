// The filter of a receive as a predicate over stored messages.

import { matchesTag } from '../../protocol/filter.js';
import { Code, type FilterExpression, FilterType } from '../../protocol/generated/apache/rocketmq/v2/definition.js';
import type { StoredMessage } from '../engine/records.js';
import type { SqlFilter } from '../filter/sql-filter.js';
import { AnswerError } from './status.js';

/** Every receive brings its filter along: this many compiled ones are kept. */
const KEPT_FILTERS = 100;

/** Whether a message is wanted. */
export type Matches = (message: StoredMessage) => boolean;

type Sql = typeof import('../filter/sql-filter.js');

export class Filters {
  private readonly compiled = new Map<string, SqlFilter>();
  private sql: Sql | undefined;

  /** To be awaited before filters of SQL: most brokers never see one, and start without its parser. */
  async load(): Promise<void> {
    this.sql ??= await import('../filter/sql-filter.js');
  }

  /** @throws AnswerError ILLEGAL_FILTER_EXPRESSION for bad SQL */
  of(filter: FilterExpression | undefined): Matches {
    const expression = filter?.expression ?? '*';
    if (filter?.type !== FilterType.SQL) return ({ tag }) => matchesTag(expression, tag);
    const matches = this.sqlFilter(expression);
    return (message) => matches((property) => propertyOf(message, property));
  }

  private sqlFilter(expression: string): SqlFilter {
    const filter = this.compiled.get(expression) ?? compile(this.sql as Sql, expression);
    // Put in anew, so that the first in the map is the longest unused.
    this.compiled.delete(expression);
    this.compiled.set(expression, filter);
    const [oldest] = this.compiled.keys();
    if (this.compiled.size > KEPT_FILTERS) this.compiled.delete(oldest as string);
    return filter;
  }
}

function compile({ compileSqlFilter, SqlFilterError }: Sql, expression: string): SqlFilter {
  try {
    return compileSqlFilter(expression);
  } catch (error) {
    if (!(error instanceof SqlFilterError)) throw error;
    const words =
      expression.trim() === '' ? "Expression can't be null! SQL92" : "parse the consumer's subscription failed";
    throw new AnswerError(Code.ILLEGAL_FILTER_EXPRESSION, `${words}: ${error.message}`);
  }
}

/** The properties under the names by which the real server stores them. */
function propertyOf(message: StoredMessage, name: string): string | null {
  switch (name) {
    case 'TAGS':
      return message.tag ?? null;
    case 'KEYS':
      return message.keys.length === 0 ? null : message.keys.join(' ');
    case 'UNIQ_KEY':
      return message.messageId;
    default:
      return Object.hasOwn(message.properties, name) ? (message.properties[name] as string) : null;
  }
}
