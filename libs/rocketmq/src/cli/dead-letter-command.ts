// `nestjs-rocketmq dlq`: lists and replays the dead letters of a consumer group.

import type { Command } from 'commander';
import type { PlannedReplay, ReplayPlan } from '../admin/dead-letters/dead-letter-plan.js';
import type { ReplayResult } from '../admin/dead-letters/dead-letter-replay.js';
import type { DeadLetterView } from '../admin/dead-letters/dead-letters.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
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
import { messageTable } from './message-text.js';
import { type PageValues, pageOptions, print, printPage, reportFailures } from './output.js';

export const addDeadLetterCommand: AddCommand = (program, io) => {
  const dlq = program.command('dlq').description('Lists and replays the dead letters of a consumer group.');
  withExamples(dlq, [['dlq list billing', 'the messages that the group failed to handle']]);
  addList(dlq, io);
  addReplay(dlq, io);
};

type ListValues = AccessValues & PageValues;

function addList(dlq: Command, io: CommandIo): void {
  const command = dlq
    .command('list')
    .description('Lists the dead letters of a consumer group page by page. Listing does not consume them.')
    .argument('<group>');
  accessOptions(pageOptions(command, 'dead letter')).action(async (group: string, values: ListValues) => {
    const { limit, after } = values;
    const page = await withAdmin(values, io, async (admin) => {
      await assertExists(admin, group, values);
      return admin.listDeadLetters(group, { limit, after });
    });
    printPage(
      io,
      values,
      page,
      () => `${letterTable(page.deadLetters)}${page.deadLetters.length} of ${plural(page.total, 'dead letter')}`,
    );
  });
  withExamples(command, [
    ['dlq list billing', 'the oldest first'],
    ['dlq list billing --limit 100 --json', 'as JSON, with bodies as base64'],
  ]);
}

type ReplayValues = AccessValues & {
  key?: readonly string[];
  topic?: readonly string[];
  id?: readonly string[];
  again?: boolean;
  yes?: boolean;
};

function addReplay(dlq: Command, io: CommandIo): void {
  const command = dlq
    .command('replay')
    .description(
      'Sends the dead letters of a consumer group to their original topics again, at least once. Every group of the topic receives them. They also stay in the dead letter queue; those that were already replayed are skipped.',
    )
    .argument('<group>')
    .option('--id <id>', 'only the dead letter with this message id; can be repeated', eachOf(String))
    .option('--key <key>', 'only dead letters with this key; can be repeated', eachOf(String))
    .option('--topic <topic>', 'only dead letters of this topic; can be repeated', eachOf(String))
    .option('--again', 'also those that were already replayed')
    .addOption(yesOption());
  accessOptions(command).action(async (group: string, values: ReplayValues) => {
    if (values.yes === true) return replay(io, group, values);
    const { planned, replayedBefore, failed } = await withAdmin(values, io, (admin) => planAll(admin, group, values));
    const failures = failed.map(({ deadLetter, error }) => ({ messageId: deadLetter.messageId, error }));
    const total = { planned: planned.map(asPlanned), replayedBefore: replayedBefore.length, failed: failures };
    print(io, values, { consumerGroup: group, done: false, ...total }, () => {
      const letters = planned.map(({ deadLetter }) => deadLetter);
      const counts = `${plural(planned.length, 'dead letter')} would be replayed, ${replayedBefore.length} skipped because they already were, ${failed.length} cannot be replayed`;
      return `${letterTable(letters)}${receiversText(planned)}${counts}; nothing was sent; add --yes to replay them\n`;
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
    const options = { select: isChosen(values), again: values.again === true, limit: PAGE };
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
  const options = { select: isChosen(values), again: values.again === true, limit: PAGE };
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
function receiversText(planned: readonly PlannedReplay[]): string {
  const byTopic = new Map(planned.map(({ topic, consumerGroups }) => [topic, consumerGroups]));
  const lines = [...byTopic].map(
    ([topic, groups]) => `topic ${topic} is consumed by: ${groups.join(', ') || 'no group'}\n`,
  );
  return lines.join('');
}

function isChosen({ id, key, topic }: ReplayValues): (deadLetter: DeadLetterView) => boolean {
  return ({ messageId, keys, originTopic }) =>
    (id === undefined || id.includes(messageId)) &&
    (key === undefined || key.some((one) => keys.includes(one))) &&
    (topic === undefined || (originTopic !== undefined && topic.includes(originTopic)));
}

function letterTable(deadLetters: readonly DeadLetterView[]): string {
  return messageTable(deadLetters, { heading: 'FROM TOPIC', of: ({ originTopic }) => originTopic });
}
