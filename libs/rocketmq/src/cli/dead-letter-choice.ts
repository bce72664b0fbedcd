// Which dead letters a command is about.

import type { Command } from 'commander';
import type { DeadLetterView, SelectOptions } from '../admin/dead-letters/dead-letters.js';
import type { BrokerFailure } from '../admin/each-broker.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import type { FailureRecord } from '../protocol/model/failure-record.js';
import { type AccessValues, commandOn } from './admin-access.js';
import { assertGroupExists, assertTopicExists, eachOf, wrongCall } from './command.js';
import { operationsTopicOption } from './failure-command.js';

export type ChoiceValues = AccessValues & {
  allGroups?: boolean;
  id?: readonly string[];
  key?: readonly string[];
  topic?: readonly string[];
  error?: readonly string[];
  operationsTopic?: string;
};

/** Gives a command the options of {@link ChoiceValues}. */
export function choiceOptions(command: Command): Command {
  return command
    .option('--all-groups', 'the dead letters of all consumer groups, in place of a group')
    .option('--id <id>', 'only the dead letter with this message id; can be repeated', eachOf(String))
    .option('--key <key>', 'only dead letters with this key; can be repeated', eachOf(String))
    .option('--topic <topic>', 'only dead letters of this topic; can be repeated', eachOf(String))
    .option(
      '--error <name>',
      'only those that failed by this error, by the name that failure list shows, with or without its code; needs --operations-topic; can be repeated',
      eachOf(String),
    )
    .addOption(operationsTopicOption());
}

export interface Choice {
  readonly isMeant: (letter: DeadLetterView) => boolean;
  /** Undefined when the error does not matter. */
  readonly byError: { readonly topic: string; matches(failure: FailureRecord | undefined): boolean } | undefined;
}

/** @throws UsageError, and an error when the topic of the failures does not exist */
export async function choiceOf(admin: RocketMQAdmin, values: ChoiceValues): Promise<Choice> {
  const { id, key, topic, error, operationsTopic } = values;
  const isMeant = ({ messageId, keys, originTopic }: DeadLetterView): boolean =>
    (id === undefined || id.includes(messageId)) &&
    (key === undefined || key.some((one) => keys.includes(one))) &&
    (topic === undefined || (originTopic !== undefined && topic.includes(originTopic)));
  if (error === undefined) return { isMeant, byError: undefined };
  if (operationsTopic === undefined) throw wrongCall('--error needs --operations-topic, where the errors are kept');
  await assertTopicExists(admin, operationsTopic, commandOn(values, 'topic', 'list'));
  const { errorNames } = await import('./failure-records.js');
  const matches = (failure: FailureRecord | undefined): boolean =>
    failure !== undefined && errorNames(failure).some((name) => error.includes(name));
  return { isMeant, byError: { topic: operationsTopic, matches } };
}

/** Looks up the error of each that is meant otherwise. */
export function selectOf(
  admin: RocketMQAdmin,
  group: string,
  { isMeant, byError }: Choice,
): NonNullable<SelectOptions['select']> {
  if (byError === undefined) return isMeant;
  return async (letter) => {
    if (!isMeant(letter)) return false;
    const { latestFailures } = await import('./failure-records.js');
    const failures = await latestFailures(admin, byError.topic, group, [letter.messageId]);
    return byError.matches(failures.get(letter.messageId));
  };
}

/** The group, or else all that have a dead letter queue, also those that were deleted, by name. */
export async function groupsOf(
  admin: RocketMQAdmin,
  group: string | undefined,
  values: AccessValues,
): Promise<{ readonly groups: readonly string[]; readonly failures: readonly BrokerFailure[] }> {
  if (group !== undefined) {
    await assertExists(admin, group, values);
    return { groups: [group], failures: [] };
  }
  const { DEAD_LETTER_PREFIX } = await import('../protocol/model/names.js');
  const { topics, failures } = await admin.listTopics({ includeSystem: true });
  const queues = topics.filter(({ kind }) => kind === 'dead-letter');
  return { groups: queues.map(({ topic }) => topic.slice(DEAD_LETTER_PREFIX.length)).sort(), failures };
}

/** The dead letters of a group that was deleted are still there. */
export async function assertExists(admin: RocketMQAdmin, group: string, values: AccessValues): Promise<void> {
  const { total, failures } = await admin.listDeadLetters(group, { limit: 1 });
  if (total === 0 && failures.length === 0) await assertGroupExists(admin, group, commandOn(values, 'group', 'list'));
}

/** What a command was about, for JSON. @param group undefined: all groups */
export function subjectOf(group: string | undefined): Readonly<Record<string, string>> {
  return group === undefined ? {} : { consumerGroup: group };
}
