// Sends dead letters to their topics again: as they are, at a rate if wanted, or one of them with another body.

import { setTimeout as wait } from 'node:timers/promises';
import {
  type DeadLetterView,
  positionOf,
  type ReplayInterruptedError,
  type ReplayResult,
  type TopicDescription,
} from 'nestjs-rocketmq/admin';
import { forwarded, type OutgoingMessage } from 'nestjs-rocketmq/client';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRejection } from '../http/exchange.js';
import type { PageContext } from '../pages/context.js';
import { causesOf, deadLetterAt, shortDeadLetter } from '../pages/groups.js';
import type { EditedLetter } from './edited-copies.js';
import { type Fields, wrong } from './fields.js';
import { assertOrdinary, bodyIn, senderOf } from './send.js';

/** The property of an edited copy that names its dead letter, as `group/broker/queue/offset`. Consumers can see it. */
export const EDIT_PROPERTY = 'DEAD_LETTER_EDIT';

const PAGE = 100;
const MAX_SELECTED = 1_000;
/** How long one page may take. */
const PAGE_MS = 60_000;
const MAX_PER_SECOND = 1_000;
/** A replay ends with this process. */
const MAX_SECONDS = 300;

interface Result {
  readonly position: string;
  readonly messageId: string;
  readonly outcome: 'replayed' | 'replayed-before' | 'failed';
  readonly error?: Error;
}

/** The dead letters of a group: those with these positions, of a topic or with the same error; or all. */
export async function planReplay(context: PageContext, fields: Fields): Promise<Change> {
  const consumerGroup = fields.text('consumerGroup');
  const chosen = fields.texts('positions', MAX_SELECTED);
  const originTopic = fields.optionalText('originTopic');
  const cause = fields.optionalText('cause');
  const again = fields.flag('again');
  const onlyThisGroup = fields.flag('onlyThisGroup');
  const perSecond = fields.optionalCount('perSecond', 1, MAX_PER_SECOND);
  fields.end();
  const wanted = chosen && new Set(chosen);
  const causeOf = cause === undefined ? undefined : await causesOf(context, consumerGroup);
  const isOfKind = (one: DeadLetterView): boolean =>
    (originTopic === undefined || one.originTopic === originTopic) && (causeOf === undefined || causeOf(one) === cause);
  const preview = await previewOf(context, consumerGroup, { wanted, isOfKind, again });
  const positions = new Map(preview.planned.map(({ deadLetter: { position, messageId } }) => [position, messageId]));
  if (perSecond !== undefined && positions.size / perSecond > MAX_SECONDS)
    throw wrong(
      `at ${perSecond} a second this takes longer than ${MAX_SECONDS} s; choose fewer dead letters, or a higher rate`,
    );
  const replay = new Replay(context, { consumerGroup, again, onlyThisGroup, positions, perSecond });
  return {
    action: 'replay',
    target: {
      consumerGroup,
      deadLetters: String(positions.size),
      ...(cause !== undefined && { cause }),
      ...(onlyThisGroup && { onlyThisGroup: 'true' }),
    },
    topics: [...new Set(preview.planned.map(({ topic }) => topic))].sort(),
    preview: { ...preview, perSecond },
    // Each looks for what was replayed before it sends.
    exclusive: `replay of ${consumerGroup}`,
    run: (signal) => replay.run(signal),
  };
}

interface PreviewRequest {
  readonly wanted: ReadonlySet<string> | undefined;
  readonly isOfKind: (one: DeadLetterView) => boolean;
  readonly again: boolean;
}

async function previewOf(
  { admin, edited, redaction, request: { signal } }: PageContext,
  consumerGroup: string,
  { wanted, isOfKind, again }: PreviewRequest,
) {
  const isWanted = (one: DeadLetterView): boolean =>
    (wanted === undefined || wanted.has(positionOf(one))) && isOfKind(one);
  const isEdited = (one: DeadLetterView): boolean => !again && edited.has(letterOf(consumerGroup, one));
  const select = (one: DeadLetterView): boolean => {
    if (!isWanted(one)) return false;
    if (!isEdited(one)) return true;
    seen.add(positionOf(one));
    skipped.push(shortDeadLetter(redaction, one));
    return false;
  };
  const planned = [];
  const skipped = [];
  const failed = [];
  const problems: string[] = [];
  const seen = new Set<string>();
  let after: string | undefined;
  do {
    const page = await admin.planReplay(consumerGroup, {
      select,
      again,
      limit: PAGE,
      timeoutMs: PAGE_MS,
      after,
      signal,
    });
    planned.push(...page.planned.map((one) => ({ ...one, deadLetter: shortDeadLetter(redaction, one.deadLetter) })));
    skipped.push(...page.replayedBefore.map((one) => shortDeadLetter(redaction, one)));
    failed.push(
      ...page.failed.map(({ deadLetter, error }) => ({ deadLetter: shortDeadLetter(redaction, deadLetter), error })),
    );
    problems.push(...page.failures.map(({ name, error }) => `${name}: ${error.message}`));
    for (const { deadLetter } of [...page.planned, ...page.failed]) seen.add(positionOf(deadLetter));
    for (const one of page.replayedBefore) seen.add(positionOf(one));
    after = page.next;
    if (planned.length > MAX_SELECTED) {
      const text = `more than ${MAX_SELECTED} dead letters would be replayed; choose fewer, or replay with the command line; nothing was changed`;
      throw new ConsoleRejection(400, 'TOO_MANY', text);
    }
  } while (after !== undefined && (wanted === undefined || seen.size < wanted.size));
  const gone = wanted === undefined ? [] : [...wanted].filter((position) => !seen.has(position));
  return { planned, skipped, failed, gone, problems: [...new Set(problems)] };
}

function letterOf(consumerGroup: string, one: DeadLetterView): EditedLetter {
  return { consumerGroup, position: positionOf(one), messageId: one.messageId };
}

interface ReplayOrder {
  readonly consumerGroup: string;
  readonly again: boolean;
  readonly onlyThisGroup: boolean;
  /** Exactly those of the plan: position and id, since another dead letter may be there when the queue was created again. */
  readonly positions: ReadonlyMap<string, string>;
  readonly perSecond: number | undefined;
}

class Replay {
  private readonly results: Result[] = [];

  constructor(
    private readonly context: PageContext,
    private readonly order: ReplayOrder,
  ) {}

  async run(signal: AbortSignal): Promise<ChangeResult> {
    const left = new Map(this.order.positions);
    let after: string | undefined;
    try {
      do {
        const done = await this.page(left, after, signal);
        after = done.next;
      } while (after !== undefined && left.size > 0);
    } catch (error) {
      if (isInterrupted(error)) this.add(error.done);
      else if (this.results.length === 0) throw error;
      return this.result(`interrupted: ${(error as Error).message}`);
    }
    return this.result(undefined);
  }

  private async page(left: Map<string, string>, after: string | undefined, signal: AbortSignal): Promise<ReplayResult> {
    const { consumerGroup, again, onlyThisGroup, perSecond } = this.order;
    const limit = perSecond === undefined ? PAGE : Math.min(PAGE, perSecond);
    const select = (one: DeadLetterView): boolean => left.get(positionOf(one)) === one.messageId && !this.isEdited(one);
    const options = { select, again, onlyThisGroup, limit, after, timeoutMs: PAGE_MS, signal };
    const done = await this.context.admin.replayDeadLetters(consumerGroup, options);
    this.add(done);
    for (const { position } of this.results) left.delete(position);
    const sent = done.replayed.length;
    if (perSecond !== undefined && sent > 0 && left.size > 0)
      await wait((sent / perSecond) * 1_000, undefined, { signal });
    return done;
  }

  /** An edited copy may have been sent since the plan. */
  private isEdited(one: DeadLetterView): boolean {
    const { consumerGroup, again } = this.order;
    if (again || !this.context.edited.has(letterOf(consumerGroup, one))) return false;
    if (!this.results.some(({ position }) => position === positionOf(one)))
      this.results.push({ position: positionOf(one), messageId: one.messageId, outcome: 'replayed-before' });
    return true;
  }

  private add({ replayed, replayedBefore, failed }: ReplayResult): void {
    const result = (outcome: Result['outcome'], one: DeadLetterView, error?: Error): Result => {
      return { position: positionOf(one), messageId: one.messageId, outcome, ...(error && { error }) };
    };
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
    const missing = this.order.positions.size - this.results.length;
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

/** One dead letter with another body: a new message with an id of its own. */
export async function planEdited(context: PageContext, fields: Fields, edited: Fields): Promise<Change> {
  const send = senderOf(context);
  const { admin, redaction, request } = context;
  const consumerGroup = fields.text('consumerGroup');
  const [position, ...more] = fields.texts('positions', 1) ?? [];
  fields.end();
  const body = bodyIn(edited);
  edited.end();
  if (position === undefined || more.length > 0) throw wrong('positions must have the one dead letter that is edited');
  const deadLetter = await deadLetterAt(admin, consumerGroup, position, request.signal);
  const { originTopic: topic, messageId } = deadLetter;
  if (topic === undefined)
    throw new ConsoleRejection(409, 'ORIGIN_UNKNOWN', 'the topic of this dead letter is unknown; nothing was sent');
  assertOrdinary(topic);
  const { signal } = request;
  const [described, { consumerGroups }] = await Promise.all([
    admin.describeTopic(topic, { signal }),
    admin.groupsOfTopic(topic, { signal }),
  ]);
  if (described === undefined) {
    const text = `topic ${topic} of this dead letter no longer exists; create it first; nothing was sent`;
    throw new ConsoleRejection(409, 'ORIGIN_GONE', text);
  }
  const story = { [EDIT_PROPERTY]: `${consumerGroup}/${position}` };
  // Other clients store labels that a send rejects.
  const copy = forwarded({ ...deadLetter, body: Buffer.from(body) }, story);
  const message = { topic, ...copy, ...placeIn(described.type, deadLetter) } as OutgoingMessage;
  const properties = copy.properties;
  const letter = letterOf(consumerGroup, deadLetter);
  const editedBefore = context.edited.has(letter);
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    if (!editedBefore && context.edited.has(letter)) {
      const text =
        'an edited copy of this dead letter was sent since the plan; nothing was sent; plan again to send another';
      throw new ConsoleRejection(409, 'EDITED_BEFORE', text);
    }
    const receipt = await send(message, { signal }).catch((error: unknown) => {
      if ((error as { readonly outcome?: unknown }).outcome === 'unknown') context.edited.add(letter);
      throw error;
    });
    context.edited.add(letter);
    return { outcome: 'done', text: `an edited copy was sent as message ${receipt.messageId}`, details: receipt };
  };
  const bytes = Buffer.byteLength(body);
  const shown = shortDeadLetter(redaction, deadLetter);
  const preview = { deadLetter: shown, topic, bytes, consumerGroups, properties, editedBefore };
  const target = { consumerGroup, messageId, position, edited: 'true' };
  const exclusive = `replay of ${consumerGroup}`;
  return { action: 'replay', isWritten: true, target, topics: [topic], preview, exclusive, run };
}

/** What the type of the topic takes: other clients label messages with a message group or a priority in any topic. */
function placeIn(
  type: TopicDescription['type'],
  { messageGroup, priority, liteTopic }: DeadLetterView,
): Pick<OutgoingMessage, 'messageGroup' | 'priority' | 'liteTopic'> {
  switch (type) {
    case 'fifo':
    case 'mixed':
      return { messageGroup };
    case 'priority':
      return { priority };
    case 'lite':
      return { liteTopic };
    default:
      return {};
  }
}
