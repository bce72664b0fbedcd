// Runs all checks in order. They change nothing on the server, unless `send` is set.

import type { RocketMQAdmin, RocketMQAdminOptions } from '../../admin/rocketmq-admin.js';
import { type Address, addressText, areNameServers, endpointKey, parseEndpoints } from '../../client/endpoint.js';
import { UNKNOWN_NAME_SERVER } from '../../support/command-line.js';
import { describeError } from '../../support/logger.js';
import { checkAdvertised } from './advertised.js';
import type { Check, CommandText } from './check.js';
import { checkCluster } from './cluster-checks.js';
import { checkGroup, type GroupFound } from './group-checks.js';
import { type ProbeAccess, ProxyProbe } from './proxy-probe.js';
import { type Reached, reach } from './reach.js';
import { checkSend } from './send-check.js';
import { checkAssignment, checkRoute, unevenTopic } from './topic-checks.js';

/** What to examine. */
interface Examination {
  readonly endpoint: string;
  readonly access: ProbeAccess;
  /** Undefined: name server and brokers are not examined. */
  readonly admin: RocketMQAdminOptions | undefined;
  /** Undefined: those that the name server lists. */
  readonly topics: readonly string[] | undefined;
  readonly groups: readonly string[] | undefined;
  readonly send: boolean;
  readonly command: CommandText;
}

/** The most topics, and the most groups, that are examined. */
const MAX_NAMED = 20;

/** @throws UsageError when the endpoint is invalid */
export async function examine(examination: Examination): Promise<readonly Check[]> {
  const { addresses } = parseEndpoints(examination.endpoint);
  if (areNameServers(examination.endpoint)) return examineWithoutProxy(examination, endpointKey({ addresses }));
  const reached = await Promise.all(addresses.map((address) => reach(address, examination.access)));
  const first = reached.findIndex(({ greeted }) => greeted !== undefined);
  const admin = await openAdmin(examination);
  try {
    const cluster = await lookAtCluster(examination, admin);
    const proxy = addresses[first];
    const checks = reached.flatMap((one) => one.checks);
    const greeted = reached[first]?.greeted;
    if (proxy === undefined || greeted === undefined) return [...checks, ...cluster.checks];
    const access = await accessCheck(proxy, greeted, examination.access);
    const routes = await lookAtTopics(examination, proxy, addresses, greeted.isEmbeddedBroker, cluster);
    return [...checks, access, ...routes, ...cluster.checks];
  } finally {
    await admin?.close();
  }
}

/** @param nameServer as administration takes it */
async function examineWithoutProxy(given: Examination, nameServer: string): Promise<readonly Check[]> {
  const { tls, credentials, timeoutMs } = given.access;
  const keys = typeof credentials === 'function' ? undefined : credentials;
  const examination = { ...given, admin: given.admin ?? { nameServer, tls, credentials: keys, timeoutMs } };
  const admin = await openAdmin(examination);
  try {
    const cluster = await lookAtCluster(examination, admin, false);
    const names = cluster.isTooOld ? [] : (given.topics ?? [...(cluster.topics ?? [])]);
    const looked: { readonly check: Check; readonly type: string | undefined }[] = [];
    for (const topic of names.slice(0, MAX_NAMED)) looked.push(await lookAtTopic(admin, topic, given.command));
    const sends: Check[] = [];
    for (const { check, type } of looked) {
      if (!given.send || check.status === 'failed') continue;
      sends.push(await checkSend(given.endpoint, check.subject, type === undefined ? [] : [type], given.access));
    }
    return [...cluster.checks, ...looked.map(({ check }) => check), ...leftOut('topic', names.length), ...sends];
  } finally {
    await admin?.close();
  }
}

async function lookAtTopic(admin: RocketMQAdmin | undefined, topic: string, command: CommandText) {
  const check = { name: 'topic', subject: topic };
  try {
    const found = await admin?.describeTopic(topic);
    if (found === undefined) {
      const advice = command('topic', 'create', topic, '--type', 'normal');
      return { check: { ...check, status: 'failed', seen: 'does not exist', advice } as const, type: undefined };
    }
    const { type, brokers } = found;
    const typeOfSend = type === 'any' ? undefined : type;
    const seen = `${type === 'any' ? 'no type: it takes all messages' : `type ${type}`}; on ${brokers.map(({ name }) => name).join(', ')}`;
    const uneven = brokers.find(({ queues, readQueues }) => readQueues < queues);
    if (uneven === undefined) return { check: { ...check, status: 'ok', seen } as const, type: typeOfSend };
    const problem = unevenTopic(topic, uneven.readQueues, uneven.queues, command);
    return { check: { ...check, status: 'warning', seen, ...problem } as const, type: typeOfSend };
  } catch (error) {
    return { check: { ...check, status: 'failed', seen: describeError(error) } as const, type: undefined };
  }
}

async function openAdmin({ admin }: Examination): Promise<RocketMQAdmin | undefined> {
  if (admin === undefined) return undefined;
  const { RocketMQAdmin } = await import('../../admin/rocketmq-admin.js');
  return new RocketMQAdmin(admin);
}

/** The result of examining name server and brokers. */
interface Cluster {
  readonly checks: readonly Check[];
  /** Undefined: not known. */
  readonly topics: ReadonlySet<string> | undefined;
  readonly groups: readonly string[];
  /** Whether a broker is of 4.x: whatever else is examined would only fail for the same reason. */
  readonly isTooOld: boolean;
}

const NOT_ASKED = `add --admin ${UNKNOWN_NAME_SERVER} to examine versions, clocks, groups, lag, dead letters and half messages given up`;

const NOTHING_KNOWN = { topics: undefined, groups: [], isTooOld: false } as const;

/** @param hasProxy whether clients reach the brokers through a proxy */
async function lookAtCluster(
  examination: Examination,
  admin: RocketMQAdmin | undefined,
  hasProxy = true,
): Promise<Cluster> {
  const { command } = examination;
  if (admin === undefined) {
    const groups = examination.groups?.map(
      (group): Check => ({
        status: 'skipped',
        name: 'group',
        subject: group,
        seen: `add --admin ${UNKNOWN_NAME_SERVER} to examine groups`,
      }),
    );
    const cluster: Check = { status: 'skipped', name: 'cluster', subject: '-', seen: NOT_ASKED };
    return { ...NOTHING_KNOWN, checks: [...(groups ?? []), cluster] };
  }
  const checks = await checkCluster(admin, examination.admin?.nameServer ?? UNKNOWN_NAME_SERVER, command, hasProxy);
  const versions = checks.filter(({ name }) => name === 'version');
  if (versions.length === 0) return { ...NOTHING_KNOWN, checks };
  if (versions.some(({ status }) => status === 'failed')) {
    const seen = 'topics and groups are not examined: that needs brokers of 5.0 or later';
    const rest: Check = { status: 'skipped', name: 'cluster', subject: '-', seen };
    return { ...NOTHING_KNOWN, checks: [...checks, rest], isTooOld: true };
  }
  const known = await listed(admin);
  if (known.check !== undefined) return { ...NOTHING_KNOWN, checks: [...checks, known.check] };
  const wanted = examination.groups ?? known.groups;
  const names = wanted.slice(0, MAX_NAMED);
  const found: GroupFound[] = await Promise.all(names.map((group) => checkGroup(admin, group, command)));
  return {
    checks: [...checks, ...found.flatMap((one) => one.checks), ...leftOut('group', wanted.length)],
    topics: new Set(known.topics),
    groups: names.filter((_, index) => found[index]?.exists === true),
    isTooOld: false,
  };
}

async function listed(admin: RocketMQAdmin) {
  try {
    const [{ topics }, { groups }] = await Promise.all([admin.listTopics(), admin.listGroups()]);
    const names = { topics: topics.map(({ topic }) => topic), groups: groups.map((group) => group.consumerGroup) };
    return { ...names, check: undefined };
  } catch (error) {
    const check: Check = { status: 'failed', name: 'cluster', subject: '-', seen: describeError(error) };
    return { topics: [], groups: [], check };
  }
}

async function accessCheck(
  proxy: Address,
  greeted: NonNullable<Reached['greeted']>,
  access: ProbeAccess,
): Promise<Check> {
  const check = { name: 'credentials', subject: addressText(proxy) };
  const { rejection } = greeted;
  if (rejection !== undefined) {
    const why = 'the server requires valid credentials and rejects this client';
    const advice = 'set ROCKETMQ_ACCESS_KEY and ROCKETMQ_SECRET_KEY in the environment, or add --credentials FILE';
    return { ...check, status: 'failed', seen: rejection.message, why, advice };
  }
  if (access.credentials === undefined) return { ...check, status: 'ok', seen: 'none given, and none required' };
  const anonymous = new ProxyProbe(proxy, { ...access, credentials: undefined });
  try {
    const isChecked = (await anonymous.identify()).rejection !== undefined;
    if (isChecked) return { ...check, status: 'ok', seen: 'accepted; the server rejects clients without credentials' };
    const why = 'everyone who can reach the server has full access';
    const advice = 'unless this is intended, set authenticationEnabled and authorizationEnabled on proxy and brokers';
    return { ...check, status: 'warning', seen: 'given, but the server does not check credentials', why, advice };
  } catch (error) {
    const seen = `accepted; could not find out whether the server requires credentials: ${describeError(error)}`;
    return { ...check, status: 'ok', seen };
  } finally {
    anonymous.close();
  }
}

async function lookAtTopics(
  examination: Examination,
  proxy: Address,
  given: readonly Address[],
  isEmbedded: boolean,
  cluster: Cluster,
): Promise<readonly Check[]> {
  const { topics, groups, send, access, command } = examination;
  const wanted = topics ?? [...(cluster.topics ?? [])];
  if (topics === undefined && cluster.isTooOld) return [];
  if (wanted.length === 0) {
    const seen = `no topic is known, so the addresses in routes are not either: add --topic TOPIC or --admin ${UNKNOWN_NAME_SERVER}`;
    return [{ status: 'skipped', name: 'topic', subject: '-', seen }];
  }
  const names = wanted.slice(0, MAX_NAMED);
  const probe = new ProxyProbe(proxy, access);
  try {
    const asked = names.filter((topic) => !isEmbedded || cluster.topics?.has(topic) === true);
    const found = await Promise.all(asked.map((topic) => checkRoute(probe, topic, command)));
    const silent = names.filter((topic) => !asked.includes(topic)).map((topic) => notAsked(topic, cluster, command));
    const advertised = new Map(found.flatMap((one) => one.addresses.map((address) => [addressText(address), address])));
    const addresses = await Promise.all([...advertised.values()].map((one) => checkAdvertised(one, given, access)));
    const usable = asked.filter((_, index) => found[index]?.checks[0]?.status !== 'failed');
    const pairs = (groups === undefined ? [] : cluster.groups).flatMap((group) =>
      usable.map((topic) => ({ group, topic })),
    );
    const permissions = await Promise.all(pairs.map(({ topic, group }) => checkAssignment(probe, topic, group)));
    const sends: Check[] = [];
    if (send) {
      for (const topic of usable) {
        const types = found[asked.indexOf(topic)]?.types ?? [];
        sends.push(await checkSend(endpointKey({ addresses: given }), topic, types, access));
      }
    }
    const routes = [...found.flatMap((one) => one.checks), ...silent, ...leftOut('topic', wanted.length)];
    return [...routes, ...addresses, ...permissions, ...sends];
  } finally {
    probe.close();
  }
}

/** A request for the route creates the topic on an embedded broker that is not strict, and clients cannot see whether it is. */
function notAsked(topic: string, { topics }: Cluster, command: CommandText): Check {
  const check = { name: 'topic', subject: topic };
  if (topics !== undefined)
    return {
      ...check,
      status: 'failed',
      seen: 'does not exist',
      advice: command('topic', 'create', topic, '--type', 'normal'),
    };
  const seen = `not examined, because that could create it on an embedded broker; add --admin ${UNKNOWN_NAME_SERVER} to check that it exists`;
  return { ...check, status: 'skipped', seen };
}

function leftOut(name: string, count: number): Check[] {
  if (count <= MAX_NAMED) return [];
  const seen = `${count - MAX_NAMED} more were not examined: choose with --${name}`;
  return [{ status: 'skipped', name, subject: '-', seen }];
}
