// The messages of a topic for reading, and the half messages that the server has given up.

import { topicNameProblem } from '../protocol/names.js';
import type { CallOptions } from '../support/deadline.js';
import { checkName } from './checks.js';
import type { ClusterAccess } from './cluster-access.js';
import type { BrokerFailure } from './each-broker.js';
import { messageView, PROPERTIES, type StoredMessageView } from './message-view.js';
import { checkPageOptions, type PageOptions, readTopicPage } from './topic-page.js';

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
}

export interface GivenUpPage extends Omit<MessagePage, 'messages'> {
  readonly messages: readonly GivenUpHalfMessage[];
}

/** Where Apache RocketMQ puts a half message after `transactionCheckMax` checks. @see TopicValidator of the server */
const GIVEN_UP_TOPIC = 'TRANS_CHECK_MAX_TIME_TOPIC';

export async function browseMessages(
  cluster: ClusterAccess,
  topic: string,
  options: MessagePageOptions & CallOptions = {},
): Promise<MessagePage> {
  checkName('topic', topic, topicNameProblem(topic));
  checkPageOptions(options);
  return page(cluster, topic, `browse topic ${topic}`, options);
}

export async function givenUpHalfMessages(
  cluster: ClusterAccess,
  options: MessagePageOptions & CallOptions = {},
): Promise<GivenUpPage> {
  checkPageOptions(options);
  const found = await page(cluster, GIVEN_UP_TOPIC, 'look for half messages given up', options);
  const messages = found.messages.map((message) => ({
    ...message,
    originTopic: message.systemProperties[PROPERTIES.realTopic],
  }));
  return { ...found, messages };
}

function page(cluster: ClusterAccess, topic: string, what: string, options: MessagePageOptions): Promise<MessagePage> {
  return cluster.run(what, options, async (deadline) => {
    const { found, ...rest } = await readTopicPage(cluster, topic, options, deadline);
    const messages = await Promise.all(found.map(({ stored, broker }) => messageView(stored, broker)));
    return { messages, ...rest };
  });
}
