// `nestjs-rocketmq dlq replay`, and what it has in common with `dlq import`.
// Over 300 lines: a replay and its plan, which count and say the same.

import type { Command } from 'commander';
import type { PlannedReplay, ReplayPlan } from '../admin/dead-letters/dead-letter-plan.js';
import type { ReplayInterruptedError, ReplayOptions, ReplayResult } from '../admin/dead-letters/dead-letter-replay.js';
import type { DeadLetterView } from '../admin/dead-letters/dead-letters.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { RocketMQError } from '../support/errors.js';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type CommandIo, plural, withExamples, yesOption } from './command.js';
import {
  assertOneScope,
  type ChoiceValues,
  choiceOf,
  choiceOptions,
  groupsOf,
  selectOf,
  subjectOf,
} from './dead-letter-choice.js';
import { MessageTable } from './message-text.js';
import { print, reportFailures } from './output.js';
import { SignalError, unlessStopped, withSignals } from './until-stopped.js';

export type SendValues = AccessValues & {
  again?: boolean;
  onlyThisGroup?: boolean;
  yes?: boolean;
};

type ReplayValues = ChoiceValues & SendValues;

/** Gives a command the options of {@link SendValues}. */
export function sendOptions(command: Command): Command {
  return command
    .option(
      '--again',
      'also those that were already replayed; one whose send is not answered is sent once more, so that it may arrive twice',
    )
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
    .argument('[group]');
  accessOptions(sendOptions(choiceOptions(command))).action(async (group: string | undefined, values: ReplayValues) => {
    assertOneScope(group, values);
    await (values.yes === true ? replay : plan)(io, group, values);
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

/** A page that the deadline ends is read again: a small one costs less. */
const PAGE = 32;

/** @param group undefined: all groups */
async function replay(io: CommandIo, group: string | undefined, values: ReplayValues): Promise<void> {
  const total = new ReplayTotal(io, values, subjectOf(group));
  await withSignals((signal) =>
    eachPage({ io, group, values, signal, total }, (admin, one, options) => total.added(admin, one, options)),
  );
  total.print();
}

/** @param group undefined: all groups */
async function plan(io: CommandIo, group: string | undefined, values: ReplayValues): Promise<void> {
  const columns = group === undefined ? [OF_GROUP, FROM_TOPIC] : [FROM_TOPIC];
  const table = values.json === true ? undefined : new MessageTable<DeadLetterView>(columns);
  const total = new PlanTotal();
  const sent = new ReplayTotal(io, values, subjectOf(group));
  await withSignals((signal) =>
    eachPage({ io, group, values, signal, total: sent }, async (admin, one, options) => {
      const page = await sent.before(signal, () => admin.planReplay(one, options));
      total.add(page);
      for (const { deadLetter } of page.planned) table?.add(deadLetter);
      return page.next;
    }),
  );
  printPlan(io, values, total, subjectOf(group), () => table?.text() ?? '');
}

type SignaledOptions = ReplayOptions & { readonly signal: AbortSignal };

interface Pages {
  readonly io: CommandIo;
  /** Undefined: all groups. */
  readonly group: string | undefined;
  readonly values: ReplayValues;
  readonly signal: AbortSignal;
  /** What was sent so far. */
  readonly total: ReplayTotal;
}

/** Page by page, since a group may have many. @param work returns where the next page begins, undefined at the end */
async function eachPage(
  { io, group, values, signal, total }: Pages,
  work: (admin: RocketMQAdmin, group: string, options: SignaledOptions) => Promise<string | undefined>,
): Promise<void> {
  const { again = false, onlyThisGroup = false } = values;
  await withAdmin(values, io, async (admin) => {
    const { groups, choice } = await total.before(signal, async () => {
      const { failures, ...found } = await groupsOf(admin, group, values);
      reportFailures(io, failures);
      return { ...found, choice: await choiceOf(admin, values) };
    });
    for (const one of groups) {
      const select = selectOf(admin, one, choice);
      let after: string | undefined;
      do {
        after = await work(admin, one, { select, again, onlyThisGroup, limit: PAGE, after, signal });
      } while (after !== undefined);
    }
  });
}

interface FailedLetter {
  readonly consumerGroup: string;
  readonly messageId: string;
  readonly error: Error;
}

function failedOf({ deadLetter, error }: ReplayResult['failed'][number]): FailedLetter {
  return { consumerGroup: deadLetter.consumerGroup, messageId: deadLetter.messageId, error };
}

/** An interrupted replay in terms of the command line, which has no position to continue at. */
class ReplayEndedError extends RocketMQError {
  constructor({ code, cause, outcome, retryable }: ReplayInterruptedError, advice: string) {
    super(code, `the replay ended early: ${(cause as Error).message}${advice}`, outcome, retryable, { cause });
  }
}

function nameOf({ messageId, consumerGroup }: DeadLetterView): string {
  return `${messageId} of ${consumerGroup}`;
}

function isDeadline(error: unknown): error is RocketMQError {
  return RocketMQError.is(error) && error.code === 'DEADLINE_EXCEEDED';
}

/** What the next call begins with: the dead letter at which this one ended. @param finished how many came before it */
function restOf({ exported }: ReplayOptions, { next }: ReplayResult, finished: number): ReplayOptions {
  return exported === undefined ? { after: next } : { exported: exported.slice(finished) };
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

  /**
   * Replays a page, and adds what was done, also when the replay was interrupted on it. A page that the deadline ends continues with a
   * new one, as long as each has finished a dead letter.
   * @returns where the next page begins, undefined at the end
   * @throws the error of the replay, with what to do about it; the reason of the signal
   */
  async added(admin: RocketMQAdmin, group: string, options: SignaledOptions): Promise<string | undefined> {
    const { ReplayInterruptedError } = await import('../admin/dead-letters/dead-letter-replay.js');
    let rest = options;
    let inFlight: DeadLetterView | undefined;
    for (;;) {
      let begun = 0;
      const select = async (letter: DeadLetterView): Promise<boolean> => {
        begun++;
        return unlessStopped(options.signal, Promise.resolve(options.select?.(letter) ?? true));
      };
      try {
        return this.add(await admin.replayDeadLetters(group, { ...rest, select })).next;
      } catch (error) {
        const interrupted = error instanceof ReplayInterruptedError ? error : undefined;
        const finished = begun - 1;
        // The one in flight is the first of the next call: until that has finished it, nothing more is known of it.
        inFlight = interrupted?.inFlight ?? (finished < 1 ? inFlight : undefined);
        if (interrupted !== undefined) this.add(interrupted.done);
        if (options.signal.aborted) throw this.ended('before the signal', options.signal.reason, interrupted, inFlight);
        if (interrupted === undefined || finished < 1 || !isDeadline(interrupted.cause)) {
          const advised = this.withAdvice(error, interrupted);
          throw this.ended('before the failure below', advised, interrupted, inFlight);
        }
        if (this.values.again === true && interrupted.inFlight !== undefined)
          this.io.warn(
            `whether ${nameOf(interrupted.inFlight)} was sent is unknown; it is sent once more, and may arrive twice`,
          );
        rest = { ...rest, ...restOf(rest, interrupted.done, finished) };
      }
    }
  }

  /** Work that sends nothing: when a signal ends it, the command says so. */
  async before<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await unlessStopped(signal, work());
    } catch (error) {
      throw signal.aborted ? this.ended('before the signal', signal.reason) : error;
    }
  }

  /** Prints what was done when a replay ends early. @returns the error to throw */
  ended(when: string, error: unknown, interrupted?: ReplayInterruptedError, inFlight?: DeadLetterView): unknown {
    const isOfSignal = error instanceof SignalError;
    const hasDone = !this.isEmpty || inFlight !== undefined;
    if (!isOfSignal && interrupted === undefined && !hasDone) return error;
    print(this.io, this.values, this.result(false), () => '');
    const count = plural(this.replayed.length, 'dead letter');
    this.io.warn(hasDone ? `${count} replayed ${when}${this.restText(inFlight)}` : `nothing was sent ${when}`);
    return isOfSignal && !hasDone ? error.withoutEffect() : error;
  }

  /** The same error in terms of the command line. */
  private withAdvice(error: unknown, interrupted: ReplayInterruptedError | undefined): unknown {
    const advice = `; no dead letter was finished within --timeout ${this.values.timeout}; run the same command again with a larger --timeout`;
    if (interrupted !== undefined)
      return new ReplayEndedError(interrupted, isDeadline(interrupted.cause) ? advice : '');
    if (isDeadline(error)) error.message += advice;
    return error;
  }

  /** What is not known, and how to go on. */
  private restText(inFlight: DeadLetterView | undefined): string {
    const { again = false } = this.values;
    const doubt = inFlight === undefined ? '' : `; whether ${nameOf(inFlight)} was sent, too, is unknown`;
    const [too, ifSent] = inFlight === undefined ? ['', ''] : [' and that one', ', and that one if it was sent'];
    const rest = again
      ? `with --again, the same command sends them${too} once more; without it, it skips what was ever replayed`
      : `running the same command again skips them${ifSent}`;
    return `${doubt}; ${rest}`;
  }

  private add(done: ReplayResult): ReplayResult {
    this.replayed.push(
      ...done.replayed.map(({ deadLetter: { consumerGroup, messageId }, ...place }) => {
        return { consumerGroup, messageId, ...place };
      }),
    );
    this.replayedBefore += done.replayedBefore.length;
    this.failed.push(...done.failed.map(failedOf));
    reportFailures(this.io, done.failures);
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
    const toDo = planned.length === 0 ? '' : '; add --yes to replay them';
    return `${lettersText()}${receiversText(planned, values)}${counts}; nothing was sent${toDo}\n`;
  });
  for (const { messageId, error } of failed) io.warn(`${messageId} cannot be replayed: ${error.message}`);
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

export const OF_GROUP = { heading: 'GROUP', of: ({ consumerGroup }: DeadLetterView) => consumerGroup };
