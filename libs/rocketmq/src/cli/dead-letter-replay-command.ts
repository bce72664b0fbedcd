// `nestjs-rocketmq dlq replay`, and what it has in common with `dlq import`.

import type { Command } from 'commander';
import type { PlannedReplay, ReplayPlan } from '../admin/dead-letters/dead-letter-plan.js';
import type { ReplayResult } from '../admin/dead-letters/dead-letter-replay.js';
import type { DeadLetterView } from '../admin/dead-letters/dead-letters.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { type AccessValues, accessOptions, commandOn, withAdmin } from './admin-access.js';
import { assertGroupExists, type CommandIo, plural, withExamples, wrongCall, yesOption } from './command.js';
import { type ChoiceValues, choiceOptions, selectOf } from './dead-letter-choice.js';
import { messageTable } from './message-text.js';
import { print, reportFailures } from './output.js';

export type SendValues = AccessValues & {
  again?: boolean;
  onlyThisGroup?: boolean;
  yes?: boolean;
};

type ReplayValues = ChoiceValues & SendValues & { allGroups?: boolean };

/** Gives a command the options of {@link SendValues}. */
export function sendOptions(command: Command): Command {
  return command
    .option('--again', 'also those that were already replayed')
    .option(
      '--only-this-group',
      'other groups acknowledge them without calling a handler, if their consumers are of this library',
    )
    .addOption(yesOption());
}

export function addReplay(dlq: Command, io: CommandIo): void {
  const command = dlq
    .command('replay')
    .description(
      'Sends the dead letters of a consumer group to their original topics again, at least once. Every group of the topic receives them, unless --only-this-group is set. They also stay in the dead letter queue; those that were already replayed are skipped.',
    )
    .argument('[group]')
    .option('--all-groups', 'the dead letters of all consumer groups, in place of a group');
  accessOptions(sendOptions(choiceOptions(command))).action(async (group: string | undefined, values: ReplayValues) => {
    if ((group === undefined) !== (values.allGroups === true)) throw wrongCall('name a group, or add --all-groups');
    if (values.yes === true) return replay(io, group, values);
    const plan = await withAdmin(values, io, (admin) => planAll(admin, io, group, values));
    const planned = plan.letters;
    const columns = group === undefined ? [OF_GROUP, FROM_TOPIC] : [FROM_TOPIC];
    printPlan(io, values, plan, subjectOf(group), () => messageTable(planned, columns));
  });
  withExamples(command, [
    ['dlq replay billing', 'show what would be sent'],
    ['dlq replay billing --yes', 'replay all of them'],
    ['dlq replay --all-groups --only-this-group --yes', 'replay those of all groups, each to its group alone'],
    ['dlq replay billing --topic orders --key order-42 --yes', 'replay those of one order'],
    [
      'dlq replay billing --error CardError --operations-topic operations --yes',
      'those that failed by one kind of error',
    ],
  ]);
}

const PAGE = 100;
/** Each is looked up in the topic of the failures, within the time for the page. */
const PAGE_BY_ERROR = 32;

/** Works page by page, since a group may have many dead letters. @param group undefined: all groups */
async function replay(io: CommandIo, group: string | undefined, values: ReplayValues): Promise<void> {
  const total = new ReplayTotal(io, values, subjectOf(group));
  await withAdmin(values, io, async (admin) => {
    for (const one of await groupsOf(admin, io, group, values)) {
      const options = await optionsOf(admin, one, values);
      let after: string | undefined;
      do {
        const done = await total.added(() => admin.replayDeadLetters(one, { ...options, after }));
        reportFailures(io, done.failures);
        after = done.next;
      } while (after !== undefined);
    }
  });
  total.print();
}

function subjectOf(group: string | undefined): Readonly<Record<string, string>> {
  return group === undefined ? {} : { consumerGroup: group };
}

/** The group, or else all of the cluster without the server's own. */
async function groupsOf(
  admin: RocketMQAdmin,
  io: CommandIo,
  group: string | undefined,
  values: AccessValues,
): Promise<readonly string[]> {
  if (group !== undefined) {
    await assertExists(admin, group, values);
    return [group];
  }
  const { groups, failures } = await admin.listGroups();
  reportFailures(io, failures);
  return groups.map(({ consumerGroup }) => consumerGroup);
}

async function optionsOf(admin: RocketMQAdmin, group: string, values: ReplayValues) {
  const { again = false, onlyThisGroup = false, error } = values;
  const limit = error === undefined ? PAGE : PAGE_BY_ERROR;
  return { select: await selectOf(admin, group, values), again, onlyThisGroup, limit };
}

interface FailedLetter {
  readonly consumerGroup: string;
  readonly messageId: string;
  readonly error: Error;
}

function failedOf({ deadLetter, error }: ReplayResult['failed'][number]): FailedLetter {
  return { consumerGroup: deadLetter.consumerGroup, messageId: deadLetter.messageId, error };
}

/** What was replayed so far, of all pages. */
export class ReplayTotal {
  private readonly replayed: unknown[] = [];
  private replayedBefore = 0;
  private readonly failed: FailedLetter[] = [];

  /** @param subject what was replayed, for JSON */
  constructor(
    private readonly io: CommandIo,
    private readonly values: SendValues,
    private readonly subject: Readonly<Record<string, string>>,
  ) {}

  /** Adds what was done on a page, also when the replay was interrupted on it. @throws the error of the replay */
  async added(work: () => Promise<ReplayResult>): Promise<ReplayResult> {
    const { ReplayInterruptedError } = await import('../admin/dead-letters/dead-letter-replay.js');
    try {
      return this.add(await work());
    } catch (error) {
      const isInterrupted = error instanceof ReplayInterruptedError;
      if (isInterrupted) this.add(error.done);
      if (!isInterrupted && this.isEmpty) throw error;
      print(this.io, this.values, this.result(false), () => '');
      const count = plural(this.replayed.length, 'dead letter');
      this.io.warn(`${count} replayed before the failure below; running the same command again skips them`);
      throw error;
    }
  }

  private add(done: ReplayResult): ReplayResult {
    this.replayed.push(
      ...done.replayed.map(({ deadLetter: { consumerGroup, messageId }, ...place }) => {
        return { consumerGroup, messageId, ...place };
      }),
    );
    this.replayedBefore += done.replayedBefore.length;
    this.failed.push(...done.failed.map(failedOf));
    return done;
  }

  private get isEmpty(): boolean {
    return this.replayed.length + this.replayedBefore + this.failed.length === 0;
  }

  private result(done: boolean): object {
    const { subject, replayed, replayedBefore, failed } = this;
    return { ...subject, done, replayed, replayedBefore, failed };
  }

  print(): void {
    const { io, values, replayed, replayedBefore, failed } = this;
    const count = plural(replayed.length, 'dead letter');
    const text = `${count} replayed, ${replayedBefore} skipped because they already were, ${failed.length} failed\n`;
    print(io, values, this.result(true), () => text);
    for (const { messageId, error } of failed) {
      io.warn(`${messageId} was not replayed: ${error.message}`);
      io.fail();
    }
  }
}

/** The plan of all pages, without bodies. */
export class PlanTotal {
  readonly planned: (Omit<PlannedReplay, 'deadLetter'> & Omit<FailedLetter, 'error'>)[] = [];
  replayedBefore = 0;
  readonly failed: FailedLetter[] = [];

  add({ planned, replayedBefore, failed, failures }: ReplayPlan): void {
    const [failure] = failures;
    if (failure !== undefined) throw failure.error;
    for (const { deadLetter, topic, consumerGroups } of planned) {
      const { consumerGroup, messageId } = deadLetter;
      this.planned.push({ consumerGroup, messageId, topic, consumerGroups });
    }
    this.replayedBefore += replayedBefore.length;
    this.failed.push(...failed.map(failedOf));
  }
}

/** @param lettersText the dead letters themselves */
export function printPlan(
  io: CommandIo,
  values: SendValues,
  { planned, replayedBefore, failed }: PlanTotal,
  subject: Readonly<Record<string, string>>,
  lettersText: () => string,
): void {
  print(io, values, { ...subject, done: false, planned, replayedBefore, failed }, () => {
    const counts = `${plural(planned.length, 'dead letter')} would be replayed, ${replayedBefore} skipped because they already were, ${failed.length} cannot be replayed`;
    return `${lettersText()}${receiversText(planned, values)}${counts}; nothing was sent; add --yes to replay them\n`;
  });
  for (const { messageId, error } of failed) io.warn(`${messageId} cannot be replayed: ${error.message}`);
}

/** The plan of all pages. @param group undefined: all groups */
async function planAll(admin: RocketMQAdmin, io: CommandIo, group: string | undefined, values: ReplayValues) {
  const letters: DeadLetterView[] = [];
  const total = new PlanTotal();
  for (const one of await groupsOf(admin, io, group, values)) {
    const options = await optionsOf(admin, one, values);
    let after: string | undefined;
    do {
      const page = await admin.planReplay(one, { ...options, after });
      total.add(page);
      letters.push(...page.planned.map(({ deadLetter }) => deadLetter));
      after = page.next;
    } while (after !== undefined);
  }
  return Object.assign(total, { letters });
}

/** The dead letters of a group that was deleted are still there. */
export async function assertExists(admin: RocketMQAdmin, group: string, values: AccessValues): Promise<void> {
  const { total, failures } = await admin.listDeadLetters(group, { limit: 1 });
  if (total === 0 && failures.length === 0) await assertGroupExists(admin, group, commandOn(values, 'group', 'list'));
}

/** Who would receive what is replayed: often more groups than the one that failed. */
function receiversText(planned: PlanTotal['planned'], { onlyThisGroup }: SendValues): string {
  const byTopic = new Map(planned.map((one) => [JSON.stringify([one.topic, one.consumerGroup]), one]));
  const lines = [...byTopic.values()].map(({ topic, consumerGroup: group, consumerGroups }) => {
    const others = consumerGroups.filter((one) => one !== group);
    if (onlyThisGroup !== true || others.length === 0)
      return `topic ${topic} is consumed by: ${consumerGroups.join(', ') || 'no group'}\n`;
    return `topic ${topic}: ${group} handles them; consumers of other clients than this library do so too, if there are any in: ${others.join(', ')}\n`;
  });
  return [...new Set(lines)].join('');
}

export const FROM_TOPIC = { heading: 'FROM TOPIC', of: ({ originTopic }: DeadLetterView) => originTopic };

const OF_GROUP = { heading: 'GROUP', of: ({ consumerGroup }: DeadLetterView) => consumerGroup };
