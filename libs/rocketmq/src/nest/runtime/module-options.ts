// The module options, validated and with their defaults.

import { areNameServers, canonicalEndpoints, endpointKey, parseEndpoints } from '../../client/endpoint.js';
import type { ConsumerEvents } from '../../consumer/model/consumer-events.js';
import type { ProducerEvents } from '../../producer/producer-events.js';
import { consumerGroupNameProblem } from '../../protocol/model/names.js';
import { SECOND_MS } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { NestLoggerAdapter } from '../common/nest-logger.js';
import {
  aBoolean,
  aFunction,
  anObject,
  anyText,
  aText,
  atLeast,
  type Check,
  describe,
  oneOf,
  withMethods,
} from '../common/option-checks.js';
import { assertListenerOptions } from '../listening/listener-options.js';
import { type BodyCodec, jsonCodec } from '../messages/message-body.js';
import { type ResourceNames, resourceNames } from '../messages/resource-names.js';
import { assertGroups } from '../operations/declarations.js';
import type { RocketMQModuleOptions, RocketMQProducerOptions } from './rocketmq.interfaces.js';

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

/** Checked elsewhere: by the connection, which also names the field, or further below. */
const elsewhere: Check = () => undefined;

const CHECKS: Readonly<Record<keyof RocketMQModuleOptions, Check>> = {
  endpoints: elsewhere,
  consumerGroup: (value) => {
    const problem = anyText(value) ?? consumerGroupNameProblem(value as string);
    return problem?.startsWith('must') ? problem : problem && `${describe(value)} ${problem}`;
  },
  namespace: anyText,
  topicPrefix: anyText,
  groupPrefix: anyText,
  resolveTopic: aFunction,
  tls: elsewhere,
  credentials: elsewhere,
  credentialsRefreshMs: atLeast(1),
  requestTimeoutMs: atLeast(1),
  useBootstrapEndpoints: aBoolean,
  addressMapping: aFunction,
  clock: withMethods('a Clock', 'nowMs'),
  logger: withMethods('a Logger', 'debug', 'info', 'warn', 'error'),
  codec: withMethods('a BodyCodec', 'encode', 'decode'),
  hooks: elsewhere,
  defaults: anObject,
  listeners: anObject,
  unknownListeners: oneOf('error', 'ignore'),
  consumers: aBoolean,
  topics: (value) =>
    Array.isArray(value) && value.every((one) => typeof one?.name === 'string')
      ? undefined
      : 'must be a list of topics from defineTopic()',
  producer: anObject,
  nameServer: elsewhere,
  proxies: aText,
  provision: oneOf('create', 'check', 'off'),
  groups: anObject,
  requests: elsewhere,
  transactionLog: withMethods('a TransactionLog of nestjs-rocketmq/sql, or another object', 'check'),
  inbox: withMethods('an Inbox of nestjs-rocketmq/sql, or another object', 'assertOutlives'),
  transactionOwner: aText,
  startTimeoutMs: atLeast(1),
  whenUnavailable: oneOf('fail', 'degraded'),
  shutdownGraceMs: atLeast(0),
  events: hooksProblem,
  telemetry: withMethods('the result of openTelemetry() of nestjs-rocketmq/opentelemetry', 'producer', 'pushConsumer'),
};

const KNOWN_OF_EVENTS: Readonly<Record<keyof (ConsumerEvents & ProducerEvents), true>> = {
  onConnected: true,
  onLost: true,
  onRecovered: true,
  onFailed: true,
  onDeadLetter: true,
  onLeaseLost: true,
  onSettleFailed: true,
  onGraceOver: true,
  onLiteTopicLost: true,
  onEnded: true,
  onLeftToCheck: true,
  onChecked: true,
  onOnewayFailed: true,
};

/** Rejects unknown names in plain objects only: an instance of a class may have other fields. */
function hooksProblem(value: unknown): string | undefined {
  const wrong = anObject(value);
  if (wrong !== undefined) return wrong;
  const given = value as Readonly<Record<string, unknown>>;
  const known = Object.keys(KNOWN_OF_EVENTS);
  const isPlain = Object.getPrototypeOf(given) === Object.prototype;
  const unknown = isPlain ? Object.keys(given).find((name) => !known.includes(name)) : undefined;
  if (unknown !== undefined) return `has no hook ${unknown}; the hooks are ${known.join(', ')}`;
  const broken = known.find((name) => given[name] !== undefined && typeof given[name] !== 'function');
  return broken && `is invalid: ${broken} ${aFunction(given[broken])}`;
}

const KNOWN_OF_PRODUCER: Readonly<Record<keyof RocketMQProducerOptions, true>> = {
  maxAttempts: true,
  maxInFlight: true,
  maxInFlightBytes: true,
  maxDelayMs: true,
  whenFull: true,
  compression: true,
  batching: true,
  serverVersion: true,
  brokerVersions: true,
  interceptors: true,
  localTransactionTimeoutMs: true,
  checkTimeoutMs: true,
  firstCheckAfterMs: true,
};

/** @throws UsageError that names the field */
export function checkOptions(options: RocketMQModuleOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null) {
    throw refused('options', `must be an object, not ${String(options)}`);
  }
  assertKnown(options, CHECKS);
  for (const [field, value] of Object.entries(options)) {
    const problem = value === undefined ? undefined : CHECKS[field as keyof RocketMQModuleOptions](value);
    if (problem !== undefined) throw refused(field, problem);
  }
  assertKnown(options.producer ?? {}, KNOWN_OF_PRODUCER, 'producer.');
  assertListenerOptions('RocketMQModule: option defaults', 'defaults', options.defaults ?? {});
  for (const [name, overrides] of Object.entries(options.listeners ?? {})) {
    assertListenerOptions(`RocketMQModule: option listeners[${JSON.stringify(name)}]`, 'listeners', overrides);
  }
  assertGroups(options.groups ?? {});
  assertHooks(options.hooks);
  assertRequests(options.requests);
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

function assertKnown(options: object, known: object, prefix = ''): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const names = Object.keys(known).map((name) => `${prefix}${name}`);
  throw refused(`${prefix}${unknown}`, `is unknown; the options are ${names.join(', ')}`);
}

function assertRequests(requests: unknown): void {
  if (requests === undefined) return;
  if (typeof requests !== 'object' || requests === null) {
    throw refused('requests', `must be { application: '…' }, not ${String(requests)}`);
  }
  const { application, timeoutMs, ...others } = requests as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw refused(`requests.${unknown}`, 'is unknown; the options are application, timeoutMs');
  if (typeof application !== 'string' || !/^[\w-]{1,60}$/.test(application)) {
    const text = `must be 1 to 60 letters, digits, "-" and "_", not ${JSON.stringify(application)}`;
    throw refused('requests.application', text);
  }
  const problem = timeoutMs === undefined ? undefined : atLeast(1)(timeoutMs);
  if (problem !== undefined) throw refused('requests.timeoutMs', problem);
}

function assertHooks(hooks: unknown): void {
  if (hooks === undefined) return;
  const isHook = (one: unknown): boolean => typeof one === 'function' || (typeof one === 'object' && one !== null);
  if (!Array.isArray(hooks) || !hooks.every(isHook)) {
    throw refused('hooks', 'must be a list of objects with outgoing and incoming, or of classes with these methods');
  }
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
    throw refused('endpoints', text);
  }
  if (typeof endpoints === 'string' && endpoints.startsWith(EMBEDDED)) {
    const data = endpoints.slice(EMBEDDED.length);
    return { kind: 'embedded', data: data === '' ? undefined : data };
  }
  return { kind: 'cluster', endpoints: canonicalEndpoints(endpoints) };
}

function refused(field: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_OPTION', `RocketMQModule: option ${field} ${problem}`, field);
}
