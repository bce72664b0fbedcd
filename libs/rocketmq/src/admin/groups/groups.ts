// A consumer group in the API of this library, and in the format of the broker. This file sends nothing.

import { isDeepStrictEqual } from 'node:util';
import { type GroupPause, UNEXPLAINED_PAUSE } from '../../protocol/model/group-pause.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { type LiteGroup, liteGroupProblem } from '../../protocol/model/lite-group.js';
import { consumerGroupNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { asChanges, toLiteAttributes } from '../../protocol/remoting/lite-attributes.js';
import { isOf4, releaseName } from '../../protocol/remoting/releases.js';
import { jsonOf, namedObjectsIn } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import {
  DEFAULT_RETRIES,
  deliveryOf,
  type GroupConfig,
  type GroupDelivery,
  type GroupRetryPolicy,
  isDeliverable,
  isPaused,
} from '../../remoting/group-config.js';
import type { RemotingRequest } from '../../remoting/remoting-request.js';
import { type BackoffPolicy, type CustomizedBackoff, type ExponentialBackoff } from '../../support/backoff.js';
import { UsageError } from '../../support/errors.js';
import {
  anyObject,
  assertFields,
  checkedElsewhere,
  type DeepCheck,
  describe,
  isIntegerFrom,
  type OptionChecks,
  objectOf,
  trueOrFalse,
} from '../../support/options.js';

/** A consumer group to create or update. Omitted settings of an existing group stay unchanged. */
export interface NewGroup {
  /** The name of the group. */
  readonly consumerGroup: string;
  /** Whether its consumers receive the messages of a message group one after another. Default for a new group: false. */
  readonly fifo?: boolean;
  /** Deliveries before a message becomes a dead letter, 1 to 2147483647. Default for a new group: 17. */
  readonly maxDeliveryAttempts?: number;
  /** The delays between deliveries, in integer milliseconds; the multiplier is an integer, too. Default: the server's own list. */
  readonly backoff?: BackoffPolicy;
  /** Binds the group to lite topics. Requires server 5.5.0. Default for a new group: it is an ordinary group. */
  readonly lite?: LiteGroup;
}

const EXPONENTIAL_FIELDS: OptionChecks<ExponentialBackoff> = {
  kind: checkedElsewhere,
  initialMs: checkedElsewhere,
  maxMs: checkedElsewhere,
  multiplier: checkedElsewhere,
};
const CUSTOMIZED_FIELDS: OptionChecks<CustomizedBackoff> = { kind: checkedElsewhere, nextMs: checkedElsewhere };
const LITE_FIELDS: OptionChecks<LiteGroup> = {
  topic: checkedElsewhere,
  subscriptionQuota: checkedElsewhere,
  exclusive: checkedElsewhere,
};

/** Servers want integers: the values are checked by {@link checkBackoff}. */
const backoffFields: DeepCheck = (value) => {
  const { kind } = Object(value) as Partial<BackoffPolicy>;
  if (anyObject(value) === undefined && kind !== 'exponential' && kind !== 'customized') {
    return { field: 'kind', problem: `must be exponential or customized, not ${describe(kind)}` };
  }
  return objectOf({ options: kind === 'customized' ? CUSTOMIZED_FIELDS : EXPONENTIAL_FIELDS })(value);
};

const GROUP_CHECKS: OptionChecks<NewGroup> = {
  consumerGroup: checkedElsewhere,
  fifo: trueOrFalse,
  maxDeliveryAttempts: checkedElsewhere,
  backoff: backoffFields,
  lite: objectOf({ options: LITE_FIELDS }),
};

/** A consumer group on one of its brokers. */
export interface GroupOnBroker extends MasterBroker, GroupDelivery {
  /** Whether the broker keeps order and backoff of the group. One of 4.x does not: its consumers decide both. */
  readonly keepsRules: boolean;
  /** Whether the broker delivers nothing to the group, because it is paused. */
  readonly isPaused: boolean;
}

/** A consumer group on the servers. The settings are those of the first broker; `brokers` shows differences. */
export interface GroupDescription extends GroupDelivery {
  readonly consumerGroup: string;
  /** Why it is paused; undefined when no broker has paused it. */
  readonly pause: GroupPause | undefined;
  /** The brokers that have it, by name: at least one. */
  readonly brokers: readonly GroupOnBroker[];
}

/** @throws UsageError that names the field and its valid values */
export function checkNewGroup(definition: NewGroup): void {
  assertFields(definition, GROUP_CHECKS);
  const { consumerGroup, maxDeliveryAttempts, backoff, lite } = Object(definition) as NewGroup;
  const problem = consumerGroupNameProblem(consumerGroup);
  if (problem !== undefined) {
    throw new UsageError(
      'ILLEGAL_CONSUMER_GROUP',
      `consumer group ${describe(consumerGroup)} ${problem}`,
      'consumerGroup',
    );
  }
  if (maxDeliveryAttempts !== undefined && !isDeliverable(maxDeliveryAttempts)) {
    const message = `consumer group "${consumerGroup}": maxDeliveryAttempts is ${describe(maxDeliveryAttempts)}; it must be an integer from 1 to ${LIMITS.attempts}`;
    throw new UsageError('ILLEGAL_MAX_DELIVERY_ATTEMPTS', message, 'maxDeliveryAttempts');
  }
  if (backoff !== undefined) checkBackoff(consumerGroup, backoff);
  const liteProblem = lite && liteGroupProblem(lite);
  if (liteProblem !== undefined) {
    throw new UsageError('ILLEGAL_LITE_GROUP', `consumer group "${consumerGroup}": ${liteProblem}`, 'lite');
  }
}

function checkBackoff(consumerGroup: string, backoff: BackoffPolicy): void {
  const numbers =
    backoff.kind === 'customized' ? backoff.nextMs : [backoff.initialMs, backoff.maxMs, backoff.multiplier];
  const isList = Array.isArray(numbers);
  if (isList && numbers.length > 0 && numbers.every((value) => isIntegerFrom(value, 1))) return;
  const shown = isList ? `[${numbers.map(describe).join(', ')}]` : describe(numbers);
  const message = `consumer group "${consumerGroup}": backoff is ${shown}; it must contain integers above 0 only`;
  throw new UsageError('ILLEGAL_BACKOFF', message, 'backoff');
}

function attemptsOf({ maxDeliveryAttempts: most }: { readonly maxDeliveryAttempts: number }): string {
  if (!isDeliverable(most)) return 'delivers nothing';
  return `delivers at most ${times(most)}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** @throws UsageError when a broker of this release has no lite topics to bind the group to */
export function checkHasLiteTopics({ consumerGroup }: NewGroup, { name }: MasterBroker, release: number): void {
  if (!isOf4(release)) return;
  const text = `consumer group "${consumerGroup}": ${name} runs ${releaseName(release)}; lite topics need RocketMQ 5.5.0 or later; nothing was changed`;
  throw new UsageError('VERSION_UNSUPPORTED', text, 'lite');
}

/** In which settings the brokers that have the group differ from the given ones; a sentence for each. */
export function groupDifferences(
  { brokers }: GroupDescription,
  { fifo, maxDeliveryAttempts, backoff, lite }: NewGroup,
): string[] {
  return brokers.flatMap((found) => [
    ...(fifo === undefined || fifo === found.fifo || !found.keepsRules
      ? []
      : [`it is ${fifo ? 'not ordered' : 'ordered'} on ${found.name}`]),
    ...attemptDifferences(found, maxDeliveryAttempts),
    ...(backoff === undefined || isDeepStrictEqual(backoff, found.backoff) || !found.keepsRules
      ? []
      : [`its backoff differs on ${found.name}`]),
    ...liteDifferences(found, lite),
  ]);
}

/** A group that delivers nothing is not what anybody wants, whatever was left out. */
function attemptDifferences(found: GroupOnBroker, wanted: number | undefined): string[] {
  if (wanted === undefined)
    return isDeliverable(found.maxDeliveryAttempts)
      ? []
      : [`it delivers nothing on ${found.name} until its attempts are set`];
  if (wanted === found.maxDeliveryAttempts) return [];
  return [`it ${attemptsOf(found)} on ${found.name}, not at most ${times(wanted)}`];
}

function liteDifferences({ name, lite: found }: GroupOnBroker, wanted: LiteGroup | undefined): string[] {
  if (wanted === undefined || isDeepStrictEqual({ ...found, ...wanted }, found)) return [];
  if (found === undefined) return [`it is not bound to lite topics on ${name}`];
  const { topic, subscriptionQuota, exclusive } = found;
  const how = exclusive ? 'exclusively' : 'shared';
  return [`it is bound to the lite topics of ${topic} on ${name}, ${how}, ${subscriptionQuota} for each consumer`];
}

/** Request code 200. Settings that the definition omits are taken from `existing`. */
export function updateGroupRequest(definition: NewGroup, existing: GroupConfig | undefined): RemotingRequest {
  // The server accepts attributes only as changes ("+name=value"), not in the format in which it returns them.
  const { attributes: _, isOf4: __, ...kept } = existing ?? {};
  const attempts = definition.maxDeliveryAttempts;
  const config: GroupConfig = {
    ...kept,
    groupName: definition.consumerGroup,
    consumeMessageOrderly: definition.fifo ?? existing?.consumeMessageOrderly ?? false,
    retryMaxTimes: attempts === undefined ? (existing?.retryMaxTimes ?? DEFAULT_RETRIES) : attempts - 1,
    ...(definition.backoff === undefined ? {} : { groupRetryPolicy: toRetryPolicy(definition.backoff) }),
    ...(definition.lite === undefined ? {} : { attributes: asChanges(toLiteAttributes(definition.lite)) }),
  };
  return { code: REQUEST_CODES.updateAndCreateSubscriptionGroup, body: Buffer.from(JSON.stringify(config)) };
}

/** All groups in the answer to request code 201, by name. */
export function groupConfigsIn(answer: RemotingFrame): ReadonlyMap<string, GroupConfig> {
  const configs = namedObjectsIn<GroupConfig>(jsonOf(answer).subscriptionGroupTable);
  return new Map(isOf4(answer.version) ? configs.map(([name, one]) => [name, { ...one, isOf4: true }]) : configs);
}

/** Without the note about its pause. @param configs those of the brokers that have the group; undefined without any */
export function describeGroup(
  consumerGroup: string,
  configs: readonly { readonly broker: MasterBroker; readonly config: GroupConfig }[],
): GroupDescription | undefined {
  const brokers = configs.map(({ broker, config }) => ({
    ...broker,
    ...deliveryOf(config),
    keepsRules: config.isOf4 !== true,
    isPaused: isPaused(config),
  }));
  const [first] = brokers;
  if (first === undefined) return undefined;
  const { fifo, maxDeliveryAttempts, backoff, lite } = first;
  const pause = brokers.some((one) => one.isPaused) ? UNEXPLAINED_PAUSE : undefined;
  return { consumerGroup, fifo, maxDeliveryAttempts, backoff, lite, pause, brokers };
}

function toRetryPolicy(backoff: BackoffPolicy): GroupRetryPolicy {
  if (backoff.kind === 'customized') return { type: 'CUSTOMIZED', customizedRetryPolicy: { next: backoff.nextMs } };
  const { initialMs: initial, maxMs: max, multiplier } = backoff;
  return { type: 'EXPONENTIAL', exponentialRetryPolicy: { initial, max, multiplier } };
}
