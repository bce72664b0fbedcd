// Which dead letters a command is about.

import type { Command } from 'commander';
import type { DeadLetterView, SelectOptions } from '../admin/dead-letters/dead-letters.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { type AccessValues, commandOn } from './admin-access.js';
import { assertTopicExists, eachOf, wrongCall } from './command.js';
import { operationsTopicOption } from './failure-command.js';

export type ChoiceValues = AccessValues & {
  id?: readonly string[];
  key?: readonly string[];
  topic?: readonly string[];
  error?: readonly string[];
  operationsTopic?: string;
};

/** Gives a command the options of {@link ChoiceValues}. */
export function choiceOptions(command: Command): Command {
  return command
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

/** @throws UsageError, and an error when the topic of the failures does not exist */
export async function selectOf(
  admin: RocketMQAdmin,
  group: string,
  values: ChoiceValues,
): Promise<NonNullable<SelectOptions['select']>> {
  const { id, key, topic, error, operationsTopic } = values;
  const isMeant = ({ messageId, keys, originTopic }: DeadLetterView): boolean =>
    (id === undefined || id.includes(messageId)) &&
    (key === undefined || key.some((one) => keys.includes(one))) &&
    (topic === undefined || (originTopic !== undefined && topic.includes(originTopic)));
  if (error === undefined) return isMeant;
  if (operationsTopic === undefined) throw wrongCall('--error needs --operations-topic, where the errors are kept');
  await assertTopicExists(admin, operationsTopic, commandOn(values, 'topic', 'list'));
  const { errorNames, latestFailures } = await import('./failure-records.js');
  return async (letter) => {
    if (!isMeant(letter)) return false;
    const failure = (await latestFailures(admin, operationsTopic, group, [letter.messageId])).get(letter.messageId);
    return failure !== undefined && errorNames(failure).some((name) => error.includes(name));
  };
}
