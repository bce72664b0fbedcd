// `nestjs-rocketmq dlq`: lists the dead letters of a consumer group. dead-letter-replay-command.ts sends them again, and
// dead-letter-file-command.ts keeps them in a file.

import type { Command } from 'commander';
import type { ReplayPlan } from '../admin/dead-letters/dead-letter-plan.js';
import type { DeadLetterView } from '../admin/dead-letters/dead-letters.js';
import type { BrokerFailure } from '../admin/each-broker.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import type { FailureRecord } from '../protocol/model/failure-record.js';
import { describeError } from '../support/logger.js';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type AddCommand, type CommandIo, plural, withExamples } from './command.js';
import { allGroupsOption, assertOneScope, placeOf, scopeOf, startsOf } from './dead-letter-choice.js';
import { addExport, addImport } from './dead-letter-file-command.js';
import { addReplay, FROM_TOPIC, OF_GROUP } from './dead-letter-replay-command.js';
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

type ListValues = AccessValues & PageValues & { allGroups?: boolean; operationsTopic?: string };

function addList(dlq: Command, io: CommandIo): void {
  const command = dlq
    .command('list')
    .description(
      'Lists the dead letters of a consumer group page by page, which were replayed, and with --operations-topic why they failed. Listing does not consume them.',
    )
    .usage('[options] <group>|--all-groups')
    .argument('[group]')
    .addOption(allGroupsOption())
    .addOption(operationsTopicOption());
  accessOptions(pageOptions(command, 'dead letter')).action(async (group: string | undefined, values: ListValues) => {
    assertOneScope(group, values);
    const { operationsTopic } = values;
    const page = await withAdmin(values, io, async (admin) => listOf(admin, group, values, io));
    const { reasonText } = await import('./failure-records.js');
    const reason = { heading: 'REASON', of: ({ failure }: ListedLetter) => failure && reasonText(failure) };
    const replayed = { heading: 'REPLAYED', of: (one: ListedLetter) => one.replayed };
    const columns = [
      ...(group === undefined ? [OF_GROUP] : []),
      FROM_TOPIC,
      replayed,
      ...(operationsTopic === undefined ? [] : [reason]),
    ];
    printPage(io, values, page, () => {
      const { deadLetters, total } = page;
      const letters = messageTable<ListedLetter>(deadLetters, columns);
      const count = plural(total ?? deadLetters.length, 'dead letter');
      return `${letters}${total === undefined ? '' : `${deadLetters.length} of `}${count}`;
    });
  });
  withExamples(command, [
    ['dlq list billing', 'the oldest first'],
    ['dlq list --all-groups', 'those of all groups, one group after another'],
    ['dlq list billing --operations-topic operations', 'with the error of each'],
    ['dlq list billing --limit 100 --json', 'as JSON, with bodies as base64'],
  ]);
}

interface ListedPage {
  readonly deadLetters: readonly ListedLetter[];
  readonly next: string | undefined;
  /** Of one group. */
  readonly total?: number;
  readonly failures: readonly BrokerFailure[];
}

/** @param group undefined: all groups */
async function listOf(
  admin: RocketMQAdmin,
  group: string | undefined,
  values: ListValues,
  io: CommandIo,
): Promise<ListedPage> {
  const scope = await scopeOf(admin, group, values);
  const failures = 'groups' in scope ? [...scope.failures] : [];
  const deadLetters: ListedLetter[] = [];
  for (const { group: one, after: start } of await startsOf(admin, scope, values.after)) {
    let after = start;
    do {
      const limit = values.limit - deadLetters.length;
      if (limit === 0) return { deadLetters, next: placeOf(scope, one, after), failures };
      const page = await admin.listDeadLetters(one, { limit, after });
      deadLetters.push(...(await listedOf(admin, one, page.deadLetters, values, io)));
      failures.push(...page.failures.filter(({ name }) => failures.every((known) => known.name !== name)));
      if ('group' in scope) return { ...page, deadLetters };
      after = page.next;
    } while (after !== undefined);
  }
  return { deadLetters, next: undefined, failures };
}

async function listedOf(
  admin: RocketMQAdmin,
  group: string,
  deadLetters: readonly DeadLetterView[],
  { operationsTopic }: ListValues,
  io: CommandIo,
): Promise<readonly ListedLetter[]> {
  const replayed = await replayedOf(deadLetters, io, () => admin.planReplayOf(deadLetters));
  const failures = await failuresOf(admin, { group, operationsTopic, deadLetters }, io);
  return deadLetters.map((one) => {
    const failure = failures.get(one.messageId);
    return { ...one, replayed: replayed(one), ...(failure && { failure }) };
  });
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
  if (operationsTopic === undefined || deadLetters.length === 0) return new Map();
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
      ...planned.map(({ deadLetter }) => [keyOf(deadLetter), 'no'] as const),
      ...replayedBefore.map((one) => [keyOf(one), 'yes'] as const),
      ...failed.map(({ deadLetter, error }) => [keyOf(deadLetter), `cannot be: ${error.message}`] as const),
    ]);
    return (one) => found.get(keyOf(one));
  } catch (error) {
    io.warn(`which dead letters were replayed is not known: ${describeError(error)}`);
    return () => undefined;
  }
}

function keyOf({ broker, queueId, queueOffset }: DeadLetterView): string {
  return JSON.stringify([broker, queueId, queueOffset]);
}
