// The connected consumers of a group, their subscriptions, and whether these are the same.

import { consumerGroupNameProblem, RETRY_PREFIX } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { jsonOf, objectIn, objectsIn, undefinedWhen } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { RemotingError } from '../../remoting/remoting-error.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import { type OwnChecks, trueOrFalse } from '../../support/options.js';
import { checkName } from '../checks.js';
import { AskedBrokers, type BrokerFailure, fromEach } from '../each-broker.js';
import { compareText } from '../sort-order.js';

export interface GroupClientsOptions extends CallOptions {
  /**
   * Asks the server for the subscriptions of each consumer, which `differences` needs. Apache RocketMQ knows them for consumers of
   * the remoting protocol only; for a gRPC consumer it waits 10 s, which also blocks one of its threads. Therefore asking stops at
   * the first consumer whose subscriptions do not arrive within a second. Default: false.
   */
  readonly compareMembers?: boolean;
}

const CHECKS: OwnChecks<GroupClientsOptions> = { compareMembers: trueOrFalse };

/** A topic and a filter. */
export interface ClientSubscription {
  readonly topic: string;
  readonly kind: 'tag' | 'sql';
  /** `*`: every message. */
  readonly expression: string;
}

/** A connected consumer. */
export interface GroupClient {
  readonly clientId: string;
  /** `host:port`, as the server sees it. */
  readonly address: string;
  /** For instance `NODE_JS`. */
  readonly language: string;
  /** The brokers, by name, to which it is connected; or the proxies, by address. */
  readonly brokers: readonly string[];
  /** Its own subscriptions; undefined unless requested and reported. */
  readonly subscriptions: readonly ClientSubscription[] | undefined;
}

/**
 * A topic for which the members of one group have different subscriptions. RocketMQ delivers a message of the group to any of its
 * members, so a member that does not subscribe to it loses it for the others. All members of a group must have the same subscriptions.
 */
export interface SubscriptionDifference {
  readonly topic: string;
  readonly members: readonly {
    readonly clientId: string;
    /** Undefined: it does not subscribe to the topic. */
    readonly subscription: ClientSubscription | undefined;
  }[];
}

export interface GroupClients {
  readonly consumerGroup: string;
  /** By client id. Empty when none is connected to a broker: those of a proxy in cluster mode are known to that proxy alone. */
  readonly clients: readonly GroupClient[];
  /** The server's subscriptions of the whole group: those that a member reported last. By topic. */
  readonly subscriptions: readonly ClientSubscription[];
  /** By topic, among the members that reported. Undefined when fewer than two did. Empty when they agree. */
  readonly differences: readonly SubscriptionDifference[] | undefined;
  /** Brokers and proxies that did not answer; the result may lack their clients. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** How long to wait for the subscriptions of a consumer that may not report them. */
const MEMBER_ANSWER_MS = 1_000;

/**
 * @param proxies in cluster mode: they report the clients that are connected to them, of which brokers do not know
 * @see ConsumerConnection and ConsumerRunningInfo of the server, request codes 203 and 307
 */
export async function clientsOfGroup(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: GroupClientsOptions = {},
  proxies: readonly string[] = [],
): Promise<GroupClients> {
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  return cluster.run(
    `clients of consumer group ${consumerGroup}`,
    options,
    async (deadline) => {
      const [ofBrokers, ofProxies] = await Promise.all([
        fromEach(cluster, deadline, (broker, own) => connectionsOn(cluster, broker, consumerGroup, own)),
        connectionsAt(cluster, proxies, consumerGroup, deadline),
      ]);
      const answers = [...ofBrokers.answers, ...ofProxies.answers];
      const failures = [...ofBrokers.failures, ...ofProxies.failures];
      const connected = connectedClients(answers);
      // A proxy does not pass the question on.
      const own =
        options.compareMembers === true
          ? await ownSubscriptions(cluster, consumerGroup, connectedClients(ofBrokers.answers), deadline)
          : new Map();
      const clients = connected.map(({ askAt: _, ...client }) => ({
        ...client,
        subscriptions: own.get(client.clientId),
      }));
      const tables = answers.flatMap(({ value }) => Object.values(objectIn(value.subscriptionTable)));
      const subscriptions = subscriptionsIn(tables);
      return { consumerGroup, clients, subscriptions, differences: differencesOf(clients), failures };
    },
    CHECKS,
  );
}

/** The consumers that are connected to one broker; empty when there are none. */
export async function connectionsOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  consumerGroup: string,
  deadline: Deadline,
): Promise<Readonly<Record<string, unknown>>> {
  const asked = cluster.call(
    broker,
    { code: REQUEST_CODES.getConsumerConnectionList, fields: { consumerGroup } },
    deadline,
  );
  const answer = await undefinedWhen(RESPONSE_CODES.consumerNotOnline, asked);
  return answer === undefined ? {} : jsonOf(answer);
}

/** The same of proxies, by their remoting addresses. */
async function connectionsAt(
  cluster: ClusterAccess,
  addresses: readonly string[],
  consumerGroup: string,
  deadline: Deadline,
) {
  const asked = new AskedBrokers(deadline, true);
  const answers = await Promise.all(
    addresses.map((address) => {
      const broker = { name: address, cluster: '', address };
      return asked.ask(broker, async (own) => ({
        broker,
        value: await connectionsOn(cluster, broker, consumerGroup, own),
      }));
    }),
  );
  return { answers: answers.filter((one) => one !== undefined), failures: asked.failures };
}

/** @see ConsumerRunningInfo.jstack of the server, request code 307 with `jstackEnable` */
export async function reportOfClient(
  cluster: ClusterAccess,
  consumerGroup: string,
  clientId: string,
  options: CallOptions = {},
): Promise<string | undefined> {
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  return cluster.run(`report of client ${clientId} of consumer group ${consumerGroup}`, options, async (deadline) => {
    const { answers, failures } = await fromEach(cluster, deadline, (broker, own) =>
      connectionsOn(cluster, broker, consumerGroup, own),
    );
    const found = connectedClients(answers).find((one) => one.clientId === clientId);
    if (found === undefined) {
      const [failed] = failures;
      // It may be connected to the broker that did not answer.
      if (failed !== undefined) throw failed.error;
      return undefined;
    }
    const fields = { consumerGroup, clientId, jstackEnable: 'true' };
    const request = { code: REQUEST_CODES.getConsumerRunningInfo, fields };
    try {
      return String(jsonOf(await cluster.call(found.askAt, request, deadline)).jstack ?? '');
    } catch (error) {
      if (error instanceof TransportError && error.code === 'DEADLINE_EXCEEDED')
        error.message +=
          '; a client that is connected by gRPC cannot report: Apache RocketMQ asks consumers of the remoting protocol only';
      throw error;
    }
  });
}

type Connected = Omit<GroupClient, 'subscriptions'> & { readonly askAt: MasterBroker };

function connectedClients(
  answers: readonly { readonly broker: MasterBroker; readonly value: Readonly<Record<string, unknown>> }[],
): Connected[] {
  const clients = new Map<string, Connected>();
  for (const { broker, value } of answers) {
    for (const one of objectsIn<Record<string, unknown>>(value.connectionSet)) {
      const clientId = String(one.clientId);
      const brokers = [...(clients.get(clientId)?.brokers ?? []), broker.name];
      const [address, language] = [String(one.clientAddr ?? ''), String(one.language ?? '')];
      clients.set(clientId, { clientId, address, language, brokers, askAt: broker });
    }
  }
  return [...clients.values()].sort((left, right) => compareText(left.clientId, right.clientId));
}

/** By client id. Asks one after the other, up to the first that does not report. */
async function ownSubscriptions(
  cluster: ClusterAccess,
  consumerGroup: string,
  clients: readonly Connected[],
  deadline: Deadline,
): Promise<Map<string, readonly ClientSubscription[]>> {
  const reported = new Map<string, readonly ClientSubscription[]>();
  for (const { clientId, askAt } of clients) {
    const own = await ownSubscriptionsOf(cluster, askAt, { consumerGroup, clientId }, deadline);
    if (own === undefined) break;
    reported.set(clientId, own);
  }
  return reported;
}

async function ownSubscriptionsOf(
  cluster: ClusterAccess,
  broker: MasterBroker,
  fields: { readonly consumerGroup: string; readonly clientId: string },
  deadline: Deadline,
): Promise<readonly ClientSubscription[] | undefined> {
  const request = { code: REQUEST_CODES.getConsumerRunningInfo, fields: { ...fields, jstackEnable: 'false' } };
  try {
    const answer = await deadline.part(
      Math.min(MEMBER_ANSWER_MS, deadline.remainingMs()),
      (soon) => cluster.call(broker, request, soon),
      `subscriptions of ${fields.clientId}`,
    );
    return subscriptionsIn(jsonOf(answer).subscriptionSet);
  } catch (error) {
    const isSilent = error instanceof TransportError && error.code === 'DEADLINE_EXCEEDED';
    if (deadline.signal.aborted || !(isSilent || error instanceof RemotingError)) throw error;
    return undefined;
  }
}

/** Merges the reports of several brokers. Consumers of the remoting protocol also subscribe to the group's retries. */
export function subscriptionsIn(reported: unknown): ClientSubscription[] {
  const found = new Map<string, ClientSubscription>();
  for (const one of objectsIn<Record<string, unknown>>(reported)) {
    const topic = String(one.topic);
    const kind = one.expressionType === 'SQL92' ? 'sql' : 'tag';
    if (!topic.startsWith(RETRY_PREFIX)) found.set(topic, { topic, kind, expression: String(one.subString ?? '*') });
  }
  return [...found.values()].sort((left, right) => compareText(left.topic, right.topic));
}

/** @param clients those without subscriptions are ignored: they did not report */
export function differencesOf(
  clients: readonly Pick<GroupClient, 'clientId' | 'subscriptions'>[],
): readonly SubscriptionDifference[] | undefined {
  const reported = clients.filter(({ subscriptions }) => subscriptions !== undefined);
  if (reported.length < 2) return undefined;
  const topics = [
    ...new Set(reported.flatMap(({ subscriptions = [] }) => subscriptions.map(({ topic }) => topic))),
  ].sort();
  return topics
    .map((topic) => ({
      topic,
      members: reported.map(({ clientId, subscriptions = [] }) => {
        return { clientId, subscription: subscriptions.find((one) => one.topic === topic) };
      }),
    }))
    .filter(({ members }) => new Set(members.map(({ subscription }) => meaningOf(subscription))).size > 1);
}

/** Tags are a set: their order and surrounding blanks do not matter. */
function meaningOf(subscription: ClientSubscription | undefined): string {
  if (subscription === undefined) return 'none';
  const { kind, expression } = subscription;
  if (kind === 'sql') return `sql ${expression.trim()}`;
  const tags = expression.split('||').map((tag) => tag.trim());
  return `tag ${[...new Set(tags)].sort().join('||') || '*'}`;
}
