// The topics that an application uses: what they must be on the server, and what their schemas need.

import type { MessageType } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';
import { methodLabel } from '../common/handler-host.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { Discovered } from '../listening/rocketmq.explorer.js';
import { loadSchema } from '../messages/body-schema.js';
import { defineTopic, type TopicDefinition } from '../messages/topic-definition.js';
import type { CheckedOptions } from './module-options.js';

/** The topics of an application, by how it uses them. Names are those on the cluster. */
export interface TopicPlan {
  /** All topics, possibly with duplicates. */
  readonly topics: readonly TopicDefinition[];
  /** The topics that must exist on the server at startup, with their type; undefined: any type. */
  readonly verified: Readonly<Record<string, MessageType | undefined>>;
}

/** @throws UsageError `TOPIC_TYPES_DISAGREE` when one topic is defined with two types */
export function planTopics(
  { transactionalSends }: Discovered,
  consumers: readonly PlannedConsumer[],
  { topics: named = [], operations, names }: CheckedOptions,
): TopicPlan {
  const onCluster = (topic: TopicDefinition): TopicDefinition => ({ ...topic, name: names.topic(topic.name) });
  const listened = consumers.flatMap(({ listeners }) =>
    listeners.map((listener) => ({ topic: listener.topic, where: `listener ${listener.name}` })),
  );
  const deadLetters = consumers.flatMap(({ listeners }) =>
    listeners.flatMap(({ deadLetterTopic: topic, name }) =>
      topic === undefined ? [] : [{ topic, where: `deadLetterTopic of listener ${name}` }],
    ),
  );
  const sent = transactionalSends.map((send) => {
    const topic = onCluster({ ...send.topic, type: 'transaction' });
    return { topic, where: `${methodLabel(send)} (@TransactionalSend)` };
  });
  const options = named.map((topic) => ({ topic: onCluster(topic), where: 'option topics' }));
  if (operations !== undefined) {
    options.push({ topic: onCluster(defineTopic(operations.topic, { type: 'normal' })), where: 'option operations' });
  }
  const all = [...options, ...sent, ...listened, ...deadLetters];
  assertAgreed(all);
  // A transactional topic is verified with its checker. A topic that is only listened to may be created by its first message,
  // unless its definition has a type.
  const needed = [...options, ...deadLetters, ...listened.filter(({ topic }) => topic.type !== undefined)];
  return {
    topics: all.map(({ topic }) => topic),
    verified: Object.fromEntries(needed.map(({ topic }) => [topic.name, topic.type])),
  };
}

/** Loads the packages that the schemas need. @throws UsageError `PACKAGE_MISSING` */
export async function loadSchemas(
  { listeners, checkers, transactionalSends }: Discovered,
  { topics = [] }: CheckedOptions,
): Promise<void> {
  const marked = [...listeners, ...checkers, ...transactionalSends].map(({ topic }) => topic);
  const bodies = [...marked, ...topics].map(({ schema }) => schema);
  const answers = listeners.map(({ pattern }) => pattern?.answer);
  await Promise.all([...bodies, ...answers].map((schema) => loadSchema(schema)));
}

function assertAgreed(all: readonly { readonly topic: TopicDefinition; readonly where: string }[]): void {
  const typed = new Map<string, (typeof all)[number]>();
  for (const one of all) {
    const { name, type } = one.topic;
    const first = typed.get(name);
    if (first === undefined && type !== undefined) typed.set(name, one);
    if (first === undefined || type === undefined || first.topic.type === type) continue;
    const text =
      `topic "${name}" is of type ${first.topic.type} for ${first.where}, but of type ${type} for ${one.where}; ` +
      'define it once with defineTopic and use that definition everywhere';
    throw new UsageError('TOPIC_TYPES_DISAGREE', text, 'type');
  }
}
