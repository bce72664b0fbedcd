// The order of sends: those of one message group or lite topic take turns, in the order of the calls. Others wait for nobody.

import { onAbort, reasonOf } from '../../support/abort-source.js';
import type { Deadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import { NotSentError } from './not-sent-error.js';

/** What decides where a message belongs. */
export interface OrderedPlace {
  readonly topic: string;
  readonly messageGroup?: string | undefined;
  readonly liteTopic?: string | undefined;
}

/** With less time left, a send would time out before its answer, and its outcome would be unknown. */
export const MIN_SEND_MS = 5;

/** Names what is stored in the order of the calls; undefined for a message that has no order. */
export function orderKeyOf({ topic, messageGroup, liteTopic }: OrderedPlace): string | undefined {
  // Anything but a string is rejected later.
  const isOrdered = typeof messageGroup === 'string' || typeof liteTopic === 'string';
  return isOrdered ? `${topic}\n${messageGroup ?? ''}\n${liteTopic ?? ''}` : undefined;
}

/** Describes it in errors. */
export function orderText({ messageGroup, liteTopic }: OrderedPlace): string {
  return liteTopic === undefined ? `message group "${messageGroup}"` : `lite topic "${liteTopic}"`;
}

/** The turns of one order, the earliest first. */
interface Line {
  first: Turn | undefined;
  last: Turn | undefined;
}

type State =
  | { readonly kind: 'waiting'; readonly call: (() => void) | undefined }
  /** It never comes: an earlier message may be stored or not. */
  | { readonly kind: 'rejected'; readonly error: NotSentError }
  | { readonly kind: 'come' }
  | { readonly kind: 'ended' };

/** The turn of one call. End it, or all later ones wait for ever. */
export class Turn {
  private state: State = { kind: 'waiting', call: undefined };
  private next: Turn | undefined;

  private constructor(
    private readonly place: OrderedPlace,
    private readonly line: Line,
    private readonly onEmpty: () => void,
  ) {}

  /** The last turn of the line. @param onEmpty called when none is left */
  static join(line: Line, place: OrderedPlace, onEmpty: () => void): Turn {
    const turn = new Turn(place, line, onEmpty);
    if (line.last === undefined) line.first = turn;
    else line.last.next = turn;
    line.last = turn;
    if (line.first === turn) turn.state = { kind: 'come' };
    return turn;
  }

  /** Whether nothing that was called earlier is in flight. */
  get hasCome(): boolean {
    return this.state.kind === 'come';
  }

  /**
   * Waits until all earlier calls have ended.
   * @throws NotSentError `EARLIER_MESSAGE_FAILED` when the outcome of an earlier one is unknown; TransportError `DEADLINE_EXCEEDED` whose outcome is
   *   `not-sent`; the reason of a caller that aborts
   */
  async come(deadline: Deadline): Promise<void> {
    const waits = this.state.kind === 'waiting';
    if (waits) await this.called(deadline);
    if (this.state.kind === 'rejected') throw this.state.error;
    if (waits && deadline.remainingMs() < MIN_SEND_MS) throw this.tooLate(deadline);
  }

  /**
   * Lets the next call have its turn.
   * @param doubt the error of a send that may be stored or not: calls that wait behind it are rejected, because nobody knows on which side of it
   *   they would be stored. Later calls are not: their callers can know of the error
   */
  end(doubt?: unknown): void {
    if (this.state.kind === 'ended') return;
    const wasFirst = this.line.first === this;
    this.state = { kind: 'ended' };
    if (doubt !== undefined) for (let one = this.next; one !== undefined; one = one.next) one.reject(doubt);
    if (wasFirst) this.advance();
  }

  private called(deadline: Deadline): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.state = {
        kind: 'waiting',
        call: () => {
          unlisten();
          resolve();
        },
      };
      const unlisten = onAbort(deadline.end, () =>
        reject(deadline.hasPassed ? this.tooLate(deadline) : reasonOf(deadline.end)),
      );
    });
  }

  private advance(): void {
    const { line } = this;
    while (line.first?.state.kind === 'ended') line.first = line.first.next;
    const { first } = line;
    if (first === undefined) {
      line.last = undefined;
      this.onEmpty();
    } else first.arrive();
  }

  private arrive(): void {
    if (this.state.kind !== 'waiting') return;
    const { call } = this.state;
    this.state = { kind: 'come' };
    call?.();
  }

  private reject(cause: unknown): void {
    if (this.state.kind !== 'waiting') return;
    const { call } = this.state;
    const text =
      `message to "${this.place.topic}": an earlier message of ${orderText(this.place)} may be stored or not, and this one waited behind it; ` +
      'send both again in their order';
    this.state = { kind: 'rejected', error: new NotSentError('EARLIER_MESSAGE_FAILED', text, { cause }) };
    call?.();
  }

  private tooLate({ what, timeoutMs }: Deadline): TransportError {
    const text = `${what}: earlier messages of ${orderText(this.place)} kept it waiting for ${timeoutMs} ms; nothing was sent`;
    return new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
  }
}

/** Gives out the turns of one producer. */
export class SendTurns {
  private readonly lines = new Map<string, Line>();

  /** The turn of a call, behind all that were taken earlier in its order; undefined for a message that has no order. */
  take(place: OrderedPlace): Turn | undefined {
    const key = orderKeyOf(place);
    if (key === undefined) return undefined;
    let line = this.lines.get(key);
    if (line === undefined) {
      line = { first: undefined, last: undefined };
      this.lines.set(key, line);
    }
    return Turn.join(line, place, () => this.lines.delete(key));
  }
}
