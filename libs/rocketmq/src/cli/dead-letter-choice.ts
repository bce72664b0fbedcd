// Which dead letters a command is about.

import { type Command, Option } from 'commander';
import type { DeadLetterView, SelectOptions } from '../admin/dead-letters/dead-letters.js';
import type { BrokerFailure } from '../admin/each-broker.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import type { FailureRecord } from '../protocol/model/failure-record.js';
import { UsageError } from '../support/errors.js';
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

export function allGroupsOption(): Option {
  return new Option('--all-groups', 'the dead letters of all consumer groups, in place of a group');
}

/** @throws UsageError */
export function assertOneScope(group: string | undefined, { allGroups = false }: { allGroups?: boolean }): void {
  if ((group === undefined) !== allGroups) throw wrongCall('name a group, or add --all-groups');
}

/** Gives a command the options of {@link ChoiceValues}. */
export function choiceOptions(command: Command): Command {
  return command
    .addOption(allGroupsOption())
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
  const { consumerGroups, failures } = await admin.listDeadLetterQueues();
  return { groups: consumerGroups, failures };
}

/** One group, or all of the cluster in the order of their names. */
export type Scope =
  | { readonly group: string }
  | { readonly groups: readonly string[]; readonly failures: readonly BrokerFailure[] };

/** The same, from the command line. @param group undefined: all groups */
export async function scopeOf(admin: RocketMQAdmin, group: string | undefined, values: AccessValues): Promise<Scope> {
  const { groups, failures } = await groupsOf(admin, group, values);
  return group === undefined ? { groups, failures } : { group };
}

interface Start {
  readonly group: string;
  readonly after: string | undefined;
}

/** @param after a position of the group; of all groups `GROUP` or `GROUP/POSITION` @throws UsageError for one that is not there */
export async function startsOf(
  admin: RocketMQAdmin,
  scope: Scope,
  after: string | undefined,
): Promise<readonly Start[]> {
  if ('group' in scope) {
    const { group } = scope;
    if (after !== undefined) await assertPosition(admin, group, after, (problem) => `--after is ${problem}`);
    return [{ group, after }];
  }
  const all = scope.groups.map((group): Start => ({ group, after: undefined }));
  if (after === undefined) return all;
  const slash = after.indexOf('/');
  const [group, position] = slash < 0 ? [after] : [after.slice(0, slash), after.slice(slash + 1)];
  const index = scope.groups.indexOf(group);
  const given = `--after is "${after}"`;
  const wanted = 'of all groups, it is GROUP/POSITION, or GROUP to begin with its first dead letter';
  if (index < 0) throw wrongCall(`${given}, but there are no dead letters of a group "${group}"; ${wanted}`);
  if (position !== undefined)
    await assertPosition(admin, group, position, (problem) => `${given}, whose position is ${problem}; ${wanted}`);
  return [{ group, after: position }, ...all.slice(index + 1)];
}

/** Where a command begins at this position. @param position undefined: at the first of the group */
export function placeOf(scope: Scope, group: string, position: string | undefined): string | undefined {
  if ('group' in scope) return position;
  return position === undefined ? group : `${group}/${position}`;
}

/** The page that begins there is read before anything is written. @throws UsageError that names the option */
async function assertPosition(
  admin: RocketMQAdmin,
  group: string,
  position: string,
  problemOf: (problem: string) => string,
): Promise<void> {
  try {
    await admin.listDeadLetters(group, { limit: 1, after: position });
  } catch (error) {
    if (!(error instanceof UsageError) || error.field !== 'after') throw error;
    throw wrongCall(problemOf(error.message.replace(`[${error.code}] after is `, '')));
  }
}

/** The dead letters of a group that was deleted are still there. */
async function assertExists(admin: RocketMQAdmin, group: string, values: AccessValues): Promise<void> {
  const { total, failures } = await admin.listDeadLetters(group, { limit: 1 });
  if (total === 0 && failures.length === 0) await assertGroupExists(admin, group, commandOn(values, 'group', 'list'));
}

/** What a command was about, for JSON. @param group undefined: all groups */
export function subjectOf(group: string | undefined): Readonly<Record<string, string>> {
  return group === undefined ? {} : { consumerGroup: group };
}
