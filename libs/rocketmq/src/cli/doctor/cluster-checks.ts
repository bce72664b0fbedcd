// What name server and brokers tell: versions, clocks, half messages given up. What concerns one group is in group-checks.ts.

import type { BrokerClock } from '../../admin/broker-clocks.js';
import type { BrokerVersion } from '../../admin/broker-versions.js';
import type { MasterBroker } from '../../admin/cluster.js';
import type { RocketMQAdmin } from '../../admin/rocketmq-admin.js';
import { RocketMQError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { plural } from '../command.js';
import { timeText } from '../output.js';
import type { Check } from './check.js';

/** Skews below this change nothing that anybody notices. */
const TOLERATED_SKEW_MS = 2_000;
/** How many of the half messages given up are named. */
const NAMED = 5;

export async function checkCluster(admin: RocketMQAdmin, nameServer: string): Promise<readonly Check[]> {
  const check = { name: 'name server', subject: nameServer };
  let brokers: readonly MasterBroker[];
  try {
    brokers = await admin.brokers();
  } catch (error) {
    const why =
      'without it nothing can be told of brokers, groups, lag and dead letters; producers and consumers do not need it';
    const advice = '--admin takes the address of a name server, usually at port 9876';
    return [{ ...check, status: 'failed', seen: describeError(error), why, advice }];
  }
  const known: Check = { ...check, status: 'ok', seen: `knows ${plural(brokers.length, 'broker')}` };
  try {
    const { brokers: versions, failures } = await admin.brokerVersions();
    const silent = failures.map((failure) => silentBroker(failure, failure.error));
    return [known, ...versions.map(versionCheck), ...silent, ...(await clockChecks(admin)), await givenUpCheck(admin)];
  } catch (error) {
    return [known, ...brokers.map((broker) => silentBroker(broker, error))];
  }
}

function silentBroker({ name, address }: MasterBroker, error: unknown): Check {
  const isRefusal = RocketMQError.is(error) && error.outcome === 'rejected';
  return {
    ...{ status: 'failed', name: 'broker', subject: name, seen: describeError(error) },
    why: 'lag, groups and dead letters on it can be neither told nor changed from here',
    advice: isRefusal
      ? 'administration needs a user that is an administrator (super user)'
      : `administration talks to the brokers themselves, at the address that they registered: can ${address} be reached from here? If not, set brokerIP1 in broker.conf to one that can`,
  };
}

function versionCheck({ name, address, text, version, keepsBatches }: BrokerVersion): Check {
  const check = { name: 'version', subject: name };
  const seen = `${version === undefined ? `"${text}"` : `${version.major}.${version.minor}.${version.patch}`} at ${address}`;
  if (version !== undefined && version.major < 5) {
    const why = 'proxies of 5.x work on brokers from 5.0 on; older ones know neither pop nor delays of any length';
    return { ...check, status: 'failed', seen, why, advice: 'bring the broker to 5.x' };
  }
  if (keepsBatches) return { ...check, status: 'ok', seen };
  const why = 'it gives all messages of one request the tag, keys and properties of the first';
  return { ...check, status: 'warning', seen, why, advice: 'bring it to 5.4.0 or later, or do not batch sends' };
}

async function clockChecks(admin: RocketMQAdmin): Promise<readonly Check[]> {
  const { brokers } = await admin.brokerClocks();
  return brokers.map(clockCheck);
}

export function clockCheck({ name, aheadMs, errorMs }: BrokerClock): Check {
  const check = { name: 'clock', subject: name };
  if (aheadMs === undefined) return { ...check, status: 'skipped', seen: 'the broker does not tell its time' };
  const side = aheadMs < 0 ? 'behind' : 'ahead of';
  const seen = `${secondsText(Math.abs(aheadMs))} ${side} this machine, give or take ${secondsText(errorMs)} (by its uptime, in whole seconds)`;
  if (Math.abs(aheadMs) - errorMs <= TOLERATED_SKEW_MS) return { ...check, status: 'ok', seen };
  return {
    ...check,
    status: 'warning',
    seen,
    why: 'delayed messages come early or late by that, the first check of a transaction too, and certificates may not be valid yet',
    advice: 'let NTP set both clocks',
  };
}

function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

async function givenUpCheck(admin: RocketMQAdmin): Promise<Check> {
  const check = { name: 'half messages given up', subject: 'TRANS_CHECK_MAX_TIME_TOPIC' };
  try {
    const { messages, total } = await admin.givenUpHalfMessages({ limit: NAMED });
    if (total === 0n) return { ...check, status: 'ok', seen: 'none' };
    const named = messages.map(
      ({ messageId, originTopic = 'a topic that was not kept', bornTimestampMs }) =>
        `${messageId} of ${originTopic}, born ${timeText(bornTimestampMs)}`,
    );
    return {
      ...check,
      status: 'warning',
      seen: `${total}, the oldest: ${named.join('; ')}`,
      why: 'their transactions were neither committed nor rolled back, and nobody answered the checks: they are never delivered',
      advice:
        'run the services that sent them, then nestjs-rocketmq transaction resume: their transaction logs decide; see why no checker answered',
    };
  } catch (error) {
    return { ...check, status: 'skipped', seen: describeError(error) };
  }
}
