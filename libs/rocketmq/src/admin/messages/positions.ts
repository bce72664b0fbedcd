// Where a page continues, as the text that `next` of the page before has.

import { toOffset } from '../../protocol/model/offset.js';
import { UsageError } from '../../support/errors.js';
import type { StoredMessageView } from './message-view.js';

/** The next message of a queue to read; from the end, the offset after it. */
export interface Position {
  readonly broker: string;
  readonly queueId: number;
  readonly offset: number;
}

const POSITION = /^([^,/]+)\/(\d{1,9})\/(\d{1,19})$/;
const TIME = /^\d{1,15}$/;
/** A page that begins at the end continues in several queues; its text differs, so that it is not taken for the other order. */
const NEWEST = 'newest:';
/** Of all queues that are followed, after the time at which queues begin that were not found yet. */
const TAIL = 'tail:';

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

/** At least one; `oldest-first` has one. @throws UsageError */
export function parsePositions(text: string, order: 'oldest-first' | 'newest-first'): readonly Position[] {
  const isNewest = text.startsWith(NEWEST);
  if (isNewest === (order === 'newest-first')) {
    const parts = isNewest ? text.slice(NEWEST.length).split(',') : [text];
    const positions = parts.map(positionIn);
    if (positions.every((one) => one !== undefined)) return positions;
  }
  throw illegalPosition(text, '"next" of a previous page in the same order');
}

function illegalPosition(text: string, wanted: string): UsageError {
  return new UsageError('ILLEGAL_POSITION', `after is "${text}"; it must be ${wanted}`, 'after');
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
