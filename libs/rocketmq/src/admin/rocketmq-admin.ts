// The public class: each method hands its work to the file that is named after it. Who is asked is in cluster-access.ts.

import { type CredentialsProvider, CredentialsSource } from '../protocol/credentials/credentials.js';
import type { Credentials } from '../protocol/credentials/metadata.js';
import type { CallOptions } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { type Logger, silentLogger } from '../support/logger.js';
import { resolveTls, type TlsOptions } from '../support/tls.js';
import { type BrokerClocks, brokerClocks } from './broker-clocks.js';
import { type BrokerVersions, brokerVersions } from './broker-versions.js';
import type { MasterBroker } from './cluster.js';
import { ClusterAccess } from './cluster-access.js';
import { type ReplayOptions, type ReplayResult, replayDeadLetters } from './dead-letter-replay.js';
import { type DeadLetterPage, type DeadLetterPageOptions, listDeadLetters } from './dead-letters.js';
import {
  type DeletedGroup,
  type DeleteGroupOptions,
  GroupAdmin,
  type GroupList,
  type ListGroupsOptions,
} from './group-admin.js';
import { clientsOfGroup, type GroupClients, type GroupClientsOptions } from './group-clients.js';
import type { GroupDefinition, GroupDescription } from './groups.js';
import { type GroupLag, type LagOptions, lagOfGroup } from './lag.js';
import { type FoundMessages, findMessages, type MessageQuery } from './message-lookup.js';
import {
  browseMessages,
  type GivenUpNews,
  type GivenUpPage,
  givenUpHalfMessages,
  givenUpSince,
  type MessagePage,
  type MessagePageOptions,
  type ResumableHalfMessage,
  resumeHalfMessage,
} from './message-pages.js';
import { RemotingClient } from './remoting-client.js';
import { type QueueOffset, type RewindRequest, rewindGroup } from './rewind.js';
import { type PlannedMove, planRewind } from './rewind-plan.js';
import { type DeletedTopic, type ListTopicsOptions, TopicAdmin, type TopicList } from './topic-admin.js';
import { type TopicOffsets, topicOffsets } from './topic-offsets.js';
import type { CreateOptions, TopicDefinition, TopicDescription } from './topics.js';

export interface RocketMQAdminOptions {
  /**
   * `host:port` of each name server, separated by `;`; or the `adminEndpoint` of an embedded broker. The first that can be
   * reached is asked.
   */
  readonly nameServer: string;
  /** The cluster to work on. Needed when the name server knows several. Default: the only one there is. */
  readonly cluster?: string;
  /** How long a call may take in all. Default: 3000. */
  readonly timeoutMs?: number;
  /** Needed when the servers check access (ACL). A function is asked again and again, so that keys can change. Default: none. */
  readonly credentials?: Credentials | CredentialsProvider;
  /** Speak TLS with name servers and brokers. Default: plaintext. */
  readonly tls?: boolean | TlsOptions;
  /** Default: drops everything. */
  readonly logger?: Logger;
}

const DEFAULT_TIMEOUT_MS = 3000;
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/;

/**
 * Administers topics, consumer groups, offsets and dead letters. Every call but `replayDeadLetters` may be repeated: it makes
 * the servers as described, whatever they were. Connections open at first use; `close()` ends them.
 *
 * All methods throw `UsageError` for a wrong argument, `RemotingError` when a server refuses (it names the server, the code
 * and the remark), `TransportError` when a server cannot be reached or does not answer in time, `PartlyDoneError` when
 * either happens after a first broker was changed. A method that only reads asks all master brokers, and throws when none
 * answers; when some do not, its result names them in `failures`.
 */
export class RocketMQAdmin {
  private readonly client: RemotingClient;
  private readonly cluster: ClusterAccess;
  private readonly topics: TopicAdmin;
  private readonly groups: GroupAdmin;

  constructor(options: RocketMQAdminOptions) {
    const nameServers = parseNameServers(options.nameServer);
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    // One that cannot be reached must leave time for the next.
    const { credentials, logger = silentLogger } = options;
    this.client = new RemotingClient({
      connectTimeoutMs: timeoutMs / nameServers.length,
      tls: resolveTls(options.tls),
      credentials: credentials && new CredentialsSource(credentials, { logger }),
    });
    this.cluster = new ClusterAccess(this.client, { nameServers, cluster: options.cluster, timeoutMs });
    this.topics = new TopicAdmin(this.cluster);
    this.groups = new GroupAdmin(this.cluster, this.topics);
  }

  /**
   * Creates the topic on every master broker of the cluster, or alters it there, unless `keepExisting` is set. Resolves when the
   * name server hands out its route.
   */
  createTopic(definition: TopicDefinition, options?: CreateOptions): Promise<void> {
    return this.topics.create(definition, options);
  }

  /** The topic as its brokers have it, or undefined when the name server has no route for it. */
  describeTopic(topic: string, options?: CallOptions): Promise<TopicDescription | undefined> {
    return this.topics.describe(topic, options);
  }

  /** From where to where each queue of the topic reaches. A topic that does not exist has no queues. */
  topicOffsets(topic: string, options?: CallOptions): Promise<TopicOffsets> {
    return topicOffsets(this.cluster, topic, options);
  }

  /** The topics of the cluster, without the server's own unless asked for. */
  listTopics(options?: ListTopicsOptions): Promise<TopicList> {
    return this.topics.list(options);
  }

  /**
   * Deletes the topic and its messages for good, on every master broker and every name server. No error when it is not there.
   * Clients that still use it get errors; where the server makes topics by itself, a send makes it anew.
   */
  deleteTopic(topic: string, options?: CallOptions): Promise<DeletedTopic> {
    return this.topics.delete(topic, options);
  }

  /** Creates the consumer group on every master broker of the cluster, or alters it there, unless `keepExisting` is set. */
  createGroup(definition: GroupDefinition, options?: CreateOptions): Promise<void> {
    return this.groups.create(definition, options);
  }

  /** The consumer group as the brokers have it, or undefined when none has it. Asking does not create it. */
  describeGroup(consumerGroup: string, options?: CallOptions): Promise<GroupDescription | undefined> {
    return this.groups.describe(consumerGroup, options);
  }

  /** The consumer groups of the cluster, without the server's own unless asked for. */
  listGroups(options?: ListGroupsOptions): Promise<GroupList> {
    return this.groups.list(options);
  }

  /**
   * Deletes the consumer group with its offsets and what it was to get again, on every master broker and every name server. No
   * error when it is not there. Stop its consumers before: where the server makes groups by itself, they make it anew.
   */
  deleteGroup(consumerGroup: string, options?: DeleteGroupOptions): Promise<DeletedGroup> {
    return this.groups.delete(consumerGroup, options);
  }

  /** How far the group is behind, by topic and queue. A group that does not exist has no topics. */
  groupLag(consumerGroup: string, options?: LagOptions): Promise<GroupLag> {
    return lagOfGroup(this.cluster, consumerGroup, options);
  }

  /** The connected consumers of the group and their subscriptions. */
  groupClients(consumerGroup: string, options?: GroupClientsOptions): Promise<GroupClients> {
    return clientsOfGroup(this.cluster, consumerGroup, options);
  }

  /**
   * Moves the group to another place in a topic, back or forward, also while it consumes: it takes effect with the next
   * receive. What consumers hold at that moment they may still acknowledge. Messages that wait to be handed out again stay where
   * they are, so some may come twice.
   * @returns where the group goes on, by broker and queue
   * @throws UsageError `UNKNOWN_TOPIC`, `UNKNOWN_BROKER`, `UNKNOWN_QUEUE`; nothing was changed
   */
  rewindGroup(request: RewindRequest, options?: CallOptions): Promise<readonly QueueOffset[]> {
    return rewindGroup(this.cluster, request, options);
  }

  /**
   * What `rewindGroup` would do with the same request, queue by queue. Changes nothing.
   * @throws UsageError `UNKNOWN_TOPIC`, `UNKNOWN_QUEUE`, `ILLEGAL_OFFSET`
   */
  planRewind(request: RewindRequest, options?: CallOptions): Promise<readonly PlannedMove[]> {
    return planRewind(this.cluster, request, options);
  }

  /** A page of the messages of a topic, the oldest of each queue first. Reading does not consume them. */
  browseMessages(topic: string, options?: MessagePageOptions): Promise<MessagePage> {
    return browseMessages(this.cluster, topic, options);
  }

  /**
   * A page of the half messages that the brokers have given up: of transactions that nobody ended, whose checks nobody answered.
   * They are not delivered any more, unless their checks are resumed ({@link resumeHalfMessage}); they also stay here then.
   */
  givenUpHalfMessages(options?: MessagePageOptions): Promise<GivenUpPage> {
    return givenUpHalfMessages(this.cluster, options);
  }

  /** @internal for an application that looks again and again */
  givenUpSince(
    reached: ReadonlyMap<string, bigint> | undefined,
    limit: number,
    options?: CallOptions,
  ): Promise<GivenUpNews> {
    return givenUpSince(this.cluster, reached, limit, options);
  }

  /**
   * Has the broker ask again how the transaction of a half message ended that it has given up, as often as the first time. A producer of the
   * service that sent it has to run: its transaction log, or checker, decides whether the message is delivered or dropped.
   *
   * Resume each once: two copies that are checked at the same time may both be delivered. One that was delivered since is found by
   * {@link findMessages} in its topic.
   * @param message one of {@link givenUpHalfMessages}
   * @throws UsageError `UNKNOWN_BROKER`; RemotingError when the broker has it no more
   */
  resumeHalfMessage(message: ResumableHalfMessage, options?: CallOptions): Promise<void> {
    return resumeHalfMessage(this.cluster, message, options);
  }

  /**
   * The messages of a topic with this id or key. A delayed message is found when it has been delivered, a transaction's when
   * it was committed. The server keeps its index a moment behind what it stores.
   */
  findMessages(query: MessageQuery, options?: CallOptions): Promise<FoundMessages> {
    return findMessages(this.cluster, query, options);
  }

  /** A page of the dead letters of the group, the oldest of each broker first. Reading does not consume them. */
  listDeadLetters(consumerGroup: string, options?: DeadLetterPageOptions): Promise<DeadLetterPage> {
    return listDeadLetters(this.cluster, consumerGroup, options);
  }

  /**
   * Sends a page of dead letters, or some of it, to the topics that they came from: same body, tag, keys, properties and
   * message id, without delay. Every group that subscribes to the topic gets them, not only this one. They also stay among the
   * dead letters; one that was sent again before is left alone.
   *
   * At least once: when the process or the connection breaks after a message was sent and before the index knows it (some
   * milliseconds), the next replay sends it once more. Two replays at the same time may send the same.
   * @throws ReplayInterruptedError when a server fails half-way; it tells what was done and how to go on
   */
  replayDeadLetters(consumerGroup: string, options?: ReplayOptions): Promise<ReplayResult> {
    return replayDeadLetters(this.cluster, consumerGroup, options);
  }

  /** The master brokers that the name server knows, by name. They are not asked. */
  brokers(options?: CallOptions): Promise<readonly MasterBroker[]> {
    return this.cluster.run('ask for brokers', options, (deadline) => this.cluster.masters(deadline));
  }

  /** The version of each master broker, and whether all of them keep batches of messages as they were sent. */
  brokerVersions(options?: CallOptions): Promise<BrokerVersions> {
    return brokerVersions(this.cluster, options);
  }

  /** How far the clock of each master broker is ahead of this machine's, to about a second. */
  brokerClocks(options?: CallOptions): Promise<BrokerClocks> {
    return brokerClocks(this.cluster, options);
  }

  /** Closes the connections; calls still running fail. Idempotent. */
  close(): Promise<void> {
    return this.client.close();
  }
}

function parseNameServers(text: string): readonly string[] {
  const addresses = text
    .split(';')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  if (addresses.length > 0 && addresses.every((address) => ADDRESS.test(address))) return addresses;
  const message = `nameServer is "${text}"; it must be host:port, or several with ";" between`;
  throw new UsageError('ILLEGAL_NAME_SERVER', message, 'nameServer');
}
