// `nestjs-rocketmq dlq`: the dead letters of a consumer group, read and sent again.

import type { Command } from 'commander';
import type { ReplayResult } from '../admin/dead-letter-replay.js';
import type { DeadLetter } from '../admin/dead-letters.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type AddCommand, type CommandIo, countOf, eachOf, plural, withExamples, yesOption } from './command.js';
import { messageTable } from './message-text.js';
import { print, tellFailures } from './output.js';

export const addDeadLetterCommand: AddCommand = (program, io) => {
  const dlq = program.command('dlq').description('Reads the dead letters of a consumer group, and sends them again.');
  withExamples(dlq, [['dlq list billing', 'what the group did not manage']]);
  addList(dlq, io);
  addReplay(dlq, io);
};

type ListValues = AccessValues & { limit: number; after?: string };

function addList(dlq: Command, io: CommandIo): void {
  const command = dlq
    .command('list')
    .description('Lists the dead letters of a consumer group page by page. Reading does not consume them.')
    .argument('<group>')
    .option('--limit <count>', 'the most dead letters of a page, up to 100', countOf, 32)
    .option('--after <position>', 'where the page before ended');
  accessOptions(command).action(async (group: string, values: ListValues) => {
    const { limit, after } = values;
    const page = await withAdmin(values, io, (admin) => admin.listDeadLetters(group, { limit, after }));
    print(io, values, page, () => {
      const next = page.next === undefined ? '' : `; go on with --after ${page.next}`;
      return `${letterTable(page.deadLetters)}${page.deadLetters.length} of ${plural(page.total, 'dead letter')}${next}\n`;
    });
    tellFailures(io, page.failures);
  });
  withExamples(command, [
    ['dlq list billing', 'the oldest first'],
    ['dlq list billing --limit 100 --json', 'for a program, bodies as base64'],
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
      'Sends the dead letters of a consumer group to the topics that they came from, at least once. Every group of the topic gets them. They stay among the dead letters; what was sent again before is left alone.',
    )
    .argument('<group>')
    .option('--id <id>', 'only the one with this message id; may be repeated', eachOf(String))
    .option('--key <key>', 'only those with this key; may be repeated', eachOf(String))
    .option('--topic <topic>', 'only those of this topic; may be repeated', eachOf(String))
    .option('--again', 'also those that were sent again before')
    .addOption(yesOption());
  accessOptions(command).action(async (group: string, values: ReplayValues) => {
    if (values.yes === true) return replay(io, group, values);
    const chosen = await withAdmin(values, io, (admin) => allChosen(admin, group, values));
    print(
      io,
      values,
      { consumerGroup: group, done: false, deadLetters: chosen },
      () =>
        `${letterTable(chosen)}${plural(chosen.length, 'dead letter')} would be sent again, unless that was done before; nothing was sent: repeat it with --yes\n`,
    );
  });
  withExamples(command, [
    ['dlq replay billing', 'what would be sent'],
    ['dlq replay billing --yes', 'sends all of them'],
    ['dlq replay billing --topic orders --key order-42 --yes', 'those of one order'],
  ]);
}

const PAGE = 100;

/** Page by page, since the dead letters of a group may be many. */
async function replay(io: CommandIo, group: string, values: ReplayValues): Promise<void> {
  const total = { replayed: [] as unknown[], replayedBefore: 0, failed: [] as { messageId: string; error: Error }[] };
  await withAdmin(values, io, async (admin) => {
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
          `${plural(total.replayed.length, 'dead letter')} sent again before this failed; the same command leaves them alone`,
        );
        throw page.error;
      }
      tellFailures(io, page.done.failures);
      after = page.done.next;
    } while (after !== undefined);
  });
  const { replayed, replayedBefore, failed } = total;
  print(
    io,
    values,
    { consumerGroup: group, done: true, ...total },
    () =>
      `${plural(replayed.length, 'dead letter')} sent again, ${replayedBefore} left alone since they were before, ${failed.length} cannot be sent\n`,
  );
  for (const { messageId, error } of failed) {
    io.warn(`${messageId} stays: ${error.message}`);
    io.fail();
  }
}

/** What a page did, also when it ended half-way. */
async function replayPage(
  admin: RocketMQAdmin,
  group: string,
  options: Parameters<RocketMQAdmin['replayDeadLetters']>[1],
): Promise<{ readonly done: ReplayResult; readonly error?: Error }> {
  try {
    return { done: await admin.replayDeadLetters(group, options) };
  } catch (error) {
    const { ReplayInterruptedError } = await import('../admin/dead-letter-replay.js');
    if (error instanceof ReplayInterruptedError) return { done: error.done, error };
    throw error;
  }
}

async function allChosen(admin: RocketMQAdmin, group: string, values: ReplayValues): Promise<DeadLetter[]> {
  const chosen: DeadLetter[] = [];
  const wanted = isChosen(values);
  let after: string | undefined;
  do {
    const page = await admin.listDeadLetters(group, { limit: PAGE, after });
    const [failure] = page.failures;
    if (failure !== undefined) throw failure.error;
    chosen.push(...page.deadLetters.filter(wanted));
    after = page.next;
  } while (after !== undefined);
  return chosen;
}

function isChosen({ id, key, topic }: ReplayValues): (deadLetter: DeadLetter) => boolean {
  return ({ messageId, keys, originTopic }) =>
    (id === undefined || id.includes(messageId)) &&
    (key === undefined || key.some((one) => keys.includes(one))) &&
    (topic === undefined || (originTopic !== undefined && topic.includes(originTopic)));
}

function letterTable(deadLetters: readonly DeadLetter[]): string {
  return messageTable(deadLetters, { heading: 'FROM TOPIC', of: ({ originTopic }) => originTopic });
}
