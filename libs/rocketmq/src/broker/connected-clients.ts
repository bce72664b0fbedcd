// The clients of both protocols, as tools see them.

import { ClientType } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { RETRY_PREFIX } from '../protocol/model/names.js';
import { releaseVersion } from '../protocol/remoting/releases.js';
import type { ClientState } from './control/control-views.js';
import type { ListedClient, RegisteredClients } from './remoting/registered-clients.js';
import { type ClientSession, publishingOf, type Sessions, subscriptionOf } from './services/sessions.js';

/** What a group reads. */
interface GroupTopic {
  readonly group: string;
  readonly topic: string;
}

export class ConnectedClients {
  /** @param remoting undefined without a name server port, and while the broker is stopped */
  constructor(
    private readonly sessions: Sessions,
    private readonly remoting: () => RegisteredClients | undefined,
  ) {}

  all(): ClientState[] {
    return [...this.sessions.all().map(byGrpc), ...(this.remoting()?.all() ?? []).map(byRemoting)];
  }

  /** Whether a client is there that settles what it holds. */
  has(clientId: string): boolean {
    return this.sessions.find(clientId) !== undefined || this.remoting()?.has(clientId) === true;
  }

  /** The ids of the consumers of a group. */
  consumersOf(group: string): string[] {
    const byStream = this.sessions.consumersOf(group).map(({ clientId }) => clientId);
    const byConnection = this.remoting()?.consumersOf(group) ?? [];
    return [...byStream, ...byConnection.map(({ clientId }) => clientId)];
  }

  /** What their consumers ask for messages of. */
  groupTopics(): GroupTopic[] {
    const byStream = this.sessions.all().flatMap((session) => {
      const { group, subscriptions = [] } = subscriptionOf(session) ?? {};
      return subscriptions.map(({ topic }) => ({ group: group?.name ?? '', topic: topic?.name ?? '' }));
    });
    const byConnection = this.remoting()?.groupTopics() ?? [];
    return [...byStream, ...byConnection.filter(({ topic }) => !topic.startsWith(RETRY_PREFIX))];
  }
}

const KINDS: Partial<Record<ClientType, ClientState['kind']>> = {
  [ClientType.PRODUCER]: 'producer',
  [ClientType.PUSH_CONSUMER]: 'pushConsumer',
  [ClientType.SIMPLE_CONSUMER]: 'simpleConsumer',
};

function byGrpc(session: ClientSession): ClientState {
  const { settings, origin, push, clientId } = session;
  const subscription = subscriptionOf(session);
  const group = subscription?.group?.name;
  const topics = subscription?.subscriptions.map(({ topic }) => topic) ?? publishingOf(session)?.topics ?? [];
  const version = settings.userAgent?.version;
  return {
    clientId,
    kind: KINDS[settings.clientType ?? ClientType.CLIENT_TYPE_UNSPECIFIED] ?? 'other',
    protocol: 'grpc',
    language: origin.language,
    ...(version && { version }),
    address: origin.address,
    isConnected: push !== undefined,
    groups: group ? [group] : [],
    producerGroups: [],
    topics: topics.map((topic) => topic?.name ?? ''),
  };
}

/** `consumeType`. @see ConsumeType of the server */
const CONSUMER_KINDS: Readonly<Record<string, ClientState['kind']>> = {
  CONSUME_PASSIVELY: 'pushConsumer',
  CONSUME_POP: 'pushConsumer',
  CONSUME_ACTIVELY: 'pullConsumer',
};

function byRemoting({ client, producerGroups, consumers }: ListedClient): ClientState {
  const { clientId, connection, language } = client;
  const [consumer] = consumers;
  const version = releaseVersion(client.version);
  const topics = consumers.flatMap((one) => one.topics.filter((topic) => !topic.startsWith(RETRY_PREFIX)));
  return {
    clientId,
    kind: consumer === undefined ? 'producer' : (CONSUMER_KINDS[consumer.consumeType] ?? 'other'),
    protocol: 'remoting',
    language,
    ...(version && { version }),
    address: connection.address,
    isConnected: !connection.isClosed,
    groups: consumers.map(({ group }) => group),
    producerGroups,
    topics: [...new Set(topics)],
  };
}
