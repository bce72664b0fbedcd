// The public class: each method delegates to the file that is named after it. cluster-access.ts chooses the servers.
// Over 300 lines: the documentation of each method.

import { type CredentialsProvider, CredentialsSource } from '../protocol/credentials/credentials.js';
import type { Credentials } from '../protocol/credentials/metadata.js';
import type { MasterBroker } from '../remoting/cluster.js';
import { ClusterAccess } from '../remoting/cluster-access.js';
import { RemotingClient } from '../remoting/remoting-client.js';
import { addressText, readAddresses } from '../support/address.js';
import type { CallOptions } from '../support/deadline.js';
import { StateError, UsageError } from '../support/errors.js';
import { type Logger, silentLogger } from '../support/logger.js';
import {
  anyString,
  assertOptions,
  checkedElsewhere,
  nonEmptyString,
  type OptionChecks,
  positiveNumber,
  withMethods,
} from '../support/options.js';
import { resolveTls, type TlsOptions } from '../support/tls.js';
import { type BrokerClocks, brokerClocks } from './broker-clocks.js';
import { type BrokerVersions, brokerVersions } from './broker-versions.js';
import { planReplay, planReplayOf, type ReplayPlan } from './dead-letters/dead-letter-plan.js';
import { type ReplayOptions, type ReplayResult, replayDeadLetters } from './dead-letters/dead-letter-replay.js';
import {
  type DeadLetterPage,
  type DeadLetterPageOptions,
  type DeadLetterQueueList,
  type DeadLetterView,
  listDeadLetterQueues,
  listDeadLetters,
} from './dead-letters/dead-letters.js';
import { type ExportOptions, type ExportPage, exportDeadLetters } from './dead-letters/exported-dead-letters.js';
import {
  type DeletedGroup,
  type DeleteGroupOptions,
  GroupAdmin,
  type GroupList,
  type ListGroupsOptions,
} from './groups/group-admin.js';
import { clientsOfGroup, type GroupClients, type GroupClientsOptions, reportOfClient } from './groups/group-clients.js';
import type { PauseRequest } from './groups/group-pauses.js';
import type { GroupDescription, NewGroup } from './groups/groups.js';
import { type GroupLag, type LagOptions, lagOfGroup } from './groups/lag.js';
import { type QueueOffset, rewindGroup } from './groups/rewind.js';
import { type PlannedMove, planRewind } from './groups/rewind-plan.js';
import type { RewindRequest } from './groups/rewind-target.js';
import {
  type DelayedMessagePage,
  type DelayedMessagesOptions,
  delayedMessages,
  type RecallableMessage,
  recallDelayed,
} from './messages/delayed-messages.js';
import { type FailureList, type ListFailuresOptions, listFailures } from './messages/kept-failures.js';
import { type LagHistory, type LagHistoryOptions, lagHistory } from './messages/kept-lag.js';
import { type FoundMessages, findMessages, type MessageQuery } from './messages/message-lookup.js';
import {
  browseMessages,
  type GivenUpNews,
  type GivenUpPage,
  givenUpHalfMessages,
  givenUpSince,
  type MessagePage,
  type ResumableHalfMessage,
  resumeHalfMessage,
} from './messages/message-pages.js';
import { type MessageTrail, messageTrail, type TrailQuery } from './messages/message-trail.js';
import { checkTail, type TailedMessages, type TailOptions, tailMessages } from './messages/tail.js';
import type { BrowseOptions, MessagePageOptions } from './messages/topic-page.js';
import { type DeletedTopic, type ListTopicsOptions, TopicAdmin, type TopicList } from './topics/topic-admin.js';
import { groupsOfTopic, type TopicGroups } from './topics/topic-groups.js';
import { type TopicLayout, TopicLayouts } from './topics/topic-layouts.js';
import { type TopicOffsets, topicOffsets } from './topics/topic-offsets.js';
import type { CreateOptions, NewTopic, TopicDescription } from './topics/topics.js';

export interface RocketMQAdminOptions {
  /**
   * `host:port` of each name server, separated by `;`; or the `nameServerEndpoint` of an embedded broker. The first one that can be
   * reached is asked.
   */
  readonly nameServer: string;
  /**
   * `host:port` of each proxy in cluster mode, separated by `;`, with its remoting port (8080). `groupClients()` asks them, too: brokers do not
   * know the gRPC clients of such proxies. Default: none.
   */
  readonly proxies?: string;
  /** The cluster to administer. Required when the name server knows several. Default: the only one. */
  readonly cluster?: string;
  /** The time limit of a call, in milliseconds. Default: 3000. */
  readonly timeoutMs?: number;
  /** Required when the servers check access (ACL). A function is called repeatedly, so that keys can change. Default: none. */
  readonly credentials?: Credentials | CredentialsProvider;
  /** Use TLS to name servers and brokers. Default: plaintext. */
  readonly tls?: boolean | TlsOptions;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
}

const CHECKS: OptionChecks<RocketMQAdminOptions> = {
  nameServer: anyString,
  proxies: anyString,
  cluster: nonEmptyString,
  timeoutMs: positiveNumber,
  credentials: checkedElsewhere,
  tls: checkedElsewhere,
  logger: withMethods('a Logger', 'debug', 'info', 'warn', 'error'),
};

const DEFAULT_TIMEOUT_MS = 3000;

/**
 * Administers topics, consumer groups, offsets and dead letters. Every call except `replayDeadLetters` can be repeated: it brings
 * the servers to the described state, whatever their state was. Connections open on first use; `close()` ends them.
 *
 * All methods throw `UsageError` for an invalid argument, `RemotingError` when a server rejects the request (with the server, the
 * code and the remark), `TransportError` when a server cannot be reached or does not answer in time, and `PartlyDoneError` when
 * either happens after the first broker was changed. A method that only reads asks all master brokers, and throws when none
 * answers; when some do not, `failures` of its result names them.
 */
export class RocketMQAdmin {
  private readonly client: RemotingClient;
  private readonly credentials: CredentialsSource | undefined;
  private readonly cluster: ClusterAccess;
  private readonly proxies: readonly string[];
  private readonly topics: TopicAdmin;
  private readonly layouts: TopicLayouts;
  private readonly groups: GroupAdmin;

  constructor(options: RocketMQAdminOptions) {
    assertOptions(options, { options: CHECKS, required: ['nameServer'] });
    const nameServers = parseAddresses('nameServer', options.nameServer);
    this.proxies = options.proxies === undefined ? [] : parseAddresses('proxies', options.proxies);
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    // A server that cannot be reached must leave time for the next one.
    const { credentials, logger = silentLogger } = options;
    this.credentials = credentials && new CredentialsSource(credentials, { logger });
    this.client = new RemotingClient({
      connectTimeoutMs: timeoutMs / nameServers.length,
      tls: resolveTls(options.tls, logger),
      credentials: this.credentials,
    });
    this.cluster = new ClusterAccess(this.client, {
      nameServers,
      cluster: options.cluster,
      timeoutMs,
      unanimous: false,
    });
    this.layouts = new TopicLayouts(this.cluster);
    this.topics = new TopicAdmin(this.cluster, this.layouts);
    this.groups = new GroupAdmin(this.cluster, this.topics);
  }

  /**
   * Creates the topic on every master broker of the cluster on which it does not exist. Resolves when the name server returns its route.
   * @throws AlreadyExistsError when it exists with other settings than those given, unless `ifExists` is set
   * @throws UsageError when the type is left out and a broker does not have the topic; nothing was changed
   */
  createTopic(definition: NewTopic, options?: CreateOptions): Promise<void> {
    return this.topics.create(definition, options);
  }

  /** The topic on its brokers, or undefined when the name server has no route for it. */
  describeTopic(topic: string, options?: CallOptions): Promise<TopicDescription | undefined> {
    return this.topics.describe(topic, options);
  }

  /**
   * What the message groups and lite topics of a topic are spread over: the order configuration at each name server, and the brokers that can
   * be written at present. Undefined when the name server has no route for the topic.
   */
  topicLayout(topic: string, options?: CallOptions): Promise<TopicLayout | undefined> {
    return this.layouts.read(topic, options);
  }

  /**
   * Sets the order configuration of a topic at every name server: clients by `name-server:` and proxies whose name servers have
   * `orderMessageEnable` then spread its message groups over these brokers, and send nothing elsewhere while one of them is missing. Running
   * clients take it over with their next look at the route, within 30 s. If it differs from what they use, message groups move: stop the
   * producers of the topic and let its consumers finish before.
   * @param layout the brokers and the queues on each of them, as `broker-a:8;broker-b:8`; or `present` for what can be written at present
   * @throws UsageError `ILLEGAL_LAYOUT` when it has another form, or is `present` and the topic has no queue
   * @throws PartlyDoneError that names the name servers that have it, when another one failed
   */
  setTopicLayout(topic: string, layout: string, options?: CallOptions): Promise<TopicLayout> {
    return this.layouts.set(topic, layout, options);
  }

  /**
   * Removes the order configuration of a topic from every name server. Each process then spreads message groups over the most brokers that it
   * has seen. Succeeds when there is none.
   * @throws PartlyDoneError that names the name servers that have removed it, when another one failed
   */
  removeTopicLayout(topic: string, options?: CallOptions): Promise<void> {
    return this.layouts.remove(topic, options);
  }

  /** The offsets of each queue of the topic. A topic that does not exist has no queues. */
  topicOffsets(topic: string, options?: CallOptions): Promise<TopicOffsets> {
    return topicOffsets(this.cluster, topic, options);
  }

  /** The topics of the cluster; the server's own only if requested. */
  listTopics(options?: ListTopicsOptions): Promise<TopicList> {
    return this.topics.list(options);
  }

  /**
   * Permanently deletes the topic and its messages on every master broker and every name server. Succeeds when it does not exist.
   * Clients that still use it get errors; where the server creates topics automatically, a send creates it again.
   */
  deleteTopic(topic: string, options?: CallOptions): Promise<DeletedTopic> {
    return this.topics.delete(topic, options);
  }

  /**
   * Creates the consumer group on every master broker of the cluster on which it does not exist.
   * @throws AlreadyExistsError when it exists with other settings than those given, unless `ifExists` is set
   */
  createGroup(definition: NewGroup, options?: CreateOptions): Promise<void> {
    return this.groups.create(definition, options);
  }

  /** The consumer group on its brokers, or undefined when none has it. This call does not create it. */
  describeGroup(consumerGroup: string, options?: CallOptions): Promise<GroupDescription | undefined> {
    return this.groups.describe(consumerGroup, options);
  }

  /** The consumer groups of the cluster; the server's own only if requested. */
  listGroups(options?: ListGroupsOptions): Promise<GroupList> {
    return this.groups.list(options);
  }

  /** The consumer groups of a topic, without the server's own. A topic that does not exist has none. */
  groupsOfTopic(topic: string, options?: CallOptions): Promise<TopicGroups> {
    return groupsOfTopic(this.cluster, topic, options);
  }

  /**
   * Deletes the consumer group with its offsets and pending retries on every master broker and every name server. Succeeds when it
   * does not exist. Stop its consumers first: where the server creates groups automatically, they create it again.
   */
  deleteGroup(consumerGroup: string, options?: DeleteGroupOptions): Promise<DeletedGroup> {
    return this.groups.delete(consumerGroup, options);
  }

  /**
   * Pauses the group over all its instances, including those that start later, until {@link resumeGroup}: the brokers deliver nothing to it, and keep
   * its messages, retries and leases, also over restarts. A running consumer of this library begins no handler after 30 s at the latest; what
   * its handlers have begun is finished and settled. The name servers keep reason and name for whoever looks. Another pause replaces them.
   * @param pause `reason`: 1 to 500 characters; `by`: a person or a program, 1 to 100 characters
   * @throws UsageError `UNKNOWN_GROUP` when no broker has the group; nothing was changed
   */
  pauseGroup(consumerGroup: string, pause: PauseRequest, options?: CallOptions): Promise<void> {
    return this.groups.pause(consumerGroup, pause, options);
  }

  /**
   * Resumes a paused group, whatever has paused it. Running consumers receive again within 15 s. Does nothing when it is not paused.
   * @throws UsageError `UNKNOWN_GROUP` when no broker has the group
   */
  resumeGroup(consumerGroup: string, options?: CallOptions): Promise<void> {
    return this.groups.resume(consumerGroup, options);
  }

  /** How far the group is behind, by topic and queue. A group that does not exist has no topics. */
  groupLag(consumerGroup: string, options?: LagOptions): Promise<GroupLag> {
    return lagOfGroup(this.cluster, consumerGroup, options);
  }

  /** The connected consumers of the group and their subscriptions. */
  groupClients(consumerGroup: string, options?: GroupClientsOptions): Promise<GroupClients> {
    return clientsOfGroup(this.cluster, consumerGroup, options, this.proxies);
  }

  /**
   * What a connected consumer is doing, as a text that it writes itself: one of this library lists the handlers that run and for how long,
   * its memory and its active resources; one in Java prints its threads.
   * Apache RocketMQ asks consumers of the remoting protocol only: 5.5.0 drops the question to a gRPC consumer, and fails after 10 s. The
   * embedded broker asks every consumer.
   * @returns undefined when it is not connected
   * @throws RemotingError when it does not answer; TransportError `DEADLINE_EXCEEDED` when `timeoutMs` is over before that
   */
  describeClient(consumerGroup: string, clientId: string, options?: CallOptions): Promise<string | undefined> {
    return reportOfClient(this.cluster, consumerGroup, clientId, options);
  }

  /**
   * Moves the group to an earlier or later position in a topic, even while it is consuming; the next receive starts there. Messages
   * in flight can still be acknowledged. Pending retries stay where they are, so some messages may be delivered twice.
   * A broker before 5.2.0 goes on after the messages that consumers hold: there, pause the consumers and wait 15 s before you move back.
   * @returns the new positions by broker and queue
   * @throws UsageError `UNKNOWN_TOPIC`, `UNKNOWN_BROKER`, `UNKNOWN_QUEUE`, `ILLEGAL_OFFSET`; nothing was changed
   */
  rewindGroup(request: RewindRequest, options?: CallOptions): Promise<readonly QueueOffset[]> {
    return rewindGroup(this.cluster, request, options);
  }

  /**
   * What `rewindGroup` would do with the same request, by queue. Changes nothing.
   * @throws UsageError `UNKNOWN_TOPIC`, `UNKNOWN_QUEUE`, `ILLEGAL_OFFSET`
   */
  planRewind(request: RewindRequest, options?: CallOptions): Promise<readonly PlannedMove[]> {
    return planRewind(this.cluster, request, options);
  }

  /**
   * A page of the messages of a topic: the oldest of each queue first, or the newest of all queues. Does not consume them.
   * @throws UsageError `UNKNOWN_TOPIC`; `UNKNOWN_QUEUE` when the topic does not have `queue`
   */
  browseMessages(topic: string, options?: BrowseOptions): Promise<MessagePage> {
    return browseMessages(this.cluster, topic, options);
  }

  /**
   * The newest failures of handlers that applications keep in a topic, by the option `operations` of `RocketMQModule`. Does not consume them. What
   * is no failure record is left out.
   * @param topic its name on the cluster
   * @throws UsageError `UNKNOWN_TOPIC`
   */
  listFailures(topic: string, options?: ListFailuresOptions): Promise<FailureList> {
    return listFailures(this.cluster, topic, options);
  }

  /**
   * How far a group was behind, by hour, as applications keep it in a topic, by the option `operations` of `RocketMQModule`. Its messages are found in
   * the index of the brokers (`messageIndexEnable`, on by default), and are not consumed.
   * @param topic its name on the cluster
   * @throws UsageError `UNKNOWN_TOPIC`; `ILLEGAL_TIME` for more than 31 days
   */
  lagHistory(topic: string, consumerGroup: string, options?: LagHistoryOptions): Promise<LagHistory> {
    return lagHistory(this.cluster, topic, consumerGroup, options);
  }

  /**
   * The messages of a topic as they arrive: a batch at most each second. Does not consume them. Ends when the caller leaves the loop;
   * throws the reason of `signal` when it aborts, and the error of a server when none has answered for half a minute.
   * The first batch comes at once, even if it is empty: messages that are stored afterwards are in later ones.
   * @throws UsageError `UNKNOWN_TOPIC`
   */
  tailMessages(topic: string, options: TailOptions = {}): AsyncIterable<TailedMessages> {
    checkTail(topic, options);
    return tailMessages(this.cluster, topic, options);
  }

  /**
   * A page of the half messages that the brokers have given up, because their transactions did not end and their checks were not
   * answered. They are not delivered unless they are resumed ({@link resumeHalfMessage}); they stay listed here even then.
   */
  givenUpHalfMessages(options?: MessagePageOptions): Promise<GivenUpPage> {
    return givenUpHalfMessages(this.cluster, options);
  }

  /** @internal for an application that polls */
  givenUpSince(
    reached: ReadonlyMap<string, number> | undefined,
    limit: number,
    options?: CallOptions,
  ): Promise<GivenUpNews> {
    return givenUpSince(this.cluster, reached, limit, options);
  }

  /**
   * Makes the broker check the transaction of a given up half message again, as often as the first time. A producer of the service
   * that sent it must be running: its transaction log or checker decides whether the message is delivered or dropped.
   *
   * Resume each half message once: two copies that are checked at the same time may both be delivered. If it has been delivered since,
   * {@link findMessages} finds it in its topic.
   * @param message one of {@link givenUpHalfMessages}
   * @throws UsageError `UNKNOWN_BROKER`; RemotingError when the broker no longer has it
   */
  resumeHalfMessage(message: ResumableHalfMessage, options?: CallOptions): Promise<void> {
    return resumeHalfMessage(this.cluster, message, options);
  }

  /**
   * A page of the delayed messages that the brokers still keep, the last sent first. Does not list messages that clients of the older protocol
   * delayed by a level. Which are due is decided by the clock of this machine.
   * @throws UsageError `DELAYED_UNREADABLE` when all brokers are older than 5.3.1
   */
  delayedMessages(options?: DelayedMessagesOptions): Promise<DelayedMessagePage> {
    return delayedMessages(this.cluster, options);
  }

  /**
   * Cancels a delayed message, whoever sent it. As `Producer.recall`, it also succeeds for one that was canceled or delivered before.
   * @param message one of {@link delayedMessages}
   * @throws UsageError `UNKNOWN_BROKER`; RemotingError when the broker does not cancel messages (`recallMessageEnable`, from 5.3.2), or when the
   *   message is due
   */
  recallDelayed(message: RecallableMessage, options?: CallOptions): Promise<void> {
    return recallDelayed(this.cluster, message, options);
  }

  /**
   * The messages of a topic with this id or key. A delayed message is found after its delivery, a transactional message after its
   * commit. The server's index lags slightly behind its store. A message that has the key twice is found once.
   * @throws UsageError `UNKNOWN_TOPIC`, `ILLEGAL_QUERY`, `ILLEGAL_LIMIT`, `ILLEGAL_TIME`
   */
  findMessages(query: MessageQuery, options?: CallOptions): Promise<FoundMessages> {
    return findMessages(this.cluster, query, options);
  }

  /**
   * The way of a message through the servers: its half message, its delay, its copies in its topic, and for each group how far it came, its
   * redeliveries and its dead letters. Asks the indexes of all brokers, some requests for each group.
   */
  messageTrail(query: TrailQuery, options?: CallOptions): Promise<MessageTrail> {
    return messageTrail(this.cluster, query, options);
  }

  /** The consumer groups that have a dead letter queue. */
  listDeadLetterQueues(options?: CallOptions): Promise<DeadLetterQueueList> {
    return listDeadLetterQueues(this.topics, options);
  }

  /** A page of the dead letters of the group, the oldest of each broker first. Does not consume them. A group that does not exist has none. */
  listDeadLetters(consumerGroup: string, options?: DeadLetterPageOptions): Promise<DeadLetterPage> {
    return listDeadLetters(this.cluster, consumerGroup, options);
  }

  /**
   * What `replayDeadLetters` would do with the same page and options: which it would send and who would receive them, which were sent before,
   * and which cannot be sent. Changes nothing. A group that does not exist has none.
   */
  planReplay(consumerGroup: string, options?: ReplayOptions): Promise<ReplayPlan> {
    return planReplay(this.cluster, consumerGroup, options);
  }

  /**
   * The plan of dead letters that were listed already, of one group or several: their queues are not read again, so that one that is no longer
   * stored has its plan, too. `next` is undefined, and `failures` is empty.
   * @param deadLetters as {@link listDeadLetters} returns them
   */
  planReplayOf(deadLetters: readonly DeadLetterView[], options?: CallOptions): Promise<ReplayPlan> {
    return planReplayOf(this.cluster, deadLetters, options);
  }

  /**
   * A page of dead letters, or a selection of it, as values of JSON with all that is needed to send them later (`exported` of
   * {@link replayDeadLetters}), when the server has deleted them, or on another cluster. Changes nothing. They contain the bodies.
   */
  exportDeadLetters(consumerGroup: string, options?: ExportOptions): Promise<ExportPage> {
    return exportDeadLetters(this.cluster, consumerGroup, options);
  }

  /**
   * Sends a page of dead letters, or a selection of it, to their original topics again: same body, tag, keys, properties and
   * message id, without delay. Every group that subscribes to the topic receives them, not only this one. They also stay in the
   * dead letter queue; those that were already replayed are skipped.
   *
   * At least once: when the process or the connection fails after a message was sent and before the index contains it (some
   * milliseconds), the next replay sends it again. Two simultaneous replays may send the same messages.
   * @throws ReplayInterruptedError when a server fails during the replay; it has what was done and where to continue
   */
  replayDeadLetters(consumerGroup: string, options?: ReplayOptions): Promise<ReplayResult> {
    return replayDeadLetters(this.cluster, consumerGroup, options);
  }

  /** The master brokers that the name server knows, by name. The brokers themselves are not asked. */
  brokers(options?: CallOptions): Promise<readonly MasterBroker[]> {
    return this.cluster.run('ask for brokers', options, (deadline) => this.cluster.masters(deadline));
  }

  /** The version of each master broker, and whether all of them keep batches of messages as sent. */
  brokerVersions(options?: CallOptions): Promise<BrokerVersions> {
    return brokerVersions(this.cluster, options);
  }

  /** How far the clock of each master broker is ahead of this machine's, accurate to about a second. */
  brokerClocks(options?: CallOptions): Promise<BrokerClocks> {
    return brokerClocks(this.cluster, options);
  }

  /** Closes the connections; pending calls fail. Idempotent. */
  close(): Promise<void> {
    this.credentials?.close();
    return this.client.close(new StateError('ADMIN_CLOSED', 'the admin client is closed; create a new one'));
  }
}

function parseAddresses(option: 'nameServer' | 'proxies', text: string): readonly string[] {
  const code = option === 'proxies' ? 'ILLEGAL_PROXIES' : 'ILLEGAL_NAME_SERVER';
  const rejected = (shown: string, problem: string) => new UsageError(code, `${option} "${shown}": ${problem}`, option);
  return readAddresses(text, rejected).map(addressText);
}
