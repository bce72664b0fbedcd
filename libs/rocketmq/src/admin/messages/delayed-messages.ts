// Delayed messages that the brokers still keep. They lie in a topic of the server's own, which also has those that were delivered or
// canceled, and several entries for one that is delayed for long.

import { DELAYED_TOPIC, topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { mapConcurrently } from '../../support/concurrently.js';
import { type CallOptions, type Deadline, realTimeIn } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import {
  assertFields,
  checkedElsewhere,
  nonEmptyString,
  type OptionChecks,
  type OwnChecks,
} from '../../support/options.js';
import { checkFields, checkName } from '../checks.js';
import { type BrokerFailure, masterNamed } from '../each-broker.js';
import { queuesOf, type TopicQueues } from '../topics/topic-offsets.js';
import { CONCURRENT_LOOKUPS, storedWithId } from './message-lookup.js';
import { PROPERTIES, type StoredMessageView, VIEW_FIELDS } from './message-view.js';
import { type FoundMessage } from './page.js';
import { checkPageOptions, type MessagePageOptions, PAGE_CHECKS, readPageOf } from './topic-page.js';

export interface DelayedMessagesOptions extends MessagePageOptions {
  /** Only messages that were sent to this topic. Default: all. */
  readonly topic?: string;
}

const CHECKS: OwnChecks<DelayedMessagesOptions> = { ...PAGE_CHECKS, topic: checkedElsewhere };

/** A message that is not due yet. Its `topic`, queue and offset are those of the server's own topic that keeps it. */
export interface DelayedMessage extends StoredMessageView {
  /** The topic that it was sent to. */
  readonly originTopic: string;
  /** When it is delivered, in milliseconds since 1970, by the broker's clock. */
  readonly dueTimestampMs: number;
  /** What `Producer.recall` takes, whoever sent it. */
  readonly recallHandle: string;
}

const DELAYED_MESSAGE_CHECKS: OptionChecks<DelayedMessage> = {
  ...VIEW_FIELDS,
  originTopic: checkedElsewhere,
  dueTimestampMs: checkedElsewhere,
  recallHandle: checkedElsewhere,
};

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

export async function delayedMessages(
  cluster: ClusterAccess,
  options: DelayedMessagesOptions = {},
): Promise<DelayedMessagePage> {
  return cluster.run(
    'list delayed messages',
    options,
    async (deadline) => {
      const { topic } = options;
      if (topic !== undefined) checkName('topic', topic, topicNameProblem(topic));
      const order = 'newest-first';
      checkPageOptions({ ...options, order });
      const nowMs = realTimeIn(0).getTime();
      const filter = ({ systemProperties }: StoredMessageView): boolean =>
        systemProperties[PROPERTIES.canceled] === undefined &&
        dueIn(systemProperties) > nowMs &&
        (topic === undefined || systemProperties[PROPERTIES.realTopic] === topic);
      const known = await queuesOf(cluster, DELAYED_TOPIC, deadline);
      const unreadable = unreadableIn(known);
      const page = await readPageOf(cluster, DELAYED_TOPIC, known, { ...options, order, filter }, deadline);
      const found = await mapConcurrently(page.found, CONCURRENT_LOOKUPS, async (one) => {
        const broker = known.answered.find(({ name }) => name === one.view.broker);
        return broker !== undefined && (await isLatest(cluster, broker, one, deadline)) ? [delayedView(one.view)] : [];
      });
      return { messages: found.flat(), next: page.next, failures: [...page.failures, ...unreadable] };
    },
    CHECKS,
  );
}

/**
 * The brokers whose delayed messages tools cannot read: those before 5.3.1, and those without the wheel (`timerWheelEnable=false`).
 * @throws the error of the first one, when there is no other broker
 */
function unreadableIn({ queues, answered, failures }: TopicQueues): BrokerFailure[] {
  const unreadable = answered
    .filter((broker) => !queues.some(({ owner }) => owner.name === broker.name))
    .map((broker) => ({ ...broker, error: delayedUnreadable(broker) }));
  const [first] = unreadable;
  if (first !== undefined && queues.length === 0 && failures.length === 0) throw first.error;
  return unreadable;
}

export function delayedUnreadable({ name }: MasterBroker): UsageError {
  const text = `broker ${name} does not let tools read its delayed messages: that takes 5.3.1, and timerWheelEnable=true`;
  return new UsageError('DELAYED_UNREADABLE', text);
}

/** @see RecallMessageRequestHeader of the server, request code 370 */
export async function recallDelayed(
  cluster: ClusterAccess,
  message: RecallableMessage,
  options?: CallOptions,
): Promise<void> {
  assertFields(message, DELAYED_MESSAGE_CHECKS);
  checkFields(message, { broker: nonEmptyString, originTopic: nonEmptyString, recallHandle: nonEmptyString });
  const { broker: name, originTopic: topic, recallHandle } = message;
  await cluster.run(`recall a delayed message of topic ${topic}`, options, async (deadline) => {
    const broker = await masterNamed(cluster, name, deadline);
    const fields = { producerGroup: topic, topic, recallHandle, brokerName: name };
    await cluster.call(broker, { code: REQUEST_CODES.recallMessage, fields }, deadline);
  });
}

/**
 * Whether no later entry replaces this one: its cancellation, or itself again. A message that is due after the server's wheel of 2 days is
 * stored again each time that it has waited so long. Another message of the same id has another due time, or was not canceled by this entry.
 */
async function isLatest(
  cluster: ClusterAccess,
  broker: MasterBroker,
  { stored, view }: FoundMessage,
  deadline: Deadline,
): Promise<boolean> {
  const query = { topic: DELAYED_TOPIC, messageId: view.messageId };
  const entries = await storedWithId(cluster, broker, query, deadline);
  const topic = stored.properties.get(PROPERTIES.realTopic);
  const replaces = ({ properties, queueOffset }: StoredMessageFields): boolean =>
    queueOffset > stored.queueOffset &&
    properties.get(PROPERTIES.realTopic) === topic &&
    properties.get(PROPERTIES.dueAt) === stored.properties.get(PROPERTIES.dueAt) &&
    (properties.has(PROPERTIES.canceled) || rollsIn(properties) > rollsIn(stored.properties));
  return !entries.some(replaces);
}

export function delayedView(view: StoredMessageView): DelayedMessage {
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
