// The module options, validated and with their defaults.

import { layoutsProblem } from '../../client/connection-options.js';
import { areNameServers, canonicalEndpoints, endpointKey, parseEndpoints } from '../../client/endpoint.js';
import { CONSUMER_EVENTS, PUSH_CONSUMER_CHECKS } from '../../consumer/push-consumer-options.js';
import { PRODUCER_CHECKS, PRODUCER_EVENTS } from '../../producer/producer-options.js';
import { TOPIC_TYPES } from '../../protocol/model/message.js';
import { consumerGroupNameProblem, topicNameProblem } from '../../protocol/model/names.js';
import { SECOND_MS } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import {
  anyFunction,
  anyObject,
  anyString,
  assertOptions,
  atLeast,
  type Check,
  callbacks,
  checkedElsewhere,
  describe,
  type Fault,
  listOf,
  nonEmptyString,
  type OptionChecks,
  objectOf,
  oneOf,
  rejected,
  trueOrFalse,
  withMethods,
} from '../../support/options.js';
import { assertGroups } from '../cluster/declarations.js';
import { NestLoggerAdapter } from '../common/nest-logger.js';
import { assertListenerOptions } from '../listening/listener-options.js';
import { type BodyCodec, jsonCodec } from '../messages/body-codecs.js';
import { validHook } from '../messages/message-hooks.js';
import { type ResourceNames, resourceNames } from '../messages/resource-names.js';
import type { RocketMQRequestOptions } from '../sending/reply-channel.js';
import type { OperationsOptions, RocketMQModuleOptions, RocketMQProducerOptions } from './rocketmq.interfaces.js';

/** Where the broker is. */
export type Target = { readonly kind: 'cluster'; readonly endpoints: string } | EmbeddedTarget;

/** An embedded broker: with its data in a folder, or in memory. */
interface EmbeddedTarget {
  readonly kind: 'embedded';
  readonly data: string | undefined;
}

/** Validated options. `credentials` and `tls` are not enumerable: a copy must name them. */
export interface CheckedOptions extends RocketMQModuleOptions {
  readonly target: Target;
  readonly codec: BodyCodec;
  readonly names: ResourceNames;
  readonly logger: Logger;
  readonly startTimeoutMs: number;
  readonly shutdownGraceMs: number;
}

const EVENTS = { ...CONSUMER_EVENTS, ...PRODUCER_EVENTS };

/** Rejects unknown names in plain objects only: an instance of a class may have other fields. */
function hooksProblem(value: unknown): string | undefined {
  const wrong = callbacks(EVENTS)(value);
  if (wrong !== undefined || Object.getPrototypeOf(value) !== Object.prototype) return wrong;
  const unknown = Object.keys(value as object).find((name) => !Object.hasOwn(EVENTS, name));
  return unknown && `has no hook ${unknown}; the hooks are ${Object.keys(EVENTS).join(', ')}`;
}

/** The options of the client's producer that the module has, too. */
const OF_PRODUCER: OptionChecks<RocketMQProducerOptions> = (() => {
  const { topics, transactionCheckers, transactionOwner, events, telemetry, ...own } = PRODUCER_CHECKS.options;
  return own;
})();

const OF_REQUESTS: OptionChecks<RocketMQRequestOptions> = {
  application: (value) =>
    typeof value === 'string' && /^[\w-]{1,60}$/.test(value)
      ? undefined
      : `must be 1 to 60 letters, digits, "-" and "_", not ${describe(value)}`,
  timeoutMs: atLeast(1),
};

function nameCheck(problemOf: (name: string) => string | undefined): Check {
  return (value) => {
    if (typeof value !== 'string') return anyString(value);
    const problem = problemOf(value);
    return problem && `${describe(value)} ${problem}`;
  };
}

/** What a name may begin with; it may be empty. */
function prefixCheck(problemOf: (name: string) => string | undefined): Check {
  const check = nameCheck(problemOf);
  return (value) => (value === '' ? undefined : check(value));
}

const MIN_LAG_EVERY_MS = 10 * SECOND_MS;

const OF_OPERATIONS: OptionChecks<OperationsOptions> = {
  topic: nameCheck(topicNameProblem),
  texts: trueOrFalse,
  lagEveryMs: (value) => (value === 0 ? undefined : atLeast(MIN_LAG_EVERY_MS)(value)),
};

/** A topic need not come from `defineTopic()`. */
function validTopic(value: unknown): string | Fault | undefined {
  const { name, type } = Object(value) as { readonly name?: unknown; readonly type?: unknown };
  if (typeof name !== 'string') return `must be a topic from defineTopic(), not ${describe(value)}`;
  const problem = type === undefined ? undefined : oneOf(...TOPIC_TYPES)(type);
  return problem === undefined ? undefined : { field: 'type', problem };
}

/** Without name servers, and without the embedded broker, which needs none. */
function proxiesFault({ endpoints, nameServer, proxies }: RocketMQModuleOptions): Fault | undefined {
  const isNeeded = proxies !== undefined && nameServer === undefined && targetOf(endpoints).kind === 'cluster';
  if (!isNeeded || areNameServers(endpoints ?? '')) return undefined;
  return { field: 'proxies', problem: 'needs nameServer' };
}

const CHECKS: OptionChecks<RocketMQModuleOptions> = {
  endpoints: checkedElsewhere,
  consumerGroup: nameCheck(consumerGroupNameProblem),
  namespace: anyString,
  topicPrefix: prefixCheck(topicNameProblem),
  groupPrefix: prefixCheck(consumerGroupNameProblem),
  resolveTopic: anyFunction,
  tls: checkedElsewhere,
  credentials: checkedElsewhere,
  credentialsRefreshMs: atLeast(1),
  requestTimeoutMs: atLeast(1),
  useBootstrapEndpoints: trueOrFalse,
  addressMapping: anyFunction,
  topicLayouts: layoutsProblem,
  clock: withMethods('a Clock', 'nowMs'),
  logger: withMethods('a Logger', 'debug', 'info', 'warn', 'error'),
  codec: withMethods('a BodyCodec', 'encode', 'decode'),
  hooks: listOf('objects with outgoing and incoming, or of classes with these methods', validHook),
  defaults: anyObject,
  listeners: anyObject,
  unknownListeners: oneOf('error', 'ignore'),
  consumers: trueOrFalse,
  topics: listOf('topics from defineTopic()', validTopic),
  producer: objectOf({ options: OF_PRODUCER, together: PRODUCER_CHECKS.together }),
  nameServer: nonEmptyString,
  proxies: nonEmptyString,
  provision: oneOf('create', 'check', 'off'),
  groups: anyObject,
  requests: objectOf({ options: OF_REQUESTS, required: ['application'] }),
  operations: objectOf({ options: OF_OPERATIONS, required: ['topic'] }),
  transactionLog: withMethods('a TransactionLog of nestjs-rocketmq/sql, or another object', 'check'),
  inbox: withMethods('an Inbox of nestjs-rocketmq/sql, or another object', 'assertOutlives'),
  limitStore: PUSH_CONSUMER_CHECKS.limitStore,
  transactionOwner: nonEmptyString,
  startTimeoutMs: atLeast(1),
  whenUnavailable: oneOf('fail', 'degraded'),
  shutdownGraceMs: atLeast(0),
  events: hooksProblem,
  telemetry: withMethods('the result of openTelemetry() of nestjs-rocketmq/opentelemetry', 'producer', 'pushConsumer'),
};

const WHERE = 'RocketMQModule: ';

/** @throws UsageError that names the field */
export function checkOptions(options: RocketMQModuleOptions): CheckedOptions {
  assertOptions(options, { options: CHECKS, together: proxiesFault }, WHERE);
  assertListenerOptions('RocketMQModule: option defaults', 'defaults', options.defaults ?? {});
  for (const [name, overrides] of Object.entries(options.listeners ?? {})) {
    assertListenerOptions(`RocketMQModule: option listeners[${JSON.stringify(name)}]`, 'listeners', overrides);
  }
  assertGroups(options.groups ?? {});
  const { credentials, tls, ...open } = options;
  const checked = {
    ...open,
    target: targetOf(options.endpoints),
    nameServer: options.nameServer ?? nameServersIn(options.endpoints),
    codec: options.codec ?? jsonCodec,
    names: resourceNames(options),
    logger: options.logger ?? new NestLoggerAdapter(),
    startTimeoutMs: options.startTimeoutMs ?? 30 * SECOND_MS,
    shutdownGraceMs: options.shutdownGraceMs ?? 20 * SECOND_MS,
  };
  // Not enumerable, so that logging the options object does not reveal them.
  return Object.defineProperties(checked, { credentials: { get: () => credentials }, tls: { get: () => tls } });
}

/** Endpoints that are name servers serve administration, too. */
function nameServersIn(endpoints: string | undefined): string | undefined {
  if (endpoints === undefined || !areNameServers(endpoints)) return undefined;
  return endpointKey(parseEndpoints(endpoints));
}

/** Followed by the folder of its data. */
const EMBEDDED = 'embedded:';

function targetOf(endpoints: string | undefined): Target {
  if (endpoints === undefined) {
    const text =
      'is undefined; set it to "host:8081" of a RocketMQ proxy, or to "embedded:" for a broker inside this application ' +
      '(is ROCKETMQ_ENDPOINTS set?)';
    throw rejected('endpoints', text, WHERE);
  }
  if (typeof endpoints === 'string' && endpoints.startsWith(EMBEDDED)) {
    const data = endpoints.slice(EMBEDDED.length);
    return { kind: 'embedded', data: data === '' ? undefined : data };
  }
  return { kind: 'cluster', endpoints: canonicalEndpoints(endpoints) };
}
