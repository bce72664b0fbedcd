// The filters of listeners that share a topic, made into the one filter that a consumer group can have for it. Pure.

import { EVERY_MESSAGE, type Filter, matchesTag, tagsOf } from '../../protocol/model/filter.js';
import { UsageError } from '../../support/errors.js';
import type { Subscription } from '../model/subscription.js';

/** Who wants what. */
export interface FilteredListener {
  readonly name: string;
  readonly topic: string;
  readonly filter?: Filter;
}

/**
 * One subscription for each topic: the union of what its listeners want.
 * @throws UsageError that names two listeners: `FILTERS_OVERLAP` when both want the same messages, `FILTERS_NOT_MERGEABLE` when
 *   one of them filters by SQL
 */
export function mergedSubscriptions(consumerGroup: string, listeners: readonly FilteredListener[]): Subscription[] {
  const topics = new Map<string, FilteredListener[]>();
  for (const listener of listeners) {
    const others = topics.get(listener.topic);
    if (others === undefined) topics.set(listener.topic, [listener]);
    else {
      for (const other of others) assertApart(consumerGroup, other, listener);
      others.push(listener);
    }
  }
  return [...topics].map(([topic, all]) => ({ topic, filter: union(all) }));
}

/** Whether a received message is for this filter. What an SQL filter took cannot be told; it is alone on its topic. */
export function takes(filter: Filter = EVERY_MESSAGE, tag: string | undefined): boolean {
  return filter.kind === 'sql' || matchesTag(filter.expression, tag);
}

function union(listeners: readonly FilteredListener[]): Filter {
  const filters = listeners.map(({ filter }) => filter ?? EVERY_MESSAGE);
  const [first] = filters;
  if (filters.length === 1 && first !== undefined) return first;
  return { kind: 'tag', expression: filters.map(({ expression }) => expression.trim()).join(' || ') };
}

function assertApart(consumerGroup: string, one: FilteredListener, other: FilteredListener): void {
  const [first, second] = [one.filter ?? EVERY_MESSAGE, other.filter ?? EVERY_MESSAGE];
  const who = `listeners ${one.name} and ${other.name} both take topic "${one.topic}" as consumer group "${consumerGroup}"`;
  const advice = 'give one of them another consumerGroup';
  if (first.kind === 'sql' || second.kind === 'sql') {
    const text = `${who}, and a filter by SQL cannot be joined with another: a group has one filter for a topic; ${advice}`;
    throw new UsageError('FILTERS_NOT_MERGEABLE', text, 'filter');
  }
  const shared = sharedTag(first.expression, second.expression);
  if (shared === undefined) return;
  const text = `${who}, and both want ${shared}; each message goes to a group once: let their filters differ, or ${advice}`;
  throw new UsageError('FILTERS_OVERLAP', text, 'filter');
}

function sharedTag(one: string, other: string): string | undefined {
  const [first, second] = [tagsOf(one), tagsOf(other)];
  if (first === 'every' || second === 'every') return 'every message of it (filter *)';
  const tag = [...first].find((name) => second.has(name));
  return tag === undefined ? undefined : `tag "${tag}"`;
}
