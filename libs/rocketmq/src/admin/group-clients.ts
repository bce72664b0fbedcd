// Which consumers of a group are connected, what they subscribe to, and whether they agree.

import { consumerGroupNameProblem } from '../protocol/model/names.js';
import type { CallOptions, Deadline } from '../support/deadline.js';
import { TransportError } from '../support/errors.js';
import { jsonOf, RESPONSE_CODES, undefinedWhen } from './answers.js';
import { checkName } from './checks.js';
import type { MasterBroker } from './cluster.js';
import type { ClusterAccess } from './cluster-access.js';
import { type BrokerFailure, fromEach } from './each-broker.js';
import { compareText } from './order.js';
import { RemotingError } from './remoting-error.js';
import { RETRY_PREFIX } from './system-names.js';

export interface GroupClientsOptions extends CallOptions {
  /**
   * Asks the server for what each consumer itself subscribes to, so that `differences` can be told. Apache RocketMQ knows that
   * of consumers of the remoting protocol only; for one that speaks gRPC it waits 10 s, and one of its threads with it. So the
   * first consumer that does not tell within a second ends the asking. Default: false.
   */
  readonly compareMembers?: boolean;
}

/** A topic and which of its messages. */
export interface ClientSubscription {
  readonly topic: string;
  readonly kind: 'tag' | 'sql';
  /** `*`: every message. */
  readonly expression: string;
}

/** A consumer that is connected. */
export interface GroupClient {
  readonly clientId: string;
  /** `host:port`, as the server sees it. */
  readonly address: string;
  /** For instance `NODE_JS`. */
  readonly language: string;
  /** The brokers, by name, that know of it. */
  readonly brokers: readonly string[];
  /** Its own; undefined unless asked for and told. */
  readonly subscriptions: readonly ClientSubscription[] | undefined;
}

/**
 * A topic to which members of one group do not subscribe alike. RocketMQ hands the messages of a group to any of its members:
 * what one of them does not want is lost to the others. All members of a group must subscribe alike.
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
  /** By client id. Empty: none is connected. */
  readonly clients: readonly GroupClient[];
  /** What the server holds for the whole group: the subscriptions of the member that told its own last. By topic. */
  readonly subscriptions: readonly ClientSubscription[];
  /** By topic, among the members that told. Undefined unless at least two did. Empty: they agree. */
  readonly differences: readonly SubscriptionDifference[] | undefined;
  /** Brokers that did not answer: their clients may be missing. Empty when all is well. */
  readonly failures: readonly BrokerFailure[];
}

/** How long a consumer is waited for that may not tell. */
const MEMBER_ANSWER_MS = 1_000;

/** @see ConsumerConnection and ConsumerRunningInfo of the server, request codes 203 and 307 */
export async function clientsOfGroup(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: GroupClientsOptions = {},
): Promise<GroupClients> {
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  return cluster.run(`clients of consumer group ${consumerGroup}`, options, async (deadline) => {
    const { answers, failures } = await fromEach(await cluster.masters(deadline), (broker) =>
      connectionsOn(cluster, broker, consumerGroup, deadline),
    );
    const connected = connectedClients(answers);
    const own =
      options.compareMembers === true ? await ownSubscriptions(cluster, consumerGroup, connected, deadline) : new Map();
    const clients = connected.map(({ askAt: _, ...client }) => ({
      ...client,
      subscriptions: own.get(client.clientId),
    }));
    const tables = answers.flatMap(({ value }) => Object.values((value.subscriptionTable ?? {}) as object));
    const subscriptions = subscriptionsIn(tables);
    return { consumerGroup, clients, subscriptions, differences: differencesOf(clients), failures };
  });
}

/** What one broker says of the consumers that are connected to it; empty when none is. */
export async function connectionsOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  consumerGroup: string,
  deadline: Deadline,
): Promise<Readonly<Record<string, unknown>>> {
  const asked = cluster.call(broker, { code: 203, fields: { consumerGroup } }, deadline);
  const answer = await undefinedWhen(RESPONSE_CODES.consumerNotOnline, asked);
  return answer === undefined ? {} : jsonOf(answer);
}

type Connected = Omit<GroupClient, 'subscriptions'> & { readonly askAt: MasterBroker };

function connectedClients(
  answers: readonly { readonly broker: MasterBroker; readonly value: Readonly<Record<string, unknown>> }[],
): Connected[] {
  const clients = new Map<string, Connected>();
  for (const { broker, value } of answers) {
    for (const one of (value.connectionSet ?? []) as readonly Record<string, unknown>[]) {
      const clientId = String(one.clientId);
      const brokers = [...(clients.get(clientId)?.brokers ?? []), broker.name];
      const [address, language] = [String(one.clientAddr ?? ''), String(one.language ?? '')];
      clients.set(clientId, { clientId, address, language, brokers, askAt: broker });
    }
  }
  return [...clients.values()].sort((left, right) => compareText(left.clientId, right.clientId));
}

/** By client id; one after the other, and no further than to the first that does not tell. */
async function ownSubscriptions(
  cluster: ClusterAccess,
  consumerGroup: string,
  clients: readonly Connected[],
  deadline: Deadline,
): Promise<Map<string, readonly ClientSubscription[]>> {
  const told = new Map<string, readonly ClientSubscription[]>();
  for (const { clientId, askAt } of clients) {
    const own = await ownSubscriptionsOf(cluster, askAt, { consumerGroup, clientId }, deadline);
    if (own === undefined) break;
    told.set(clientId, own);
  }
  return told;
}

async function ownSubscriptionsOf(
  cluster: ClusterAccess,
  broker: MasterBroker,
  fields: { readonly consumerGroup: string; readonly clientId: string },
  deadline: Deadline,
): Promise<readonly ClientSubscription[] | undefined> {
  const request = { code: 307, fields: { ...fields, jstackEnable: 'false' } };
  try {
    const answer = await cluster.run(
      `subscriptions of ${fields.clientId}`,
      { timeoutMs: Math.min(MEMBER_ANSWER_MS, deadline.remainingMs()), signal: deadline.signal },
      (soon) => cluster.call(broker, request, soon),
    );
    return subscriptionsIn((jsonOf(answer).subscriptionSet ?? []) as unknown[]);
  } catch (error) {
    const isSilent = error instanceof TransportError && error.code === 'DEADLINE_EXCEEDED';
    if (deadline.signal.aborted || !(isSilent || error instanceof RemotingError)) throw error;
    return undefined;
  }
}

/** Several brokers tell the same. Consumers of the remoting protocol also subscribe to the group's retries. */
export function subscriptionsIn(told: readonly unknown[]): ClientSubscription[] {
  const found = new Map<string, ClientSubscription>();
  for (const one of told as readonly Record<string, unknown>[]) {
    const topic = String(one.topic);
    const kind = one.expressionType === 'SQL92' ? 'sql' : 'tag';
    if (!topic.startsWith(RETRY_PREFIX)) found.set(topic, { topic, kind, expression: String(one.subString ?? '*') });
  }
  return [...found.values()].sort((left, right) => compareText(left.topic, right.topic));
}

/** @param clients those without subscriptions are left out: they did not tell */
export function differencesOf(
  clients: readonly Pick<GroupClient, 'clientId' | 'subscriptions'>[],
): readonly SubscriptionDifference[] | undefined {
  const told = clients.filter(({ subscriptions }) => subscriptions !== undefined);
  if (told.length < 2) return undefined;
  const topics = [...new Set(told.flatMap(({ subscriptions = [] }) => subscriptions.map(({ topic }) => topic)))].sort();
  return topics
    .map((topic) => ({
      topic,
      members: told.map(({ clientId, subscriptions = [] }) => {
        return { clientId, subscription: subscriptions.find((one) => one.topic === topic) };
      }),
    }))
    .filter(({ members }) => new Set(members.map(({ subscription }) => meaningOf(subscription))).size > 1);
}

/** Tags are a set: their order and the blanks around them mean nothing. */
function meaningOf(subscription: ClientSubscription | undefined): string {
  if (subscription === undefined) return 'none';
  const { kind, expression } = subscription;
  if (kind === 'sql') return `sql ${expression.trim()}`;
  const tags = expression.split('||').map((tag) => tag.trim());
  return `tag ${[...new Set(tags)].sort().join('||') || '*'}`;
}
