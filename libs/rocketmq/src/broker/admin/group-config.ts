// Converts a consumer group to and from the format of the remoting protocol.

import { DEFAULT_BACKOFF } from '../../protocol/model/delay-levels.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { liteGroupProblem } from '../../protocol/model/lite-group.js';
import { consumerGroupNameProblem } from '../../protocol/model/names.js';
import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { fromChanges, fromLiteAttributes, toLiteAttributes } from '../../protocol/remoting/lite-attributes.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import { isIntegerFrom } from '../../support/options.js';
import { DEFAULT_MAX_DELIVERY_ATTEMPTS } from '../engine/registry.js';
import type { GroupRecord } from '../store/records.js';
import { AdminRejection, rejected } from './admin-answer.js';

/** The server's defaults for missing parts of `ExponentialRetryPolicy`. */
const EXPONENTIAL = { initial: 5_000, max: 7_200_000, multiplier: 2 };

/** @see SubscriptionGroupConfig of the server */
export function groupConfigOf(group: GroupRecord): object {
  const { name, fifo, maxDeliveryAttempts, backoff, broadcast = true, lite } = group;
  return {
    groupName: name,
    consumeEnable: group.isPaused !== true,
    consumeFromMinEnable: true,
    consumeBroadcastEnable: broadcast,
    consumeMessageOrderly: fifo,
    retryQueueNums: 1,
    retryMaxTimes: toInt(maxDeliveryAttempts - 1),
    groupRetryPolicy: retryPolicyOf(backoff),
    brokerId: 0,
    whichBrokerWhenConsumeSlowly: 1,
    notifyConsumerIdsChangedEnable: true,
    groupSysFlag: 0,
    consumeTimeoutMinute: 15,
    attributes: lite === undefined ? {} : toLiteAttributes(lite),
  };
}

/**
 * The complete group from request code 200: omitted settings have their defaults, omitted attributes are kept, as on the real server.
 * @param find the group as it was
 * @throws AdminRejection for settings that this broker does not support
 */
export function groupOf({ body }: RemotingFrame, find: (name: string) => GroupRecord | undefined): GroupRecord {
  const config = parse(body);
  const name = groupNameOf(config.groupName);
  const retries = config.retryMaxTimes ?? DEFAULT_MAX_DELIVERY_ATTEMPTS - 1;
  if (!isIntegerFrom(retries, -LIMITS.attempts - 1, LIMITS.attempts)) {
    throw rejected(`consumer group ${name}: retryMaxTimes must be an integer of 32 bits, not ${retries}`);
  }
  return {
    name,
    fifo: config.consumeMessageOrderly === true,
    maxDeliveryAttempts: toInt(retries + 1),
    backoff: backoffOf(name, config.groupRetryPolicy),
    ...(config.consumeEnable === false && { isPaused: true }),
    ...(config.consumeBroadcastEnable === false && { broadcast: false }),
    ...liteOf(name, config.attributes, find(name)),
  };
}

function liteOf(group: string, attributes: unknown, existing: GroupRecord | undefined): Pick<GroupRecord, 'lite'> {
  const changes = fromChanges({ ...(attributes as Record<string, string> | null | undefined) });
  const kept = existing?.lite === undefined ? {} : toLiteAttributes(existing.lite);
  const lite = changes && fromLiteAttributes({ ...kept, ...changes });
  const known = Object.keys(lite === undefined ? {} : toLiteAttributes(lite));
  const isKnown = changes !== undefined && Object.keys(changes).every((name) => known.includes(name));
  const problem = isKnown ? lite && liteGroupProblem(lite) : 'it supports lite.bind.topic and what goes with it';
  if (problem !== undefined) throw rejected(`consumer group ${group}: attributes of the embedded broker: ${problem}`);
  return lite === undefined ? {} : { lite };
}

/** As the `int` of a real server, which overflows: with 2147483647 retries, as with -1, a group has no attempt. */
function toInt(value: number): number {
  return value | 0;
}

/** The validated name of a group. */
export function groupNameOf(text: unknown): string {
  const name = typeof text === 'string' ? text : '';
  const problem = consumerGroupNameProblem(name);
  if (problem === undefined) return name;
  throw new AdminRejection(RESPONSE_CODES.invalidParameter, `The specified group "${name}" ${problem}`);
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    const config: unknown = JSON.parse(body.toString('utf8'));
    if (typeof config === 'object' && config !== null) return config as Record<string, unknown>;
  } catch {
    // Reported below.
  }
  throw rejected('the body of the request is not a JSON object');
}

function retryPolicyOf(backoff: BackoffPolicy): object {
  if (backoff.kind === 'customized') {
    return { type: 'CUSTOMIZED', exponentialRetryPolicy: null, customizedRetryPolicy: { next: backoff.nextMs } };
  }
  const { initialMs: initial, maxMs: max, multiplier } = backoff;
  return { type: 'EXPONENTIAL', exponentialRetryPolicy: { initial, max, multiplier }, customizedRetryPolicy: null };
}

interface RetryPolicy {
  readonly type?: unknown;
  readonly exponentialRetryPolicy?: Partial<typeof EXPONENTIAL> | null;
  readonly customizedRetryPolicy?: { readonly next?: unknown } | null;
}

function backoffOf(group: string, policy: unknown): BackoffPolicy {
  if (policy === undefined || policy === null) return DEFAULT_BACKOFF;
  const { type, exponentialRetryPolicy, customizedRetryPolicy } = policy as RetryPolicy;
  if (type === 'EXPONENTIAL') {
    const { initial, max, multiplier } = { ...EXPONENTIAL, ...exponentialRetryPolicy };
    assertNumbers(group, [initial, max, multiplier]);
    return { kind: 'exponential', initialMs: initial, maxMs: max, multiplier };
  }
  const next = customizedRetryPolicy?.next;
  if (next === undefined || next === null) return DEFAULT_BACKOFF;
  assertNumbers(group, next);
  return { kind: 'customized', nextMs: next };
}

function assertNumbers(group: string, numbers: unknown): asserts numbers is number[] {
  const isFine =
    Array.isArray(numbers) && numbers.length > 0 && numbers.every((one) => Number.isFinite(one) && one > 0);
  if (!isFine) throw rejected(`consumer group ${group}: the values of groupRetryPolicy must be positive numbers`);
}
