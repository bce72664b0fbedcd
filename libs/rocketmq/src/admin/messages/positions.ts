// Where a page continues, as the text that `next` of the page before has.

import { toOffset } from '../../protocol/model/offset.js';
import { UsageError } from '../../support/errors.js';
import { describe } from '../../support/options.js';
import { compareQueues } from '../sort-order.js';
import type { StoredMessageView } from './message-view.js';

/** The next message of a queue to read; from the end, the offset after it. */
export interface Position {
  readonly broker: string;
  readonly queueId: number;
  readonly offset: number;
}

const POSITION = /^([^,/:]+)\/(\d{1,9})\/(\d{1,19})$/;
const TIME = /^\d{1,15}$/;
/** A page that begins at the end continues in several queues; its text differs, so that it is not taken for the other order. */
const NEWEST = 'newest:';
/** Of all queues that are followed, after the time at which queues begin that were not found yet. */
const TAIL = 'tail:';
/** Of a replay that began with the dead letters of some queues, and ends with them. */
const REPLAY = 'replay:';
/** Of a text that a caller brings back. A dead letter queue has one queue a broker, unless someone has changed it. */
const MAX_QUEUES = 10_000;
const MAX_QUOTED = 200;

export function formatPosition({ broker, queueId, offset }: Position): string {
  return `${encodeURIComponent(broker)}/${queueId}/${offset}`;
}

/**
 * Where a stored message lies, as text. As `after` of a page it is where reading starts: with this message, not after it. One message at a time
 * has it, so it also names a message in a link or a form.
 */
export function positionOf({
  broker,
  queueId,
  queueOffset,
}: Pick<StoredMessageView, 'broker' | 'queueId' | 'queueOffset'>): string {
  return formatPosition({ broker, queueId, offset: queueOffset });
}

/** @param away brokers that did not answer, whose queues are still to be read, whichever they are */
export function formatNewest(positions: readonly Position[], away: readonly string[]): string | undefined {
  const parts = [...positions, ...away.map((broker) => ({ broker, ...WHOLE_BROKER }))].map(formatPosition);
  return parts.length === 0 ? undefined : NEWEST + parts.join(',');
}

/** In the place of the queues of a broker that are not known. */
export const WHOLE_BROKER = { queueId: 999_999_999, offset: 0 };

/** How far a topic was followed. */
interface TailPosition {
  /** Where queues begin that are not listed, in milliseconds since 1970. */
  readonly fromMs: number;
  readonly positions: readonly Position[];
}

export function formatTail({ fromMs, positions }: TailPosition): string {
  return TAIL + [`${fromMs}`, ...positions.map(formatPosition)].join(',');
}

/** @throws UsageError */
export function parseTail(text: string): TailPosition {
  const [from = '', ...listed] = text.startsWith(TAIL) ? text.slice(TAIL.length).split(',') : [];
  const positions = listed.map(positionIn);
  if (TIME.test(from) && positions.every((one) => one !== undefined)) return { fromMs: Number(from), positions };
  throw illegalPosition(text, '"next" of a batch of the same topic');
}

const REPLAY_NEXT = '"next" of a replay or its plan, or the position of a dead letter; leave it out for the first page';

/** How far a replay came. */
interface ReplayPosition {
  readonly start: Position;
  /** Where queues ended when the replay began, by broker and queue, from that of `start` on. Others are not replayed. */
  readonly ends: readonly Position[];
}

export function formatReplay({ start, ends }: ReplayPosition): string {
  return REPLAY + [start, ...ends].map(formatPosition).join(',');
}

/** A message alone is where a replay begins; it has no `ends` yet. @throws UsageError */
export function parseReplay(text: string): Pick<ReplayPosition, 'start'> & Partial<ReplayPosition> {
  if (typeof text !== 'string') throw illegalPosition(text, REPLAY_NEXT);
  const isBegun = text.startsWith(REPLAY);
  const parts = isBegun ? text.slice(REPLAY.length).split(',', MAX_QUEUES + 2) : [text];
  const [start, ...ends] = parts.map(positionIn);
  if (!isBegun && start !== undefined) return { start };
  const [first] = ends;
  const isWhole = ends.length <= MAX_QUEUES && areSorted(ends);
  const isInside = start !== undefined && first !== undefined && compareQueues(start, first) === 0;
  if (isInside && isWhole && start.offset <= first.offset) return { start, ends };
  throw illegalPosition(text, REPLAY_NEXT);
}

function areSorted(positions: readonly (Position | undefined)[]): positions is readonly Position[] {
  return positions.every((one, index) => {
    if (one === undefined) return false;
    const before = positions[index - 1];
    return before === undefined || compareQueues(before, one) < 0;
  });
}

/** At least one; `oldest-first` has one. @throws UsageError */
export function parsePositions(text: string, order: 'oldest-first' | 'newest-first'): readonly Position[] {
  const isNewest = text.startsWith(NEWEST);
  const isOldest = order === 'oldest-first';
  if (isNewest !== isOldest) {
    const parts = isNewest ? text.slice(NEWEST.length).split(',') : [text];
    const positions = parts.map(positionIn);
    if (positions.every((one) => one !== undefined)) return positions;
  }
  const message = isOldest ? ', or the position of a message such as broker-a/0/17' : '';
  throw illegalPosition(text, `"next" of a previous page in the same order${message}`);
}

function illegalPosition(given: unknown, wanted: string): UsageError {
  return positionError(given, `; it must be ${wanted}`);
}

/** @param problem follows what was given */
export function positionError(given: unknown, problem: string): UsageError {
  const text = typeof given === 'string' ? `"${given}"` : describe(given);
  const quoted = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return new UsageError('ILLEGAL_POSITION', `after is ${quoted}${problem}`, 'after');
}

function positionIn(text: string): Position | undefined {
  const [, broker, queueId, offset] = POSITION.exec(text) ?? [];
  if (broker === undefined || queueId === undefined || offset === undefined) return undefined;
  try {
    return { broker: decodeURIComponent(broker), queueId: Number(queueId), offset: toOffset(BigInt(offset)) };
  } catch {
    return undefined;
  }
}
