// Which dead letters were replayed. Brokers look for the copy of each by its id, so what they answered is kept for all viewers.

import { type DeadLetterView, positionOf, type RocketMQAdmin } from 'nestjs-rocketmq/admin';

/** Whether a replay would send a dead letter. */
export type ReplayState =
  | { readonly kind: 'replayed' | 'not-replayed' }
  | { readonly kind: 'not-replayable'; readonly error: Error };

/** The oldest first. */
type Known = Map<string, { readonly state: ReplayState; readonly atMs: number }>;

const KEPT_MS = 60_000;
const MAX_KEPT = 10_000;
const ASKED_MS = 5_000;
const PAGE = 100;
/** How far is read for what was listed: it may be gone meanwhile. */
const MAX_PAGES = 10;

export class ReplayWatch {
  private known: Known = new Map();

  constructor(
    private readonly admin: Pick<RocketMQAdmin, 'planReplay'>,
    private readonly monotonicMs: () => number,
  ) {}

  /**
   * @param listed in the order of the queue
   * @throws the error of a server that does not answer
   */
  async statesOf(
    listed: readonly DeadLetterView[],
    signal: AbortSignal,
  ): Promise<(one: DeadLetterView) => ReplayState | undefined> {
    // One that was replaced meanwhile does not get answers from before.
    const { known } = this;
    const states = new Map<string, ReplayState>();
    for (const one of listed) {
      const kept = known.get(keyOf(one));
      if (kept !== undefined && this.monotonicMs() - kept.atMs < KEPT_MS) states.set(keyOf(one), kept.state);
    }
    const missing = listed.filter((one) => !states.has(keyOf(one)));
    const sought = new Set(missing.map(keyOf));
    const note = (one: DeadLetterView, state: ReplayState): void => {
      states.set(keyOf(one), state);
      sought.delete(keyOf(one));
      keep(known, keyOf(one), { state, atMs: this.monotonicMs() });
    };
    const [first] = missing;
    let after = first && positionOf(first);
    for (let pages = 0; first !== undefined && after !== undefined && sought.size > 0 && pages < MAX_PAGES; pages++) {
      const select = (one: DeadLetterView): boolean => sought.has(keyOf(one));
      const limit = missing.length === 1 ? 1 : PAGE;
      const options = { after, limit, select, signal, timeoutMs: ASKED_MS };
      const { planned, replayedBefore, failed, next } = await this.admin.planReplay(first.consumerGroup, options);
      for (const { deadLetter } of planned) note(deadLetter, { kind: 'not-replayed' });
      for (const one of replayedBefore) note(one, { kind: 'replayed' });
      for (const { deadLetter, error } of failed) note(deadLetter, { kind: 'not-replayable', error });
      after = next;
    }
    return (one) => states.get(keyOf(one));
  }

  /** The next reader asks: a replay has ended. */
  forget(): void {
    this.known = new Map();
  }
}

function keep(known: Known, key: string, one: { readonly state: ReplayState; readonly atMs: number }): void {
  known.delete(key);
  known.set(key, one);
  const [oldest] = known.keys();
  if (known.size > MAX_KEPT && oldest !== undefined) known.delete(oldest);
}

/** Another one may be at its position when the queue was created again. */
function keyOf(one: DeadLetterView): string {
  return `${one.consumerGroup}/${positionOf(one)}/${one.messageId}`;
}
