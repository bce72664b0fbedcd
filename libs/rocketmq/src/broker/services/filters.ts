// Converts the filter of a receive to a predicate over stored messages, and estimates its cost.

import {
  Code,
  type FilterExpression,
  FilterType,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { isOnlySeparators, tagMatcher } from '../../protocol/model/filter.js';
import type { PopRequest } from '../engine/pop.js';
import { MAX_FILTER_LENGTH } from '../filter/max-filter-length.js';
import type { SqlFilter } from '../filter/sql-filter.js';
import type { StoredMessage } from '../store/records.js';
import { AnswerError } from './status.js';

/** Every receive contains its filter, so compiled filters are cached: at most this many, */
const KEPT_FILTERS = 100;
/** and at most this many characters, because a compiled filter takes about fifty times its length. */
const KEPT_CHARACTERS = 4 * MAX_FILTER_LENGTH;
/** The cost unit: characters of the filter times characters of the message that it can read. */
const CHARACTERS_PER_EFFORT = 2 ** 18;

/** What a filter contributes to a pop. */
type Filter = Pick<PopRequest, 'matches' | 'effort'>;

type Sql = typeof import('../filter/sql-filter.js');

export class Filters {
  private readonly kept = new Map<string, Filter>();
  private sql: Sql | undefined;

  /** Must be awaited before SQL filters. Most brokers never receive one, so the parser is loaded on demand. */
  async load(): Promise<void> {
    this.sql ??= await import('../filter/sql-filter.js');
  }

  /** @throws AnswerError ILLEGAL_FILTER_EXPRESSION for invalid SQL, for tags without a tag, and for a filter that is too long */
  of({ type, expression }: FilterExpression = { type: FilterType.TAG, expression: '*' }): Filter {
    if (expression.length > MAX_FILTER_LENGTH) {
      const message = `the filter has ${expression.length} characters; the limit is ${MAX_FILTER_LENGTH}`;
      throw new AnswerError(Code.ILLEGAL_FILTER_EXPRESSION, message);
    }
    const isSql = type === FilterType.SQL;
    const name = `${isSql ? 'sql' : 'tag'} ${expression}`;
    const filter = this.kept.get(name) ?? (isSql ? sqlFilter(this.sql as Sql, expression) : tagFilter(expression));
    // Inserted again, so that the first entry of the map is the least recently used.
    this.kept.delete(name);
    this.kept.set(name, filter);
    this.forgetOldest();
    return filter;
  }

  private forgetOldest(): void {
    let characters = 0;
    for (const name of this.kept.keys()) characters += name.length;
    for (const name of this.kept.keys()) {
      if (this.kept.size <= KEPT_FILTERS && characters <= KEPT_CHARACTERS) return;
      this.kept.delete(name);
      characters -= name.length;
    }
  }
}

function tagFilter(expression: string): Filter {
  if (isOnlySeparators(expression)) throw new AnswerError(Code.ILLEGAL_FILTER_EXPRESSION, 'subString split error');
  const matches = tagMatcher(expression);
  return { matches: ({ tag }) => matches(tag) };
}

function sqlFilter(sql: Sql, expression: string): Filter {
  const matches = compile(sql, expression);
  return {
    matches: (message) => matches(lookupIn(message)),
    // Each part of the filter may scan each string of the message.
    effort: (message) => Math.max(1, (expression.length * charactersIn(message)) / CHARACTERS_PER_EFFORT),
  };
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

function charactersIn({ messageId, tag = '', keys, properties }: StoredMessage): number {
  let characters = messageId.length + tag.length;
  for (const key of keys) characters += key.length;
  for (const name in properties) characters += (properties[name] as string).length;
  return characters;
}

const NO_PROPERTIES: StoredMessage['properties'] = {};

/** Reads properties by the names under which the real server stores them. Keys are joined only once. */
function lookupIn(message: StoredMessage): (name: string) => string | null {
  let joinedKeys: string | undefined;
  return (name) => {
    switch (name) {
      case 'TAGS':
        return message.tag ?? null;
      case 'KEYS':
        joinedKeys ??= message.keys.join(' ');
        return message.keys.length === 0 ? null : joinedKeys;
      case 'UNIQ_KEY':
        return message.messageId;
      default: {
        if (Object.hasOwn(message.properties, name)) return message.properties[name] as string;
        const { properties = NO_PROPERTIES } = message.remoting ?? {};
        return Object.hasOwn(properties, name) ? (properties[name] as string) : null;
      }
    }
  };
}
