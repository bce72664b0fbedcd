// Delayed messages that the brokers still keep. They lie in a topic of the server's own, which also has those that were delivered or
// canceled, and several entries for one that is delayed for long.

import { DELAYED_TOPIC, topicNameProblem } from '../protocol/model/names.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { StoredMessageFields } from '../protocol/remoting/stored-message.js';
import type { MasterBroker } from '../remoting/cluster.js';
import type { ClusterAccess } from '../remoting/cluster-access.js';
import { type CallOptions, type Deadline, realTimeIn } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { checkName } from './checks.js';
import type { BrokerFailure } from './each-broker.js';
import { storedMessages } from './message-lookup.js';
import { PROPERTIES, type StoredMessageView } from './message-view.js';
import { queuesOf } from './topic-offsets.js';
import { checkPageOptions, type FoundMessage, type MessagePageOptions, readTopicPage } from './topic-page.js';

export interface DelayedMessagesOptions extends MessagePageOptions {
  /** Only messages that were sent to this topic. Default: all. */
  readonly topic?: string;
}

/** A message that is not due yet. Its `topic`, queue and offset are those of the server's own topic that keeps it. */
export interface DelayedMessage extends StoredMessageView {
  /** The topic that it was sent to. */
  readonly originTopic: string;
  /** When it is delivered, in milliseconds since 1970, by the broker's clock. */
  readonly dueTimestampMs: number;
  /** What `Producer.recall` takes, whoever sent it. */
  readonly recallHandle: string;
}

export interface DelayedMessagePage {
  /** The last sent first. */
  readonly messages: readonly DelayedMessage[];
  /** The position of the next page; undefined at the end. A page may be short, or empty, and it still set. */
  readonly next: string | undefined;
  /** Brokers that did not answer, or are too old (`DELAYED_UNREADABLE`); the result lacks their messages. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** What identifies a delayed message. */
export type RecallableMessage = Pick<DelayedMessage, 'broker' | 'originTopic' | 'recallHandle'>;

/** The most entries of one id that the server returns. */
const MOST_OF_AN_ID = 32;

export async function delayedMessages(
  cluster: ClusterAccess,
  options: DelayedMessagesOptions = {},
): Promise<DelayedMessagePage> {
  const { topic } = options;
  if (topic !== undefined) checkName('topic', topic, topicNameProblem(topic));
  const order = 'newest-first';
  checkPageOptions({ ...options, order });
  return cluster.run('list delayed messages', options, async (deadline) => {
    const nowMs = realTimeIn(0).getTime();
    const filter = ({ systemProperties }: StoredMessageView): boolean =>
      systemProperties[PROPERTIES.canceled] === undefined &&
      dueIn(systemProperties) > nowMs &&
      (topic === undefined || systemProperties[PROPERTIES.realTopic] === topic);
    const {
      found,
      next,
      failures: away,
    } = await readTopicPage(cluster, DELAYED_TOPIC, { ...options, order, filter }, deadline);
    const masters = await cluster.masters(deadline);
    const failures = [...away, ...(await unreadable(cluster, masters, away, deadline))];
    const messages: DelayedMessage[] = [];
    for (const one of found) {
      const broker = masters.find(({ name }) => name === one.view.broker);
      if (broker !== undefined && (await isLatest(cluster, broker, one, deadline))) messages.push(delayedView(one));
    }
    return { messages, next, failures };
  });
}

/**
 * The brokers whose delayed messages tools cannot read: those before 5.3.1, and those without the wheel (`timerWheelEnable=false`).
 * @throws the error of the first one, when there is no other broker
 */
async function unreadable(
  cluster: ClusterAccess,
  masters: readonly MasterBroker[],
  away: readonly BrokerFailure[],
  deadline: Deadline,
): Promise<BrokerFailure[]> {
  const { queues } = await queuesOf(cluster, DELAYED_TOPIC, deadline);
  const isKnown = ({ name }: MasterBroker): boolean =>
    [...queues.map(({ owner }) => owner), ...away].some((one) => one.name === name);
  const failures = masters
    .filter((broker) => !isKnown(broker))
    .map((broker) => {
      const text = `broker ${broker.name} does not let tools read its delayed messages: that takes 5.3.1, and timerWheelEnable=true`;
      return { ...broker, error: new UsageError('DELAYED_UNREADABLE', text) };
    });
  const [first] = failures;
  if (first !== undefined && failures.length === masters.length) throw first.error;
  return failures;
}

/** @see RecallMessageRequestHeader of the server, request code 370 */
export async function recallDelayed(
  cluster: ClusterAccess,
  { broker: name, originTopic: topic, recallHandle }: RecallableMessage,
  options?: CallOptions,
): Promise<void> {
  await cluster.run(`recall a delayed message of topic ${topic}`, options, async (deadline) => {
    const broker = (await cluster.masters(deadline)).find((one) => one.name === name);
    if (broker === undefined) {
      throw new UsageError('UNKNOWN_BROKER', `the cluster has no broker "${name}"; nothing was changed`, 'broker');
    }
    const fields = { producerGroup: topic, topic, recallHandle, bname: name };
    await cluster.call(broker, { code: REQUEST_CODES.recallMessage, fields }, deadline);
  });
}

/**
 * Whether no later entry replaces this one: its cancellation, or itself again. A message that is due after the server's wheel of 2 days is
 * stored again each time that it has waited so long.
 */
async function isLatest(
  cluster: ClusterAccess,
  broker: MasterBroker,
  { stored, view }: FoundMessage,
  deadline: Deadline,
): Promise<boolean> {
  const query = { topic: DELAYED_TOPIC, messageId: view.messageId };
  const entries = await storedMessages(cluster, broker, query, MOST_OF_AN_ID, deadline);
  const topic = stored.properties.get(PROPERTIES.realTopic);
  const replaces = ({ properties, queueOffset }: StoredMessageFields): boolean =>
    queueOffset > stored.queueOffset &&
    properties.get(PROPERTIES.realTopic) === topic &&
    (properties.has(PROPERTIES.canceled) || rollsIn(properties) > rollsIn(stored.properties));
  return !entries.some(replaces);
}

function delayedView({ view }: FoundMessage): DelayedMessage {
  const { broker, messageId, systemProperties, deliveryTimestampMs } = view;
  const originTopic = systemProperties[PROPERTIES.realTopic] ?? '';
  const outMs = dueIn(systemProperties);
  // The server's own handles name the time after the one that it keeps. @see RecallMessageHandle of the server
  const handle = `v1 ${originTopic} ${broker} ${outMs + 1} ${messageId}`;
  const recallHandle = Buffer.from(handle).toString('base64url');
  return { ...view, originTopic, dueTimestampMs: deliveryTimestampMs ?? outMs, recallHandle };
}

function dueIn(properties: StoredMessageView['systemProperties']): number {
  return Number(properties[PROPERTIES.dueAt] ?? 0);
}

function rollsIn(properties: StoredMessageFields['properties']): number {
  return Number(properties.get(PROPERTIES.rolls) ?? 0);
}
