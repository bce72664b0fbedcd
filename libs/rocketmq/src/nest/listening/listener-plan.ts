// Plans the consumers of an application: merges listener options by precedence and groups listeners by consumer group. Pure.
// Over 300 lines: what listeners of one group must agree on is seen in one place.

import { broadcastRejected } from '../../consumer/listeners/group-limits.js';
import { mergedSubscriptions } from '../../consumer/listeners/message-listener.js';
import type { Subscription } from '../../consumer/model/subscription.js';
import { EVERY_MESSAGE, type Filter } from '../../protocol/model/filter.js';
import { consumerGroupNameProblem } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';
import { type HandlerMethod, methodLabel } from '../common/handler-host.js';
import { NAMES_AS_GIVEN, type ResourceNames } from '../messages/resource-names.js';
import { type TopicDefinition, type TopicLike, toTopicDefinition } from '../messages/topic-definition.js';
import { assertListenerOptions, mergedOptions } from './listener-options.js';
import {
  type ListenerOverrides,
  type ModuleListenerOptions,
  type RocketMQListenerOptions,
  SHARED_OPTIONS,
  type SharedListenerSettings,
  type StartFrom,
} from './listener-settings.js';
import type { FoundListener, PatternHandling } from './rocketmq.explorer.js';

/** One listener with its resolved options. */
export interface PlannedListener {
  readonly name: string;
  readonly topic: TopicDefinition;
  readonly consumerGroup: string;
  readonly filter: Filter;
  /** Undefined: the broker's dead letter queue. */
  readonly deadLetterTopic: TopicDefinition | undefined;
  readonly settings: RocketMQListenerOptions;
  readonly method: HandlerMethod;
  /** Set for a handler of the transport strategy. */
  readonly pattern: PatternHandling | undefined;
}

/** One consumer of a group and the listeners that it serves, at least one. */
export interface PlannedConsumer {
  readonly consumerGroup: string;
  readonly listeners: readonly PlannedListener[];
  readonly mode: 'shared' | 'broadcast';
  /** The group belongs to this instance of the application: created at its startup, deleted at its shutdown. */
  readonly ofInstance: boolean;
  /** The settings that its listeners agree on. */
  readonly subscriptions: readonly Subscription[];
  /** The topic of at least one listener is a FIFO topic. */
  readonly requireFifo: boolean;
  /** Set for the consumer of a listener of lite topics: those from the start. */
  readonly liteTopics: readonly string[] | undefined;
  /** By topic: where the group begins if it has never received from there. */
  readonly starts: ReadonlyMap<string, StartFrom>;
  readonly settings: SharedListenerSettings;
}

interface PlanOptions extends ModuleListenerOptions {
  readonly names?: ResourceNames;
  /** Distinguishes this instance of the application from others, in names of groups. */
  readonly instanceId?: string;
  /** Whether messages come from a proxy, which has no broadcasts: each instance then has a group of its own. Default true. */
  readonly hasProxy?: boolean;
}

/**
 * Plans the consumers.
 * @throws UsageError that names the listeners: an invalid option, no group, a duplicate name, filters of one group and topic that
 *   overlap, options of one consumer that disagree, a name in `listeners` that no listener has
 */
export function planConsumers(
  found: readonly FoundListener[],
  options: PlanOptions,
  unconnected: readonly HandlerMethod[] = [],
): PlannedConsumer[] {
  const names = namesOf(found, options, unconnected);
  if (options.consumers === false) return [];
  const groups = new Map<string, PlannedListener[]>();
  for (const [index, listener] of found.entries()) {
    const resolved = resolve(listener, names[index] as string, options);
    if (resolved === undefined) continue;
    const group = groups.get(resolved.consumerGroup);
    if (group === undefined) groups.set(resolved.consumerGroup, [resolved]);
    else group.push(resolved);
  }
  return [...groups].map(([consumerGroup, listeners]) => planConsumer(consumerGroup, listeners, options));
}

/** @param unconnected the names of handlers that no microservice takes */
export function unknownListener(name: string, known: readonly string[], unconnected: readonly string[]): string {
  const problem = unconnected.includes(name)
    ? `${name} receives nothing, because the application has not called connectMicroservice() before its start`
    : `no listener is named "${name}"`;
  return `${problem}; ${known.length === 0 ? 'there are none' : `they are ${known.join(', ')}`}`;
}

function namesOf(
  found: readonly FoundListener[],
  { listeners = {}, unknownListeners = 'error' }: PlanOptions,
  unconnected: readonly HandlerMethod[],
): string[] {
  const names = found.map((listener) => listener.options.name ?? methodLabel(listener));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    const places = found.filter((_listener, index) => names[index] === twice).map(methodLabel);
    const text =
      `two listeners are named "${twice}" (${places.join(' and ')}); give each a name in its @RocketMQListener, or, if its ` +
      'class is provided by two modules, in one of them only';
    throw new UsageError('LISTENER_NAME_TAKEN', text, 'name');
  }
  const unknown = Object.keys(listeners).find((name) => !names.includes(name));
  if (unknown !== undefined && unknownListeners === 'error') {
    const problem = unknownListener(unknown, names, unconnected.map(methodLabel));
    throw new UsageError('UNKNOWN_LISTENER', `option listeners: ${problem}`, 'listeners');
  }
  return names;
}

/** The options for a name; a name may be that of a property that every object inherits. */
function own<T>(given: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return given !== undefined && Object.hasOwn(given, name) ? given[name] : undefined;
}

/** Undefined for a listener that is disabled. */
function resolve(listener: FoundListener, name: string, module: PlanOptions): PlannedListener | undefined {
  const place = placeOf(name, listener);
  assertListenerOptions(`listener ${place}`, 'decorator', listener.options);
  const settings = mergedOptions([own(module.listeners, name), listener.options, ofTopic(listener), module.defaults]);
  if (settings.enabled === false) return undefined;
  const { names = NAMES_AS_GIVEN } = module;
  const consumerGroup = groupOf(
    place,
    settings.consumerGroup ?? module.consumerGroup,
    names,
    ownPart(settings, module),
  );
  assertManual(place, settings);
  assertLite(place, listener.topic, settings);
  const { host, methodName, topic } = listener;
  return {
    name,
    topic: { ...topic, name: names.topic(topic.name) },
    consumerGroup,
    filter: filterOf(settings.filter),
    deadLetterTopic: deadLetterTopicOf(place, settings.deadLetterTopic, names),
    settings,
    method: { host, methodName },
    pattern: listener.pattern,
  };
}

/**
 * The suffix that keeps the group of a broadcast listener apart: from the groups of other instances where it must, and always from a shared one of the same
 * name, because a broker counts both as members of one group.
 */
function ownPart(settings: RocketMQListenerOptions, module: PlanOptions): string {
  if (settings.mode !== 'broadcast') return '';
  return hasOwnGroup(settings, module) ? `-broadcast-${module.instanceId ?? ''}` : '-broadcast';
}

/** Whether each instance has a group: where it does not receive as a broadcast, or what was sent before. */
function hasOwnGroup({ mode, startFrom = 'end' }: RocketMQListenerOptions, { hasProxy = true }: PlanOptions): boolean {
  return mode === 'broadcast' && (hasProxy || startFrom !== 'end');
}

function ofTopic({ topic: { onInvalid } }: FoundListener): RocketMQListenerOptions {
  return { onInvalid };
}

function groupOf(place: string, given: string | undefined, names: ResourceNames, suffix: string): string {
  if (given === undefined) {
    const text = `listener ${place} has no consumer group; set consumerGroup on it or in RocketMQModule`;
    throw new UsageError('NO_CONSUMER_GROUP', text, 'consumerGroup');
  }
  const consumerGroup = `${names.group(given)}${suffix}`;
  const problem = consumerGroupNameProblem(consumerGroup);
  if (problem === undefined) return consumerGroup;
  const text = `listener ${place}: consumerGroup ${JSON.stringify(consumerGroup)} ${problem}`;
  throw new UsageError('ILLEGAL_CONSUMER_GROUP', text, 'consumerGroup');
}

function assertManual(place: string, { manual, batch, handlerTimeoutMs }: RocketMQListenerOptions): void {
  if (manual !== true) return;
  if (batch !== undefined) {
    const text = `listener ${place}: a batch listener cannot be manual; use context.fail(message, error) to mark the messages that failed`;
    throw new UsageError('ILLEGAL_OPTION', text, 'manual');
  }
  if (handlerTimeoutMs !== undefined) return;
  const text = `listener ${place}: manual needs handlerTimeoutMs, within which the handler must call ack(), retryLater() or deadLetter()`;
  throw new UsageError('ILLEGAL_OPTION', text, 'handlerTimeoutMs');
}

function assertLite(place: string, topic: TopicDefinition, settings: RocketMQListenerOptions): void {
  const { liteTopics, filter, mode, batch, deadLetterTopic, startFrom } = settings;
  if (liteTopics === undefined) return;
  const problem = [
    topic.type !== undefined && topic.type !== 'lite' && `topic "${topic.name}" is defined for ${topic.type} messages`,
    filter !== undefined && 'a listener of lite topics has no filter',
    mode === 'broadcast' && 'a listener of lite topics cannot be a broadcast one',
    startFrom !== undefined &&
      'a listener of lite topics has no startFrom, since each lite topic has a position of its own',
    batch !== undefined && 'a listener of lite topics handles single messages, in the order of each lite topic',
    deadLetterTopic === undefined &&
      'a listener of lite topics needs a deadLetterTopic, because the dead letter queue of Apache RocketMQ 5.5.0 damages lite topics',
  ].find((one) => one !== false);
  if (problem === undefined) return;
  throw new UsageError(
    'ILLEGAL_OPTION',
    `listener ${place}: ${problem}; change it, or leave out liteTopics`,
    'liteTopics',
  );
}

function deadLetterTopicOf(
  place: string,
  given: TopicLike | undefined,
  names: ResourceNames,
): TopicDefinition | undefined {
  if (given === undefined) return undefined;
  const topic = toTopicDefinition(given);
  // Dead letters have no group, delay or priority, so no other type takes them: a topic that is given by name is a normal one.
  if (topic.type === undefined || topic.type === 'normal') {
    return { ...topic, type: 'normal', name: names.topic(topic.name) };
  }
  const text = `listener ${place}: deadLetterTopic "${topic.name}" is defined for ${topic.type} messages; it must be of type normal`;
  throw new UsageError('MESSAGE_TYPE_MISMATCH', text, 'deadLetterTopic');
}

function filterOf(filter: ListenerOverrides['filter']): Filter {
  if (filter === undefined) return EVERY_MESSAGE;
  return typeof filter === 'string' ? { kind: 'tag', expression: filter } : { kind: 'sql', expression: filter.sql };
}

function planConsumer(
  consumerGroup: string,
  listeners: readonly PlannedListener[],
  module: PlanOptions,
): PlannedConsumer {
  const mode = modeOf(consumerGroup, listeners);
  const filtered = listeners.map(({ name, method, topic, filter }) => {
    return { name: placeOf(name, method), topic: topic.name, filter };
  });
  return {
    consumerGroup,
    listeners,
    mode,
    ofInstance: listeners.some(({ settings }) => hasOwnGroup(settings, module)),
    subscriptions: mergedSubscriptions(consumerGroup, filtered),
    requireFifo: listeners.some(({ topic }) => topic.type === 'fifo'),
    liteTopics: liteTopicsOf(consumerGroup, listeners),
    starts: startsOf(consumerGroup, listeners),
    settings: agreed(consumerGroup, listeners),
  };
}

/** @throws UsageError when a shared group has the name of one for broadcasts, or what broadcasts has a limit over its group */
function modeOf(consumerGroup: string, listeners: readonly PlannedListener[]): 'shared' | 'broadcast' {
  const broadcast = listeners.find(({ settings }) => settings.mode === 'broadcast');
  if (broadcast === undefined) return 'shared';
  const shared = listeners.find(({ settings }) => settings.mode !== 'broadcast');
  for (const { name, settings } of listeners) {
    const ofRate = settings.rateLimit?.scope === 'group' ? 'rateLimit.scope' : undefined;
    const option = settings.groupConcurrency === undefined ? ofRate : 'groupConcurrency';
    if (option !== undefined) throw broadcastRejected(option, `listener ${name}: `);
  }
  if (shared === undefined) return 'broadcast';
  const text =
    `listeners ${broadcast.name} and ${shared.name} share consumer group "${consumerGroup}", but disagree on mode; ` +
    'give one of them another consumerGroup';
  throw new UsageError('LISTENERS_DISAGREE', text, 'mode');
}

/** @throws UsageError when a listener of lite topics is not alone in its group */
function liteTopicsOf(consumerGroup: string, listeners: readonly PlannedListener[]): readonly string[] | undefined {
  const lite = listeners.find(({ settings }) => settings.liteTopics !== undefined);
  if (lite === undefined) return undefined;
  const other = listeners.find((listener) => listener !== lite);
  if (other === undefined) return lite.settings.liteTopics;
  const text =
    `listeners ${lite.name} and ${other.name} share consumer group "${consumerGroup}", but the group of a listener of lite topics has no ` +
    'other listener; give one of them another consumerGroup';
  throw new UsageError('LITE_LISTENER_NOT_ALONE', text, 'liteTopics');
}

/** @throws UsageError when two listeners of a topic disagree */
function startsOf(consumerGroup: string, listeners: readonly PlannedListener[]): ReadonlyMap<string, StartFrom> {
  const starts = new Map<string, { readonly by: string; readonly from: StartFrom }>();
  for (const { name, topic, settings } of listeners) {
    const { startFrom: from } = settings;
    if (from === undefined) continue;
    const known = starts.get(topic.name);
    // Dates are compared by their time.
    if (known !== undefined && String(known.from.valueOf()) !== String(from.valueOf())) {
      const text =
        `listeners ${known.by} and ${name} share consumer group "${consumerGroup}" and topic "${topic.name}", but disagree on startFrom; ` +
        'give both the same value, or one of them another consumerGroup';
      throw new UsageError('LISTENERS_DISAGREE', text, 'startFrom');
    }
    starts.set(topic.name, { by: name, from });
  }
  return new Map([...starts].map(([topic, { from }]) => [topic, from]));
}

function agreed(consumerGroup: string, listeners: readonly PlannedListener[]): SharedListenerSettings {
  const result: Record<string, unknown> = {};
  for (const field of SHARED_OPTIONS) {
    const [first, ...others] = listeners.filter(({ settings }) => settings[field] !== undefined);
    if (first === undefined) continue;
    const other = others.find(({ settings }) => !isSame(settings[field], first.settings[field]));
    if (other !== undefined) {
      const text =
        `listeners ${first.name} and ${other.name} share the consumer of group "${consumerGroup}", but disagree on ${field}; ` +
        'give both the same value, or one of them another consumerGroup';
      throw new UsageError('LISTENERS_DISAGREE', text, field);
    }
    result[field] = first.settings[field];
  }
  return result;
}

function isSame(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((item, index) => item === other[index]);
}

/** The method of a listener, also when the listener has a name of its own. */
function placeOf(name: string, method: HandlerMethod): string {
  const label = methodLabel(method);
  return name === label ? name : `${name} (${label})`;
}
