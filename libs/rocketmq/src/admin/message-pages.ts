// The messages of a topic for reading, and the half messages that the server has given up.

import { GIVEN_UP_TOPIC, topicNameProblem } from '../protocol/model/names.js';
import { offsetMessageIdOf } from '../protocol/remoting/stored-message.js';
import type { CallOptions } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { checkName } from './checks.js';
import type { ClusterAccess } from './cluster-access.js';
import type { BrokerFailure } from './each-broker.js';
import { messageView, PROPERTIES, type StoredMessageView } from './message-view.js';
import { queuesOf } from './topic-offsets.js';
import { checkPageOptions, type PageOptions, readQueue, readTopicPage, type TopicPage } from './topic-page.js';

export interface MessagePageOptions extends PageOptions {}

export interface MessagePage {
  /** By broker, queue and offset. They stay where they are. */
  readonly messages: readonly StoredMessageView[];
  /** What to ask with for the next page; undefined at the end. */
  readonly next: string | undefined;
  /** All that the brokers keep of this topic. */
  readonly total: bigint;
  /** Brokers that did not answer: their messages are missing. Empty when all is well. */
  readonly failures: readonly BrokerFailure[];
}

/** A half message whose checks nobody answered: neither committed nor rolled back, and never to be delivered. */
export interface GivenUpHalfMessage extends StoredMessageView {
  /** The topic that it was sent to; undefined when the server did not keep it. */
  readonly originTopic: string | undefined;
  /** Names this copy of it, by which it is resumed: `messageId` may name several. */
  readonly offsetMessageId: string;
}

/** What names a half message that was given up: one of a page. */
export type ResumableHalfMessage = Pick<GivenUpHalfMessage, 'broker' | 'originTopic' | 'offsetMessageId'>;

export interface GivenUpPage extends Omit<MessagePage, 'messages'> {
  readonly messages: readonly GivenUpHalfMessage[];
}

export async function browseMessages(
  cluster: ClusterAccess,
  topic: string,
  options: MessagePageOptions & CallOptions = {},
): Promise<MessagePage> {
  checkName('topic', topic, topicNameProblem(topic));
  checkPageOptions(options);
  return cluster.run(`browse topic ${topic}`, options, async (deadline) => {
    const { found, ...rest } = await readTopicPage(cluster, topic, options, deadline);
    return { messages: await Promise.all(found.map(({ stored, broker }) => messageView(stored, broker))), ...rest };
  });
}

export async function givenUpHalfMessages(
  cluster: ClusterAccess,
  options: MessagePageOptions & CallOptions = {},
): Promise<GivenUpPage> {
  checkPageOptions(options);
  return cluster.run('look for half messages given up', options, async (deadline) => {
    const { found, ...rest } = await readTopicPage(cluster, GIVEN_UP_TOPIC, options, deadline);
    return { messages: await Promise.all(found.map(givenUpView)), ...rest };
  });
}

/** Some of what was given up since somebody looked last, the oldest first. */
export interface GivenUpNews {
  readonly messages: readonly GivenUpHalfMessage[];
  /** Where the next look goes on, by broker. */
  readonly reached: ReadonlyMap<string, bigint>;
  /** Whether more is there already. */
  readonly hasMore: boolean;
}

/**
 * @param reached undefined: from the oldest of each broker
 * @param limit the most messages of each broker
 * @throws what a broker that did not answer failed with
 */
export async function givenUpSince(
  cluster: ClusterAccess,
  reached: ReadonlyMap<string, bigint> | undefined,
  limit: number,
  options?: CallOptions,
): Promise<GivenUpNews> {
  return cluster.run('look for half messages given up', options, async (deadline) => {
    const { queues, failures } = await queuesOf(cluster, GIVEN_UP_TOPIC, deadline);
    const [failure] = failures;
    if (failure !== undefined) throw failure.error;
    const next = new Map(reached);
    const messages: GivenUpHalfMessage[] = [];
    let hasMore = false;
    // One queue on each broker.
    for (const queue of queues) {
      const { broker, minOffset, maxOffset } = queue.offsets;
      const last = reached?.get(broker) ?? minOffset;
      // A broker that was set up anew begins with 0.
      const offset = last > maxOffset ? minOffset : last;
      const { found, nextOffset } = await readQueue(cluster, GIVEN_UP_TOPIC, queue, { offset, limit }, deadline);
      messages.push(...(await Promise.all(found.map(givenUpView))));
      next.set(broker, nextOffset);
      hasMore ||= nextOffset < maxOffset;
    }
    return { messages, reached: next, hasMore };
  });
}

/** @see ResumeCheckHalfMessageRequestHeader of the server, request code 323 */
export async function resumeHalfMessage(
  cluster: ClusterAccess,
  { broker: name, originTopic: topic = '', offsetMessageId: msgId }: ResumableHalfMessage,
  options?: CallOptions,
): Promise<void> {
  await cluster.run(`resume the checks of half message ${msgId}`, options, async (deadline) => {
    const broker = (await cluster.masters(deadline)).find((one) => one.name === name);
    if (broker === undefined) {
      throw new UsageError('UNKNOWN_BROKER', `the cluster has no broker "${name}"; nothing was changed`, 'broker');
    }
    await cluster.call(broker, { code: 323, fields: { topic, msgId } }, deadline);
  });
}

async function givenUpView({ stored, broker }: TopicPage['found'][number]): Promise<GivenUpHalfMessage> {
  const view = await messageView(stored, broker);
  const originTopic = view.systemProperties[PROPERTIES.realTopic];
  return { ...view, originTopic, offsetMessageId: offsetMessageIdOf(stored) };
}
