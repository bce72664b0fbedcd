// Pages of the messages of a topic, and of the half messages that the server has given up.

import { GIVEN_UP_TOPIC, topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { offsetMessageIdOf } from '../../protocol/remoting/stored-message.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { CallOptions } from '../../support/deadline.js';
import { anyString, assertFields, checkedElsewhere, nonEmptyString, type OptionChecks } from '../../support/options.js';
import { checkFields, checkName } from '../checks.js';
import { AskedBrokers, type BrokerFailure, masterNamed } from '../each-broker.js';
import { assertKnown, queuesOf } from '../topics/topic-offsets.js';
import { PROPERTIES, type StoredMessageView, VIEW_FIELDS } from './message-view.js';
import { type FoundMessage } from './page.js';
import {
  assertStart,
  BROWSE_CHECKS,
  type BrowseOptions,
  checkPageOptions,
  type MessagePageOptions,
  PAGE_CHECKS,
  readPageOf,
  readQueue,
  readTopicPage,
} from './topic-page.js';

export interface MessagePage {
  /** In the order that was asked for, by default by broker, queue and offset. They stay stored. */
  readonly messages: readonly StoredMessageView[];
  /** The position of the next page; undefined at the end. */
  readonly next: string | undefined;
  /** The number of stored messages in the queues and times that were asked for, whatever the filter. */
  readonly total: number;
  /** Brokers that did not answer; the result lacks their messages. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** A half message whose checks were not answered: it was neither committed nor rolled back, and is not delivered. */
export interface GivenUpHalfMessage extends StoredMessageView {
  /** The topic that it was sent to; undefined when the server did not keep it. */
  readonly originTopic: string | undefined;
  /** Identifies this copy when it is resumed; several messages can have the same `messageId`. */
  readonly offsetMessageId: string;
}

const HALF_MESSAGE_CHECKS: OptionChecks<GivenUpHalfMessage> = {
  ...VIEW_FIELDS,
  originTopic: anyString,
  offsetMessageId: checkedElsewhere,
};

/** What identifies a half message that was given up; every entry of a page has it. */
export type ResumableHalfMessage = Pick<GivenUpHalfMessage, 'broker' | 'originTopic' | 'offsetMessageId'>;

export interface GivenUpPage extends Omit<MessagePage, 'messages'> {
  readonly messages: readonly GivenUpHalfMessage[];
}

export async function browseMessages(
  cluster: ClusterAccess,
  topic: string,
  options: BrowseOptions = {},
): Promise<MessagePage> {
  checkName('topic', topic, topicNameProblem(topic));
  return cluster.run(
    `list messages of topic ${topic}`,
    options,
    async (deadline) => {
      checkPageOptions(options);
      const queues = await queuesOf(cluster, topic, deadline);
      assertKnown(topic, queues);
      assertStart(topic, queues, options);
      const { found, ...rest } = await readPageOf(cluster, topic, queues, options, deadline);
      return { messages: found.map(({ view }) => view), ...rest };
    },
    BROWSE_CHECKS,
  );
}

export async function givenUpHalfMessages(
  cluster: ClusterAccess,
  options: MessagePageOptions = {},
): Promise<GivenUpPage> {
  return cluster.run(
    'list half messages given up',
    options,
    async (deadline) => {
      checkPageOptions(options);
      const { found, ...rest } = await readTopicPage(cluster, GIVEN_UP_TOPIC, options, deadline);
      return { messages: found.map(givenUpView), ...rest };
    },
    PAGE_CHECKS,
  );
}

/** Half messages that were given up since the last call, the oldest first. */
export interface GivenUpNews {
  readonly messages: readonly GivenUpHalfMessage[];
  /** Where the next call continues, by broker. */
  readonly reached: ReadonlyMap<string, number>;
  /** Whether more are available already. */
  readonly hasMore: boolean;
}

/**
 * @param reached undefined: from the oldest of each broker
 * @param limit maximum messages of each broker
 * @throws the failure of a broker that did not answer
 */
export async function givenUpSince(
  cluster: ClusterAccess,
  reached: ReadonlyMap<string, number> | undefined,
  limit: number,
  options?: CallOptions,
): Promise<GivenUpNews> {
  return cluster.run('list half messages given up', options, async (deadline) => {
    const { queues, failures } = await queuesOf(cluster, GIVEN_UP_TOPIC, deadline);
    const [failure] = failures;
    if (failure !== undefined) throw failure.error;
    const asked = new AskedBrokers(deadline, false);
    const reader = { cluster, topic: GIVEN_UP_TOPIC, asked };
    const next = new Map(reached);
    const messages: GivenUpHalfMessage[] = [];
    let hasMore = false;
    // One queue on each broker.
    for (const queue of queues) {
      const { broker, minOffset, maxOffset } = queue.offsets;
      const last = reached?.get(broker) ?? minOffset;
      // A broker that was set up again starts at 0.
      const offset = last > maxOffset ? minOffset : last;
      const { found, nextOffset } = await readQueue(reader, queue, { offset, limit }, deadline);
      const [rejected] = asked.failures;
      if (rejected !== undefined) throw rejected.error;
      messages.push(...found.map(givenUpView));
      next.set(broker, nextOffset);
      hasMore ||= nextOffset < maxOffset;
    }
    return { messages, reached: next, hasMore };
  });
}

/** @see ResumeCheckHalfMessageRequestHeader of the server, request code 323 */
export async function resumeHalfMessage(
  cluster: ClusterAccess,
  message: ResumableHalfMessage,
  options?: CallOptions,
): Promise<void> {
  assertFields(message, HALF_MESSAGE_CHECKS);
  checkFields(message, { broker: nonEmptyString, offsetMessageId: nonEmptyString });
  const { broker: name, originTopic: topic = '', offsetMessageId: msgId } = message;
  await cluster.run(`resume the checks of half message ${msgId}`, options, async (deadline) => {
    const broker = await masterNamed(cluster, name, deadline);
    await cluster.call(broker, { code: REQUEST_CODES.resumeCheckHalfMessage, fields: { topic, msgId } }, deadline);
  });
}

function givenUpView({ stored, view }: FoundMessage): GivenUpHalfMessage {
  const originTopic = view.systemProperties[PROPERTIES.realTopic];
  return { ...view, originTopic, offsetMessageId: offsetMessageIdOf(stored) };
}
