// Merges the filters of listeners that share a topic into the one filter that a consumer group can have for it. Pure.

import { EVERY_MESSAGE, type Filter, matchesTag, tagsOf } from '../../protocol/model/filter.js';
import { UsageError } from '../../support/errors.js';
import type { Subscription } from '../model/subscription.js';

/** A listener's topic and filter. */
interface FilteredListener {
  readonly name: string;
  readonly topic: string;
  readonly filter?: Filter;
}

/**
 * One subscription for each topic: the union of its listeners' filters.
 * @throws UsageError that names two listeners: `FILTERS_OVERLAP` when both match the same messages, `FILTERS_NOT_MERGEABLE` when
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

/** Whether a received message matches this filter. An SQL filter cannot be evaluated here; it is alone on its topic. */
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
  const who = `listeners ${one.name} and ${other.name} both listen to topic "${one.topic}" as consumer group "${consumerGroup}"`;
  const advice = 'use another consumerGroup for one of them';
  if (first.kind === 'sql' || second.kind === 'sql') {
    const text = `${who}, and an SQL filter cannot be merged with another one: a group has one filter for a topic; ${advice}`;
    throw new UsageError('FILTERS_NOT_MERGEABLE', text, 'filter');
  }
  const shared = sharedTag(first.expression, second.expression);
  if (shared === undefined) return;
  const text = `${who}, and both match ${shared}; a group gets each message once: use different filters, or ${advice}`;
  throw new UsageError('FILTERS_OVERLAP', text, 'filter');
}

function sharedTag(one: string, other: string): string | undefined {
  const [first, second] = [tagsOf(one), tagsOf(other)];
  if (first === 'every' || second === 'every') return 'every message (filter *)';
  const tag = [...first].find((name) => second.has(name));
  return tag === undefined ? undefined : `tag "${tag}"`;
}
