// Sends dead letters to their topics again, as they are, at a rate if wanted. edited-replay.ts sends one with another body.

import { setTimeout as wait } from 'node:timers/promises';
import { type DeadLetterView, positionOf, type ReplayInterruptedError, type ReplayResult } from 'nestjs-rocketmq/admin';
import type { Change, ChangeResult } from '../access/plans.js';
import { firstProblems, type PageContext } from '../pages/context.js';
import { causesOf } from '../pages/groups.js';
import { letterOf } from './edited-copies.js';
import { type Fields, wrong } from './fields.js';
import { lettersIn, MAX_SELECTED, PAGE, PAGE_MS, type Preview, previewOf, shownOf, textOf } from './replay-preview.js';

const MAX_PER_SECOND = 1_000;
/** A replay ends with this process. */
const MAX_SECONDS = 300;

interface Result {
  readonly consumerGroup: string;
  readonly position: string;
  readonly messageId: string;
  readonly outcome: 'replayed' | 'replayed-before' | 'failed';
  readonly error?: Error;
}

/** How they are sent. */
interface How {
  readonly again: boolean;
  readonly onlyThisGroup: boolean;
  readonly perSecond: number | undefined;
}

/** The dead letters of a group: those with these positions, of a topic or with the same error; or all. Or all of all groups. */
export async function planReplay(context: PageContext, fields: Fields): Promise<Change> {
  const how = {
    again: fields.flag('again'),
    onlyThisGroup: fields.flag('onlyThisGroup'),
    perSecond: fields.optionalCount('perSecond', 1, MAX_PER_SECOND),
  };
  if (fields.flag('allGroups')) {
    fields.end();
    return planAllGroups(context, how);
  }
  const consumerGroup = fields.text('consumerGroup');
  const chosen = fields.texts('positions', MAX_SELECTED);
  const originTopic = fields.optionalText('originTopic');
  const cause = fields.optionalText('cause');
  fields.end();
  const wanted = chosen && new Set(chosen);
  const causeOf = cause === undefined ? undefined : await causesOf(context, consumerGroup);
  const isOfKind = (one: DeadLetterView): boolean =>
    (originTopic === undefined || one.originTopic === originTopic) && (causeOf === undefined || causeOf(one) === cause);
  const fewer = 'choose fewer dead letters';
  const wish = { wanted, isOfKind, again: how.again, most: MAX_SELECTED, fewer };
  const preview = await previewOf(context, consumerGroup, wish);
  const planned = { consumerGroup, cause, preview };
  return {
    ...partOf(how, planned),
    ...replayOf(context, how, [planned], fewer),
    preview: { ...preview, ...shownOf([preview]), perSecond: how.perSecond },
  };
}

/** @throws ConsoleRejection when there are too many in all groups together */
async function planAllGroups(context: PageContext, how: How): Promise<Change> {
  const { admin, request } = context;
  const { consumerGroups, failures } = await admin.listDeadLetterQueues({ signal: request.signal });
  const groups: GroupPlan[] = [];
  const fewer = 'replay one group at a time';
  let most = MAX_SELECTED;
  for (const consumerGroup of consumerGroups) {
    const wish = { wanted: undefined, isOfKind: () => true, again: how.again, most, fewer };
    const preview = await previewOf(context, consumerGroup, wish);
    most -= preview.planned.length;
    groups.push({ consumerGroup, preview });
  }
  const previews = groups.map(({ preview }) => preview);
  const problems = [...failures.map(textOf), ...previews.flatMap((one) => one.problems)];
  const sending = groups.filter(({ preview }) => preview.planned.length > 0);
  return {
    action: 'replay',
    target: {
      consumerGroups: sending.map(({ consumerGroup }) => consumerGroup).join(' '),
      ...countOf(how, MAX_SELECTED - most),
    },
    topics: [...new Set(sending.flatMap(({ preview }) => topicsOf(preview)))].sort(),
    // What the plan shows of a group is its viewer's to see if they may replay it.
    parts: groups.filter(({ preview }) => lettersIn(preview) > 0).map((one) => partOf(how, one)),
    preview: {
      planned: previews.flatMap((one) => one.planned),
      ...shownOf(previews),
      problems: firstProblems(problems),
      perSecond: how.perSecond,
    },
    ...replayOf(context, how, sending, fewer),
  };
}

interface GroupPlan {
  readonly consumerGroup: string;
  readonly cause?: string | undefined;
  readonly preview: Preview;
}

function partOf(how: How, { consumerGroup, cause, preview }: GroupPlan): Pick<Change, 'action' | 'target' | 'topics'> {
  const target = { consumerGroup, ...(cause !== undefined && { cause }), ...countOf(how, preview.planned.length) };
  return { action: 'replay', target, topics: topicsOf(preview) };
}

function countOf({ onlyThisGroup }: How, deadLetters: number): Readonly<Record<string, string>> {
  return { deadLetters: String(deadLetters), ...(onlyThisGroup && { onlyThisGroup: 'true' }) };
}

function topicsOf({ planned }: Preview): readonly string[] {
  return [...new Set(planned.map(({ topic }) => topic))].sort();
}

/** @throws ConsoleRejection when it takes too long */
function replayOf(
  context: PageContext,
  how: How,
  plans: readonly GroupPlan[],
  fewer: string,
): Pick<Change, 'exclusive' | 'run'> {
  const groups = plans.map(({ consumerGroup, preview: { planned } }) => {
    const positions = new Map(planned.map(({ deadLetter: { position, messageId } }) => [position, messageId]));
    return { consumerGroup, positions };
  });
  const replay = new Replay(context, how, groups);
  if (how.perSecond !== undefined && replay.missing / how.perSecond > MAX_SECONDS)
    throw wrong(
      `at ${how.perSecond} a second this takes longer than ${MAX_SECONDS} s; ${fewer}, or choose a higher rate`,
    );
  return {
    // Each looks for what was replayed before it sends.
    exclusive: groups.map(({ consumerGroup }) => exclusiveOf(consumerGroup)),
    run: (signal) => replay.run(signal),
  };
}

/** No two changes that send dead letters of a group run at a time. */
export function exclusiveOf(consumerGroup: string): string {
  return `replay of ${consumerGroup}`;
}

interface GroupOrder {
  readonly consumerGroup: string;
  /** Exactly those of the plan: position and id, since another dead letter may be there when the queue was created again. */
  readonly positions: ReadonlyMap<string, string>;
}

class Replay {
  private readonly results: Result[] = [];

  constructor(
    private readonly context: PageContext,
    private readonly how: How,
    private readonly groups: readonly GroupOrder[],
  ) {}

  /** Those that were not reached. */
  get missing(): number {
    return this.groups.reduce((sum, { positions }) => sum + positions.size, 0) - this.results.length;
  }

  async run(signal: AbortSignal): Promise<ChangeResult> {
    try {
      for (const group of this.groups) await this.group(group, signal);
    } catch (error) {
      if (isInterrupted(error)) this.add(error.done);
      else if (this.results.length === 0) throw error;
      return this.result(`interrupted: ${(error as Error).message}`);
    }
    return this.result(undefined);
  }

  private async group({ consumerGroup, positions }: GroupOrder, signal: AbortSignal): Promise<void> {
    const { again, onlyThisGroup, perSecond } = this.how;
    const left = new Map(positions);
    const select = (one: DeadLetterView): boolean => left.get(positionOf(one)) === one.messageId && !this.isEdited(one);
    const limit = perSecond === undefined ? PAGE : Math.min(PAGE, perSecond);
    let after: string | undefined;
    do {
      const options = { select, again, onlyThisGroup, limit, after, timeoutMs: PAGE_MS, signal };
      const done = await this.context.admin.replayDeadLetters(consumerGroup, options);
      this.add(done);
      for (const one of this.results) if (one.consumerGroup === consumerGroup) left.delete(one.position);
      const sent = done.replayed.length;
      if (perSecond !== undefined && sent > 0 && this.missing > 0)
        await wait((sent / perSecond) * 1_000, undefined, { signal });
      after = done.next;
    } while (after !== undefined && left.size > 0);
  }

  /** An edited copy may have been sent since the plan. */
  private isEdited(one: DeadLetterView): boolean {
    const letter = letterOf(one);
    if (this.how.again || !this.context.edited.has(letter)) return false;
    const { consumerGroup, position, messageId } = letter;
    if (!this.results.some((known) => known.consumerGroup === consumerGroup && known.position === position))
      this.results.push({ consumerGroup, position, messageId, outcome: 'replayed-before' });
    return true;
  }

  private add({ replayed, replayedBefore, failed }: ReplayResult): void {
    const result = (outcome: Result['outcome'], one: DeadLetterView, error?: Error): Result => {
      return { ...letterOf(one), outcome, ...(error && { error }) };
    };
    for (const { deadLetter } of replayed) this.context.replays.sent(deadLetter);
    this.results.push(
      ...replayed.map(({ deadLetter }) => result('replayed', deadLetter)),
      ...replayedBefore.map((one) => result('replayed-before', one)),
      ...failed.map(({ deadLetter, error }) => result('failed', deadLetter, error)),
    );
  }

  private result(interruption: string | undefined): ChangeResult {
    const count = (wanted: Result['outcome']): number =>
      this.results.filter(({ outcome }) => outcome === wanted).length;
    const counts = { replayed: count('replayed'), replayedBefore: count('replayed-before'), failed: count('failed') };
    const { replayed, replayedBefore, failed } = counts;
    const { missing } = this;
    const parts = [`${replayed} replayed, ${replayedBefore} were replayed before, ${failed} failed`];
    if (missing > 0) parts.push(`${missing} were not reached`);
    if (interruption !== undefined) parts.push(interruption);
    const isWhole = failed === 0 && missing <= 0 && interruption === undefined;
    const details = { ...counts, missing, results: this.results };
    return { outcome: isWhole ? 'done' : 'partly', text: parts.join('; '), details };
  }
}

/** By its code: the command line may have loaded another copy of the class. */
function isInterrupted(error: unknown): error is ReplayInterruptedError {
  return (error as { readonly code?: unknown }).code === 'REPLAY_INTERRUPTED';
}
