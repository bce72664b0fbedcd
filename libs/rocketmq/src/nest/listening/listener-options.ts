// The options of listeners: validates each where it is set, then merges the layers by precedence. listener-plan.ts plans the
// consumers.

import { liteTopicProblem } from '../../protocol/model/names.js';
import { type BackoffPolicy, backoffMs } from '../../support/backoff.js';
import { UsageError } from '../../support/errors.js';
import {
  aFunction,
  aPositiveInteger,
  aPositiveNumber,
  aText,
  type Check,
  describe,
  functions,
  notNegative,
  oneOf,
} from '../common/option-checks.js';
import { onInvalidProblem } from '../messages/invalid-body.js';
import type {
  ListenerBackoff,
  ListenerOverrides,
  ListenerSettings,
  RocketMQListenerOptions,
} from './listener-settings.js';

const errorTest: Check = (value) =>
  aFunction(value) === undefined || functions(value) === undefined
    ? undefined
    : `must be a list of error classes or a function, not ${describe(value)}`;

const SETTINGS: Readonly<Record<keyof ListenerSettings, Check>> = {
  consumerGroup: aText,
  mode: oneOf('shared', 'broadcast'),
  enabled: oneOf(true, false),
  onInvalid: onInvalidProblem,
  concurrency: aPositiveInteger,
  handlerTimeoutMs: aPositiveNumber,
  backoff: backoffProblem,
  maxAttempts: aPositiveInteger,
  retryOn: errorTest,
  deadLetterOn: errorTest,
  onDeadLetter: aFunction,
  deadLetterTopic: (value) =>
    typeof (value as { name?: unknown } | null)?.name === 'string' ? undefined : aText(value),
  manual: oneOf(true, false),
  globalEnhancers: oneOf(true, false),
  invisibleDurationMs: aPositiveNumber,
  maxBufferedMessages: aPositiveInteger,
  maxBufferedBytes: aPositiveNumber,
  ackBatchSize: aPositiveInteger,
  interceptors: functions,
};

const OVERRIDES: Readonly<Record<keyof ListenerOverrides, Check>> = {
  ...SETTINGS,
  filter: (value) =>
    typeof value === 'string' || typeof (value as { sql?: unknown } | null)?.sql === 'string'
      ? undefined
      : `must be tags ('a || b') or { sql: '…' }, not ${describe(value)}`,
  liteTopics: (value) => {
    if (!Array.isArray(value)) return `must be a list of names, not ${describe(value)}`;
    for (const one of value) {
      const problem = aText(one) ?? liteTopicProblem(one);
      if (problem !== undefined) return `contains ${describe(one)}, which ${problem}`;
    }
    return undefined;
  },
};

const OF_DECORATOR: Readonly<Record<keyof RocketMQListenerOptions, Check>> = {
  ...OVERRIDES,
  name: aText,
  connection: aText,
  parameters: oneOf('decorated'),
  batch: (value) => {
    const { maxSize, maxBytes, maxWaitMs, ...others } = (value ?? {}) as Record<string, unknown>;
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) return `does not know ${unknown}; it takes maxSize, maxBytes and maxWaitMs`;
    const problem =
      named('maxSize', aPositiveInteger(maxSize)) ??
      named('maxBytes', maxBytes === undefined ? undefined : aPositiveInteger(maxBytes)) ??
      named('maxWaitMs', notNegative(maxWaitMs));
    return problem && `is invalid: ${problem}`;
  },
};

/** Where options are set, and which ones are allowed there. */
const PLACES = { defaults: SETTINGS, listeners: OVERRIDES, decorator: OF_DECORATOR } as const;

/**
 * @param where begins the message, for instance `listener Orders.reserve`
 * @throws UsageError that names the option: an unknown one, or an invalid value
 */
export function assertListenerOptions(where: string, place: keyof typeof PLACES, options: object): void {
  const checks: Readonly<Record<string, Check>> = PLACES[place];
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    const known = Object.keys(checks).join(', ');
    const problem =
      check === undefined ? `is unknown; the options are ${known}` : value === undefined ? undefined : check(value);
    if (problem !== undefined) throw new UsageError('ILLEGAL_OPTION', `${where}: option ${name} ${problem}`, name);
  }
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

function backoffProblem(value: unknown): string | undefined {
  const forms = 'milliseconds, a list of them, or { kind: "exponential", initialMs, maxMs, multiplier }';
  const wrong = `must be ${forms}, not ${describe(value)}`;
  if (typeof value === 'number') return notNegative(value);
  if (typeof value !== 'object' || value === null) return wrong;
  const policy = backoffPolicyOf(value as ListenerBackoff);
  const waits = policy.kind === 'exponential' ? [policy.initialMs, policy.maxMs, policy.multiplier] : policy.nextMs;
  if (!Array.isArray(waits) || waits.length === 0) return wrong;
  if (waits.some((wait) => notNegative(wait) !== undefined)) return wrong;
  return notNegative(backoffMs(policy, 1)) === undefined ? undefined : wrong;
}

function named(field: string, problem: string | undefined): string | undefined {
  return problem && `${field} ${problem}`;
}
