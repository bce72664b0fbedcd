// A consumer group in the API of this library, and in the format of the broker. This file sends nothing.

import { isDeepStrictEqual } from 'node:util';
import { DEFAULT_BACKOFF } from '../protocol/model/delay-levels.js';
import { consumerGroupNameProblem } from '../protocol/model/names.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import type { BackoffPolicy } from '../support/backoff.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import { isIntegerFrom } from '../support/options.js';
import { jsonOf } from './answers.js';
import type { MasterBroker } from './cluster.js';
import type { RemotingRequest } from './remoting-request.js';

/** A consumer group to create or update. Omitted settings of an existing group stay unchanged. */
export interface NewGroup {
  /** The name of the group. */
  readonly consumerGroup: string;
  /** Whether its consumers receive the messages of a message group one after another. Default for a new group: false. */
  readonly fifo?: boolean;
  /** Deliveries before a message becomes a dead letter, at least 1. Default for a new group: 17. */
  readonly maxDeliveryAttempts?: number;
  /** The delays between deliveries, in integer milliseconds; the multiplier is an integer, too. Default: the server's own list. */
  readonly backoff?: BackoffPolicy;
}

/** The delivery settings of a consumer group. */
export interface GroupDelivery {
  readonly fifo: boolean;
  readonly maxDeliveryAttempts: number;
  readonly backoff: BackoffPolicy;
}

/** A consumer group on one of its brokers. */
export interface GroupOnBroker extends MasterBroker, GroupDelivery {}

/** A consumer group on the servers. The settings are those of the first broker; `brokers` shows differences. */
export interface GroupDescription extends GroupDelivery {
  readonly consumerGroup: string;
  /** The brokers that have it, by name: at least one. */
  readonly brokers: readonly GroupOnBroker[];
}

/** A consumer group in the format of the broker. @see SubscriptionGroupConfig of the server */
export interface GroupConfig {
  readonly groupName?: string;
  readonly consumeMessageOrderly?: boolean;
  readonly retryMaxTimes?: number;
  readonly groupRetryPolicy?: GroupRetryPolicy;
  readonly [otherField: string]: unknown;
}

interface GroupRetryPolicy {
  readonly type?: 'EXPONENTIAL' | 'CUSTOMIZED';
  readonly exponentialRetryPolicy?: {
    readonly initial?: number;
    readonly max?: number;
    readonly multiplier?: number;
  } | null;
  readonly customizedRetryPolicy?: { readonly next?: readonly number[] } | null;
}

const DEFAULT_RETRIES = 16;
/** @throws UsageError that names the field and its valid values */
export function checkNewGroup({ consumerGroup, maxDeliveryAttempts, backoff }: NewGroup): void {
  const problem = consumerGroupNameProblem(consumerGroup);
  if (problem !== undefined) {
    throw new UsageError('ILLEGAL_CONSUMER_GROUP', `consumer group "${consumerGroup}" ${problem}`, 'consumerGroup');
  }
  if (maxDeliveryAttempts !== undefined && !isIntegerFrom(maxDeliveryAttempts, 1)) {
    const message = `consumer group "${consumerGroup}": maxDeliveryAttempts is ${maxDeliveryAttempts}; it must be an integer from 1 on`;
    throw new UsageError('ILLEGAL_MAX_DELIVERY_ATTEMPTS', message, 'maxDeliveryAttempts');
  }
  if (backoff !== undefined) checkBackoff(consumerGroup, backoff);
}

function checkBackoff(consumerGroup: string, backoff: BackoffPolicy): void {
  const numbers =
    backoff.kind === 'customized' ? backoff.nextMs : [backoff.initialMs, backoff.maxMs, backoff.multiplier];
  if (numbers.length > 0 && numbers.every((value) => isIntegerFrom(value, 1))) return;
  const message = `consumer group "${consumerGroup}": backoff is [${numbers.join(', ')}]; it must contain integers above 0 only`;
  throw new UsageError('ILLEGAL_BACKOFF', message, 'backoff');
}

/** In which settings the brokers that have the group differ from the given ones; a sentence for each. */
export function groupDifferences(
  { brokers }: GroupDescription,
  { fifo, maxDeliveryAttempts, backoff }: NewGroup,
): string[] {
  return brokers.flatMap((found) => [
    ...(fifo === undefined || fifo === found.fifo
      ? []
      : [`it is ${fifo ? 'not ordered' : 'ordered'} on ${found.name}`]),
    ...(maxDeliveryAttempts === undefined || maxDeliveryAttempts === found.maxDeliveryAttempts
      ? []
      : [`it delivers at most ${found.maxDeliveryAttempts} times on ${found.name}, not ${maxDeliveryAttempts}`]),
    ...(backoff === undefined || isDeepStrictEqual(backoff, found.backoff)
      ? []
      : [`its backoff differs on ${found.name}`]),
  ]);
}

/** Request code 200. Settings that the definition omits are taken from `existing`. */
export function updateGroupRequest(definition: NewGroup, existing: GroupConfig | undefined): RemotingRequest {
  // The server accepts attributes only as changes ("+name=value"), not in the format in which it returns them.
  const { attributes: _, ...kept } = existing ?? {};
  const attempts = definition.maxDeliveryAttempts;
  const config: GroupConfig = {
    ...kept,
    groupName: definition.consumerGroup,
    consumeMessageOrderly: definition.fifo ?? existing?.consumeMessageOrderly ?? false,
    retryMaxTimes: attempts === undefined ? (existing?.retryMaxTimes ?? DEFAULT_RETRIES) : attempts - 1,
    ...(definition.backoff === undefined ? {} : { groupRetryPolicy: toRetryPolicy(definition.backoff) }),
  };
  return { code: REQUEST_CODES.updateAndCreateSubscriptionGroup, body: Buffer.from(JSON.stringify(config)) };
}

/** All groups in the answer to request code 201, by name. */
export function groupConfigsIn(answer: RemotingFrame): ReadonlyMap<string, GroupConfig> {
  const table = jsonOf(answer).subscriptionGroupTable;
  return new Map(
    typeof table === 'object' && table !== null ? Object.entries(table as Record<string, GroupConfig>) : [],
  );
}

/** @param configs those of the brokers that have the group; undefined without any */
export function describeGroup(
  consumerGroup: string,
  configs: readonly { readonly broker: MasterBroker; readonly config: GroupConfig }[],
): GroupDescription | undefined {
  const brokers = configs.map(({ broker, config }) => ({ ...broker, ...deliveryOf(config) }));
  const [first] = brokers;
  if (first === undefined) return undefined;
  const { fifo, maxDeliveryAttempts, backoff } = first;
  return { consumerGroup, fifo, maxDeliveryAttempts, backoff, brokers };
}

function deliveryOf(config: GroupConfig): GroupDelivery {
  return {
    fifo: config.consumeMessageOrderly ?? false,
    maxDeliveryAttempts: (config.retryMaxTimes ?? DEFAULT_RETRIES) + 1,
    backoff: fromRetryPolicy(config.groupRetryPolicy),
  };
}

function toRetryPolicy(backoff: BackoffPolicy): GroupRetryPolicy {
  if (backoff.kind === 'customized') return { type: 'CUSTOMIZED', customizedRetryPolicy: { next: backoff.nextMs } };
  const { initialMs: initial, maxMs: max, multiplier } = backoff;
  return { type: 'EXPONENTIAL', exponentialRetryPolicy: { initial, max, multiplier } };
}

/** The server's defaults for missing parts. @see GroupRetryPolicy.getRetryPolicy of the server */
function fromRetryPolicy(policy: GroupRetryPolicy | undefined): BackoffPolicy {
  if (policy?.type === 'EXPONENTIAL') {
    const { initial = 5 * SECOND_MS, max = 120 * MINUTE_MS, multiplier = 2 } = policy.exponentialRetryPolicy ?? {};
    return { kind: 'exponential', initialMs: initial, maxMs: max, multiplier };
  }
  const next = policy?.customizedRetryPolicy?.next;
  return next === undefined ? DEFAULT_BACKOFF : { kind: 'customized', nextMs: next };
}
