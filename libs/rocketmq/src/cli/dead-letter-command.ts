// `nestjs-rocketmq dlq`: lists and replays the dead letters of a consumer group.

import type { Command } from 'commander';
import type { PlannedReplay, ReplayPlan } from '../admin/dead-letters/dead-letter-plan.js';
import type { ReplayResult } from '../admin/dead-letters/dead-letter-replay.js';
import type { DeadLetterView } from '../admin/dead-letters/dead-letters.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import type { FailureRecord } from '../protocol/model/failure-record.js';
import { describeError } from '../support/logger.js';
import { type AccessValues, accessOptions, commandOn, withAdmin } from './admin-access.js';
import {
  type AddCommand,
  assertGroupExists,
  type CommandIo,
  eachOf,
  plural,
  withExamples,
  yesOption,
} from './command.js';
import { operationsTopicOption } from './failure-command.js';
import { messageTable } from './message-text.js';
import { type PageValues, pageOptions, print, printPage, reportFailures } from './output.js';

export const addDeadLetterCommand: AddCommand = (program, io) => {
  const dlq = program.command('dlq').description('Lists and replays the dead letters of a consumer group.');
  withExamples(dlq, [['dlq list billing', 'the messages that the group failed to handle']]);
  addList(dlq, io);
  addReplay(dlq, io);
};

type ListValues = AccessValues & PageValues & { operationsTopic?: string };

function addList(dlq: Command, io: CommandIo): void {
  const command = dlq
    .command('list')
    .description(
      'Lists the dead letters of a consumer group page by page, which were replayed, and with --operations-topic why they failed. Listing does not consume them.',
    )
    .argument('<group>')
    .addOption(operationsTopicOption());
  accessOptions(pageOptions(command, 'dead letter')).action(async (group: string, values: ListValues) => {
    const { limit, after, operationsTopic } = values;
    const page = await withAdmin(values, io, async (admin) => {
      await assertExists(admin, group, values);
      const { deadLetters, ...others } = await admin.listDeadLetters(group, { limit, after });
      const replayed = await replayedOf(deadLetters, io, () => admin.planReplay(group, { limit, after }));
      const failures = await failuresOf(admin, { group, operationsTopic, deadLetters }, io);
      const listed = deadLetters.map((one) => {
        const failure = failures.get(one.messageId);
        return { ...one, replayed: replayed(one), ...(failure && { failure }) };
      });
      return { ...others, deadLetters: listed };
    });
    const { reasonText } = await import('./failure-records.js');
    const reason = { heading: 'REASON', of: ({ failure }: ListedLetter) => failure && reasonText(failure) };
    const replayed = { heading: 'REPLAYED', of: (one: ListedLetter) => one.replayed };
    const columns = [FROM_TOPIC, replayed, ...(operationsTopic === undefined ? [] : [reason])];
    printPage(io, values, page, () => {
      const letters = messageTable<ListedLetter>(page.deadLetters, columns);
      return `${letters}${page.deadLetters.length} of ${plural(page.total, 'dead letter')}`;
    });
  });
  withExamples(command, [
    ['dlq list billing', 'the oldest first'],
    ['dlq list billing --operations-topic operations', 'with the error of each'],
    ['dlq list billing --limit 100 --json', 'as JSON, with bodies as base64'],
  ]);
}

interface ListedLetter extends DeadLetterView {
  /** `yes`, `no`, or why it cannot be. */
  readonly replayed: string | undefined;
  /** Undefined where none was kept. */
  readonly failure?: FailureRecord;
}

interface ListedFor {
  readonly group: string;
  readonly operationsTopic: string | undefined;
  readonly deadLetters: readonly DeadLetterView[];
}

/** What was kept of the failures of dead letters, by message id. */
async function failuresOf(
  admin: RocketMQAdmin,
  { group, operationsTopic, deadLetters }: ListedFor,
  io: CommandIo,
): Promise<ReadonlyMap<string, FailureRecord>> {
  if (operationsTopic === undefined) return new Map();
  const { latestFailures } = await import('./failure-records.js');
  const ids = deadLetters.map(({ messageId }) => messageId);
  return latestFailures(admin, operationsTopic, group, ids).catch((error: unknown) => {
    io.warn(`why the dead letters failed is not known: ${describeError(error)}`);
    return new Map();
  });
}

/** What a replay would skip or could not send; undefined where a server does not answer. */
async function replayedOf(
  deadLetters: readonly DeadLetterView[],
  io: CommandIo,
  planOf: () => Promise<ReplayPlan>,
): Promise<(one: DeadLetterView) => string | undefined> {
  if (deadLetters.length === 0) return () => undefined;
  try {
    const { planned, replayedBefore, failed } = await planOf();
    const found = new Map([
      ...planned.map(({ deadLetter }) => [placeOf(deadLetter), 'no'] as const),
      ...replayedBefore.map((one) => [placeOf(one), 'yes'] as const),
      ...failed.map(({ deadLetter, error }) => [placeOf(deadLetter), `cannot be: ${error.message}`] as const),
    ]);
    return (one) => found.get(placeOf(one));
  } catch (error) {
    io.warn(`which dead letters were replayed is not known: ${describeError(error)}`);
    return () => undefined;
  }
}

function placeOf({ broker, queueId, queueOffset }: DeadLetterView): string {
  return JSON.stringify([broker, queueId, queueOffset]);
}

type ReplayValues = AccessValues & {
  key?: readonly string[];
  topic?: readonly string[];
  id?: readonly string[];
  again?: boolean;
  onlyThisGroup?: boolean;
  yes?: boolean;
};

function addReplay(dlq: Command, io: CommandIo): void {
  const command = dlq
    .command('replay')
    .description(
      'Sends the dead letters of a consumer group to their original topics again, at least once. Every group of the topic receives them, unless --only-this-group is set. They also stay in the dead letter queue; those that were already replayed are skipped.',
    )
    .argument('<group>')
    .option('--id <id>', 'only the dead letter with this message id; can be repeated', eachOf(String))
    .option('--key <key>', 'only dead letters with this key; can be repeated', eachOf(String))
    .option('--topic <topic>', 'only dead letters of this topic; can be repeated', eachOf(String))
    .option('--again', 'also those that were already replayed')
    .option(
      '--only-this-group',
      'other groups acknowledge them without calling a handler, if their consumers are of this library',
    )
    .addOption(yesOption());
  accessOptions(command).action(async (group: string, values: ReplayValues) => {
    if (values.yes === true) return replay(io, group, values);
    const { planned, replayedBefore, failed } = await withAdmin(values, io, (admin) => planAll(admin, group, values));
    const failures = failed.map(({ deadLetter, error }) => ({ messageId: deadLetter.messageId, error }));
    const total = { planned: planned.map(asPlanned), replayedBefore: replayedBefore.length, failed: failures };
    print(io, values, { consumerGroup: group, done: false, ...total }, () => {
      const letters = planned.map(({ deadLetter }) => deadLetter);
      const counts = `${plural(planned.length, 'dead letter')} would be replayed, ${replayedBefore.length} skipped because they already were, ${failed.length} cannot be replayed`;
      return `${letterTable(letters)}${receiversText(planned, group, values)}${counts}; nothing was sent; add --yes to replay them\n`;
    });
    for (const { messageId, error } of failures) io.warn(`${messageId} cannot be replayed: ${error.message}`);
  });
  withExamples(command, [
    ['dlq replay billing', 'show what would be sent'],
    ['dlq replay billing --yes', 'replay all of them'],
    ['dlq replay billing --topic orders --key order-42 --yes', 'replay those of one order'],
  ]);
}

const PAGE = 100;

/** Works page by page, since a group may have many dead letters. */
async function replay(io: CommandIo, group: string, values: ReplayValues): Promise<void> {
  const total = { replayed: [] as unknown[], replayedBefore: 0, failed: [] as { messageId: string; error: Error }[] };
  await withAdmin(values, io, async (admin) => {
    await assertExists(admin, group, values);
    const options = optionsOf(values);
    let after: string | undefined;
    do {
      const page = await replayPage(admin, group, { ...options, after });
      total.replayed.push(
        ...page.done.replayed.map(({ deadLetter, ...place }) => ({ messageId: deadLetter.messageId, ...place })),
      );
      total.replayedBefore += page.done.replayedBefore.length;
      total.failed.push(
        ...page.done.failed.map(({ deadLetter, error }) => ({ messageId: deadLetter.messageId, error })),
      );
      if (page.error !== undefined) {
        print(io, values, { consumerGroup: group, done: false, ...total }, () => '');
        io.warn(
          `${plural(total.replayed.length, 'dead letter')} replayed before the failure below; running the same command again skips them`,
        );
        throw page.error;
      }
      reportFailures(io, page.done.failures);
      after = page.done.next;
    } while (after !== undefined);
  });
  const { replayed, replayedBefore, failed } = total;
  print(
    io,
    values,
    { consumerGroup: group, done: true, ...total },
    () =>
      `${plural(replayed.length, 'dead letter')} replayed, ${replayedBefore} skipped because they already were, ${failed.length} failed\n`,
  );
  for (const { messageId, error } of failed) {
    io.warn(`${messageId} was not replayed: ${error.message}`);
    io.fail();
  }
}

function optionsOf(values: ReplayValues) {
  const { again = false, onlyThisGroup = false } = values;
  return { select: isChosen(values), again, onlyThisGroup, limit: PAGE };
}

/** What was done on a page, also when the replay was interrupted on it. */
async function replayPage(
  admin: RocketMQAdmin,
  group: string,
  options: Parameters<RocketMQAdmin['replayDeadLetters']>[1],
): Promise<{ readonly done: ReplayResult; readonly error?: Error }> {
  try {
    return { done: await admin.replayDeadLetters(group, options) };
  } catch (error) {
    const { ReplayInterruptedError } = await import('../admin/dead-letters/dead-letter-replay.js');
    if (error instanceof ReplayInterruptedError) return { done: error.done, error };
    throw error;
  }
}

/** The plan of all pages. */
async function planAll(
  admin: RocketMQAdmin,
  group: string,
  values: ReplayValues,
): Promise<Pick<ReplayPlan, 'planned' | 'replayedBefore' | 'failed'>> {
  const planned: PlannedReplay[] = [];
  const replayedBefore: DeadLetterView[] = [];
  const failed: ReplayPlan['failed'][number][] = [];
  await assertExists(admin, group, values);
  const options = optionsOf(values);
  let after: string | undefined;
  do {
    const page = await admin.planReplay(group, { ...options, after });
    const [failure] = page.failures;
    if (failure !== undefined) throw failure.error;
    planned.push(...page.planned);
    replayedBefore.push(...page.replayedBefore);
    failed.push(...page.failed);
    after = page.next;
  } while (after !== undefined);
  return { planned, replayedBefore, failed };
}

/** The dead letters of a group that was deleted are still there. */
async function assertExists(admin: RocketMQAdmin, group: string, values: AccessValues): Promise<void> {
  const { total, failures } = await admin.listDeadLetters(group, { limit: 1 });
  if (total === 0 && failures.length === 0) await assertGroupExists(admin, group, commandOn(values, 'group', 'list'));
}

function asPlanned({ deadLetter, topic, consumerGroups }: PlannedReplay) {
  return { messageId: deadLetter.messageId, topic, consumerGroups };
}

/** Who would receive what is replayed: often more groups than the one that failed. */
function receiversText(planned: readonly PlannedReplay[], group: string, { onlyThisGroup }: ReplayValues): string {
  const byTopic = new Map(planned.map(({ topic, consumerGroups }) => [topic, consumerGroups]));
  const lines = [...byTopic].map(([topic, groups]) => {
    const others = groups.filter((one) => one !== group);
    if (onlyThisGroup !== true || others.length === 0)
      return `topic ${topic} is consumed by: ${groups.join(', ') || 'no group'}\n`;
    return `topic ${topic}: ${group} handles them; consumers of other clients than this library do so too, if there are any in: ${others.join(', ')}\n`;
  });
  return lines.join('');
}

function isChosen({ id, key, topic }: ReplayValues): (deadLetter: DeadLetterView) => boolean {
  return ({ messageId, keys, originTopic }) =>
    (id === undefined || id.includes(messageId)) &&
    (key === undefined || key.some((one) => keys.includes(one))) &&
    (topic === undefined || (originTopic !== undefined && topic.includes(originTopic)));
}

function letterTable(deadLetters: readonly DeadLetterView[]): string {
  return messageTable(deadLetters, [FROM_TOPIC]);
}

const FROM_TOPIC = { heading: 'FROM TOPIC', of: ({ originTopic }: DeadLetterView) => originTopic };
