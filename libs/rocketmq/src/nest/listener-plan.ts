// Which consumers an application needs for its listeners: options by precedence, listeners by consumer group. Pure.

import { EVERY_MESSAGE, type Filter } from '../protocol/filter.js';
import { consumerGroupNameProblem } from '../protocol/names.js';
import { UsageError } from '../support/errors.js';
import { type HandlerMethod, methodLabel } from './handler-host.js';
import type { FoundListener } from './rocketmq.explorer.js';
import type { ListenerOverrides, ListenerSettings, RocketMQModuleOptions } from './rocketmq.interfaces.js';
import type { TopicDefinition } from './topic-definition.js';

/** One listener with its options decided. */
export interface PlannedListener {
  readonly name: string;
  readonly topic: TopicDefinition;
  readonly consumerGroup: string;
  readonly filter: Filter;
  readonly onInvalidBody: 'dead-letter' | 'retry';
  readonly method: HandlerMethod;
}

/** What a consumer takes from its listeners. */
export type ConsumerSettings = Pick<ListenerSettings, (typeof CONSUMER_FIELDS)[number]>;

/** One consumer of a group and the listeners that it serves, at least one. */
export interface PlannedConsumer {
  readonly consumerGroup: string;
  readonly listeners: readonly PlannedListener[];
  /** Some listener's topic is an ordered one. */
  readonly requireFifo: boolean;
  readonly settings: ConsumerSettings;
}

const CONSUMER_FIELDS = [
  'concurrency',
  'timeoutMs',
  'leaseMs',
  'backoff',
  'maxBufferedMessages',
  'maxBufferedBytes',
] as const;

type PlanOptions = Pick<RocketMQModuleOptions, 'consumerGroup' | 'defaults' | 'listeners' | 'consumers'>;
type Resolved = PlannedListener & { readonly settings: ListenerOverrides };

/**
 * Decides the consumers.
 * @throws UsageError that names the listeners: no group, a name or a topic taken twice, options of one group that disagree,
 *   a name in `listeners` that no listener has
 */
export function planConsumers(found: readonly FoundListener[], options: PlanOptions): PlannedConsumer[] {
  const names = namesOf(found, options);
  if (options.consumers === false) return [];
  const groups = new Map<string, Resolved[]>();
  for (const [index, listener] of found.entries()) {
    const resolved = resolve(listener, names[index] as string, options);
    if (resolved === undefined) continue;
    const group = groups.get(resolved.consumerGroup);
    if (group === undefined) groups.set(resolved.consumerGroup, [resolved]);
    else group.push(resolved);
  }
  return [...groups].map(([consumerGroup, listeners]) => planConsumer(consumerGroup, listeners));
}

function namesOf(found: readonly FoundListener[], { listeners = {} }: PlanOptions): string[] {
  const names = found.map((listener) => listener.options.name ?? methodLabel(listener));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    const text =
      `two listeners are named "${twice}"; give each a name in its @RocketMQListener, or, if its class is provided by two ` +
      'modules, provide it by one';
    throw new UsageError('LISTENER_NAME_TAKEN', text, 'name');
  }
  const unknown = Object.keys(listeners).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const known = names.length === 0 ? 'there are none' : `they are ${names.join(', ')}`;
    throw new UsageError(
      'UNKNOWN_LISTENER',
      `option listeners: no listener is named "${unknown}"; ${known}`,
      'listeners',
    );
  }
  return names;
}

/** Undefined for a listener that is switched off. */
function resolve(listener: FoundListener, name: string, module: PlanOptions): Resolved | undefined {
  const layers = [module.listeners?.[name], listener.options, module.defaults];
  const settings = merged(layers);
  if (settings.enabled === false) return undefined;
  const consumerGroup = settings.consumerGroup ?? module.consumerGroup;
  if (consumerGroup === undefined) {
    const text = `listener ${name} has no consumer group; give consumerGroup to it or to RocketMQModule`;
    throw new UsageError('NO_CONSUMER_GROUP', text, 'consumerGroup');
  }
  const problem = consumerGroupNameProblem(consumerGroup);
  if (problem !== undefined) {
    const text = `listener ${name}: consumerGroup ${JSON.stringify(consumerGroup)} ${problem}`;
    throw new UsageError('ILLEGAL_CONSUMER_GROUP', text, 'consumerGroup');
  }
  const { timeoutMs } = settings;
  if (timeoutMs !== undefined && !(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
    const text = `listener ${name}: timeoutMs must be a number above 0, not ${String(timeoutMs)}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'timeoutMs');
  }
  const { host, methodName, topic } = listener;
  return {
    name,
    topic,
    consumerGroup,
    filter: filterOf(settings.filter),
    onInvalidBody: settings.onInvalidBody ?? 'dead-letter',
    method: { host, methodName },
    settings,
  };
}

function filterOf(filter: ListenerOverrides['filter']): Filter {
  if (filter === undefined) return EVERY_MESSAGE;
  return typeof filter === 'string' ? { kind: 'tag', expression: filter } : { kind: 'sql', expression: filter.sql };
}

/** The first layer that says something decides; undefined says nothing. */
function merged(layers: readonly (ListenerOverrides | undefined)[]): ListenerOverrides {
  const result: Record<string, unknown> = {};
  for (const layer of layers) {
    for (const [field, value] of Object.entries(layer ?? {})) result[field] ??= value;
  }
  return result;
}

function planConsumer(consumerGroup: string, listeners: readonly Resolved[]): PlannedConsumer {
  const byTopic = new Map<string, Resolved>();
  for (const listener of listeners) {
    const other = byTopic.get(listener.topic.name);
    if (other !== undefined) {
      const text =
        `listeners ${other.name} and ${listener.name} both take topic "${listener.topic.name}" as consumer group ` +
        `"${consumerGroup}"; each message goes to a group once, so give one of them another consumerGroup`;
      throw new UsageError('TOPIC_TAKEN_TWICE', text, 'consumerGroup');
    }
    byTopic.set(listener.topic.name, listener);
  }
  const requireFifo = listeners.some(({ topic }) => topic.type === 'fifo');
  return { consumerGroup, listeners, requireFifo, settings: agreed(consumerGroup, listeners) };
}

function agreed(consumerGroup: string, listeners: readonly Resolved[]): ConsumerSettings {
  const result: Record<string, unknown> = {};
  for (const field of CONSUMER_FIELDS) {
    const [first, ...others] = listeners.filter(({ settings }) => settings[field] !== undefined);
    if (first === undefined) continue;
    const other = others.find(({ settings }) => !isSame(settings[field], first.settings[field]));
    if (other !== undefined) {
      const text =
        `listeners ${first.name} and ${other.name} share the consumer of group "${consumerGroup}", but disagree on ${field}; ` +
        'give both the same, or one of them another consumerGroup';
      throw new UsageError('LISTENERS_DISAGREE', text, field);
    }
    result[field] = first.settings[field];
  }
  return result;
}

function isSame(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
