// The options of listeners: validates each where it is set, then merges the layers by precedence. listener-plan.ts plans the
// consumers.

import { BATCH_CHECKS } from '../../consumer/listeners/message-listener.js';
import { PUSH_CONSUMER_CHECKS } from '../../consumer/push-consumer-options.js';
import { liteTopicProblem } from '../../protocol/model/names.js';
import { type BackoffPolicy, delays, validBackoff } from '../../support/backoff.js';
import {
  assertOptions,
  describe,
  type Fault,
  nonEmptyString,
  notNegative,
  type OptionChecks,
  objectOf,
  oneOf,
  trueOrFalse,
} from '../../support/options.js';
import { onInvalidProblem } from '../messages/invalid-body.js';
import {
  LISTENER_OPTIONS,
  type ListenerBackoff,
  type ListenerOverrides,
  type ListenerSettings,
  type RocketMQListenerOptions,
  SHARED_OPTIONS,
} from './listener-settings.js';

const SETTINGS: OptionChecks<ListenerSettings> = {
  ...picked(PUSH_CONSUMER_CHECKS, [...LISTENER_OPTIONS, ...SHARED_OPTIONS]),
  consumerGroup: nonEmptyString,
  mode: oneOf('shared', 'broadcast'),
  startFrom: (value) => {
    const isTime = value instanceof Date && !Number.isNaN(value.getTime());
    return isTime || value === 'beginning' || value === 'end'
      ? undefined
      : `must be 'beginning', 'end' or a Date, not ${describe(value)}`;
  },
  enabled: trueOrFalse,
  onInvalid: onInvalidProblem,
  concurrency: PUSH_CONSUMER_CHECKS.concurrency,
  backoff: backoffProblem,
  deadLetterTopic: (value) =>
    typeof (value as { name?: unknown } | null)?.name === 'string' ? undefined : nonEmptyString(value),
  manual: trueOrFalse,
  globalEnhancers: trueOrFalse,
};

const OVERRIDES: OptionChecks<ListenerOverrides> = {
  ...SETTINGS,
  filter: (value) =>
    typeof value === 'string' || typeof (value as { sql?: unknown } | null)?.sql === 'string'
      ? undefined
      : `must be tags ('a || b') or { sql: '…' }, not ${describe(value)}`,
  liteTopics: (value) => {
    if (!Array.isArray(value)) return `must be a list of names, not ${describe(value)}`;
    for (const one of value) {
      const problem = nonEmptyString(one) ?? liteTopicProblem(one);
      if (problem !== undefined) return `contains ${describe(one)}, which ${problem}`;
    }
    return undefined;
  },
};

const OF_DECORATOR: OptionChecks<RocketMQListenerOptions> = {
  ...OVERRIDES,
  name: nonEmptyString,
  connection: nonEmptyString,
  parameters: oneOf('decorated'),
  batch: objectOf({ options: BATCH_CHECKS, required: ['maxSize', 'maxWaitMs'] }),
};

/** Those of the given names. */
export function picked<T extends object, Name extends keyof T>(from: T, names: readonly Name[]): Pick<T, Name> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, Name>;
}

/** Where options are set, and which ones are allowed there. */
const PLACES = { defaults: SETTINGS, listeners: OVERRIDES, decorator: OF_DECORATOR } as const;

/**
 * @param where begins the message, for instance `listener Orders.reserve`
 * @throws UsageError that names the option: an unknown one, or an invalid value
 */
export function assertListenerOptions(where: string, place: keyof typeof PLACES, options: object): void {
  assertOptions(options, { options: PLACES[place] }, `${where}: `);
}

/** The first layer that sets an option decides; undefined counts as not set. */
export function mergedOptions(layers: readonly (RocketMQListenerOptions | undefined)[]): RocketMQListenerOptions {
  const result: Record<string, unknown> = {};
  for (const layer of layers) {
    for (const [field, value] of Object.entries(layer ?? {})) result[field] ??= value;
  }
  return result;
}

/** Converts a backoff in any of its forms into the consumer's form. */
export function backoffPolicyOf(backoff: ListenerBackoff): BackoffPolicy {
  if (typeof backoff === 'number') return { kind: 'customized', nextMs: [backoff] };
  return 'kind' in backoff ? backoff : { kind: 'customized', nextMs: [...backoff] };
}

/** Checks a backoff in any of its forms. */
export function backoffProblem(value: unknown): string | Fault | undefined {
  if (typeof value === 'number') return notNegative(value);
  if (Array.isArray(value)) return delays(value);
  if (typeof value === 'object' && value !== null) return validBackoff(value);
  const forms = 'milliseconds, a list of them, or { kind: "exponential", initialMs, maxMs, multiplier }';
  return `must be ${forms}, not ${describe(value)}`;
}
