// `nestjs-rocketmq dlq`: lists the dead letters of a consumer group. dead-letter-replay-command.ts sends them again, and
// dead-letter-file-command.ts keeps them in a file.

import type { Command } from 'commander';
import type { LettersPlan } from '../admin/dead-letters/dead-letter-plan.js';
import type { DeadLetterView } from '../admin/dead-letters/dead-letters.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import type { FailureRecord } from '../protocol/model/failure-record.js';
import { describeError } from '../support/logger.js';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type AddCommand, type CommandIo, plural, withExamples } from './command.js';
import { assertExists } from './dead-letter-choice.js';
import { addExport, addImport } from './dead-letter-file-command.js';
import { addReplay, FROM_TOPIC } from './dead-letter-replay-command.js';
import { operationsTopicOption } from './failure-command.js';
import { messageTable } from './message-text.js';
import { type PageValues, pageOptions, printPage } from './output.js';

export const addDeadLetterCommand: AddCommand = (program, io) => {
  const dlq = program.command('dlq').description('Lists, replays and exports the dead letters of a consumer group.');
  withExamples(dlq, [['dlq list billing', 'the messages that the group failed to handle']]);
  addList(dlq, io);
  addReplay(dlq, io);
  addExport(dlq, io);
  addImport(dlq, io);
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
      const replayed = await replayedOf(deadLetters, io, () => admin.planReplayOf(group, deadLetters));
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
  planOf: () => Promise<LettersPlan>,
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
