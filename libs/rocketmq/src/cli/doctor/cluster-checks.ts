// Checks of the name server and the brokers: versions, clocks, half messages given up. Those of one group are in group-checks.ts.

import type { BrokerClock } from '../../admin/broker-clocks.js';
import type { BrokerVersion } from '../../admin/broker-versions.js';
import type { RocketMQAdmin } from '../../admin/rocketmq-admin.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import { RocketMQError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { plural } from '../command.js';
import { timeText } from '../output.js';
import type { Check, CommandText } from './check.js';

/** A smaller skew has no noticeable effect. */
const TOLERATED_SKEW_MS = 2_000;
/** How many of the half messages given up are listed. */
const NAMED = 5;

export async function checkCluster(
  admin: RocketMQAdmin,
  nameServer: string,
  command: CommandText,
  hasProxy: boolean,
): Promise<readonly Check[]> {
  const check = { name: 'name server', subject: nameServer };
  let brokers: readonly MasterBroker[];
  try {
    brokers = await admin.brokers();
  } catch (error) {
    const who = hasProxy ? 'producers and consumers do not need it' : 'producers and consumers cannot start without it';
    const why = `brokers, groups, lag and dead letters cannot be examined without it; ${who}`;
    return [{ ...check, status: 'failed', seen: describeError(error), why, ...adviceOn(error) }];
  }
  const known: Check = { ...check, status: 'ok', seen: `knows ${plural(brokers.length, 'broker')}` };
  try {
    const { brokers: versions, failures } = await admin.brokerVersions();
    const silent = failures.map((failure) => silentBroker(failure, failure.error));
    const [clocks, givenUp] = [await clockChecks(admin), await givenUpCheck(admin, command)];
    return [known, ...versions.map((version) => versionCheck(version, hasProxy)), ...silent, ...clocks, givenUp];
  } catch (error) {
    return [known, ...brokers.map((broker) => silentBroker(broker, error))];
  }
}

/** What to do when the name server cannot be asked. The message of any other rejection says it already. */
function adviceOn(error: unknown): Pick<Check, 'advice'> {
  if (!RocketMQError.is(error)) return { advice: OTHER_ADDRESS };
  const advice = ADVICE[error.code];
  if (advice !== undefined) return { advice };
  return error.outcome === 'rejected' ? {} : { advice: OTHER_ADDRESS };
}

const OTHER_ADDRESS = 'give --admin the address of a name server, usually at port 9876';
const ADMINISTRATOR = 'use the credentials of an administrator (super user)';
const ADVICE: Readonly<Record<string, string>> = {
  DEADLINE_EXCEEDED:
    'check that a name server listens there, usually at port 9876, and that it is not suspended or overloaded; --timeout gives it more time',
  NO_PERMISSION: ADMINISTRATOR,
  TLS_FAILED: 'fix what the message reports: the name server must use TLS if, and only if, you give --tls or --tls-ca',
  NOT_A_NAME_SERVER:
    'for a proxy, leave out name-server: before its address; --admin takes a name server, usually at port 9876',
  CLUSTER_AMBIGUOUS: 'choose the cluster with --cluster',
};

function silentBroker({ name, address }: MasterBroker, error: unknown): Check {
  const isRejection = RocketMQError.is(error) && error.outcome === 'rejected';
  const isLate = RocketMQError.is(error) && error.code === 'DEADLINE_EXCEEDED';
  const first = isLate ? 'check that it is not suspended or overloaded (--timeout gives it more time); ' : '';
  return {
    status: 'failed',
    name: 'broker',
    subject: name,
    seen: describeError(error),
    why: 'its lag, groups and dead letters can be neither read nor changed from here',
    advice: isRejection
      ? ADMINISTRATOR
      : `${first}administration connects to the brokers at the addresses that they registered: if ${address} cannot be reached from here, set brokerIP1 in broker.conf to an address that can`,
  };
}

function versionCheck({ name, address, text, version, keepsBatches }: BrokerVersion, hasProxy: boolean): Check {
  const check = { name: 'version', subject: name };
  const seen = `${version === undefined ? `"${text}"` : `${version.major}.${version.minor}.${version.patch}`} at ${address}`;
  if (version !== undefined && version.major < 5 && !hasProxy) {
    return { ...check, status: 'ok', seen: `${seen}; consumers pull, and delays are those of its levels` };
  }
  if (version !== undefined && version.major < 5) {
    const why =
      'proxies of 5.x require brokers of 5.0 or later; older brokers support neither pop nor arbitrary delays';
    const advice = 'upgrade the broker to 5.x, or connect to its name server: endpoints name-server:HOST:9876';
    return { ...check, status: 'failed', seen, why, advice };
  }
  // Without a proxy, batches are written in a form that every broker keeps apart.
  if (keepsBatches || !hasProxy) return { ...check, status: 'ok', seen };
  const why = 'it stores all messages of one request with the tag, keys and properties of the first';
  return { ...check, status: 'warning', seen, why, advice: 'upgrade it to 5.4.0 or later, or do not batch sends' };
}

async function clockChecks(admin: RocketMQAdmin): Promise<readonly Check[]> {
  const { brokers } = await admin.brokerClocks();
  return brokers.map(clockCheck);
}

export function clockCheck({ name, aheadMs, errorMs }: BrokerClock): Check {
  const check = { name: 'clock', subject: name };
  if (aheadMs === undefined) return { ...check, status: 'skipped', seen: 'the broker does not report its time' };
  const side = aheadMs < 0 ? 'behind' : 'ahead of';
  const seen = `${secondsText(Math.abs(aheadMs))} ${side} this machine, give or take ${secondsText(errorMs)} (measured by its uptime, which is in seconds)`;
  if (Math.abs(aheadMs) - errorMs <= TOLERATED_SKEW_MS) return { ...check, status: 'ok', seen };
  return {
    ...check,
    status: 'warning',
    seen,
    why: 'delayed messages and the first check of a transaction are early or late by that much, and certificates may not be valid yet',
    advice: 'synchronize both clocks with NTP',
  };
}

function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

async function givenUpCheck(admin: RocketMQAdmin, command: CommandText): Promise<Check> {
  const check = { name: 'half messages given up', subject: 'TRANS_CHECK_MAX_TIME_TOPIC' };
  try {
    const { messages, total } = await admin.givenUpHalfMessages({ limit: NAMED });
    if (total === 0) return { ...check, status: 'ok', seen: 'none' };
    const named = messages.map(
      ({ messageId, originTopic = 'an unknown topic', bornTimestampMs }) =>
        `${messageId} of ${originTopic}, born ${timeText(bornTimestampMs)}`,
    );
    return {
      ...check,
      status: 'warning',
      seen: `${total}, the oldest: ${named.join('; ')}`,
      why: 'their transactions were neither committed nor rolled back, and no checker answered: these messages are not delivered',
      advice: `find out why no checker answered, start the services that sent them, then preview: ${command('transaction', 'resume')}; the same with --yes has them checked again (their transaction logs decide)`,
    };
  } catch (error) {
    return { ...check, status: 'skipped', seen: describeError(error) };
  }
}
