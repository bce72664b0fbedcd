// Which dead letters were replayed. Brokers look for the copy of each by its id, so what they answered is kept for all viewers.

import { type DeadLetterView, positionOf, type RocketMQAdmin } from 'nestjs-rocketmq/admin';

/** Whether a replay would send a dead letter. */
export type ReplayState =
  | { readonly kind: 'replayed' | 'not-replayed' }
  | { readonly kind: 'not-replayable'; readonly error: Error };

const KEPT_MS = 60_000;
const MAX_KEPT = 10_000;
const ASKED_MS = 5_000;
const PAGE = 100;
/** How far is read for what was listed: it may be gone meanwhile. */
const MAX_PAGES = 10;

export class ReplayWatch {
  /** The oldest first. */
  private readonly known = new Map<string, { readonly state: ReplayState; readonly atMs: number }>();

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
    const states = new Map(listed.map((one) => [keyOf(one), this.stateOf(one)]));
    const missing = listed.filter((one) => states.get(keyOf(one)) === undefined);
    const sought = new Set(missing.map(keyOf));
    const note = (one: DeadLetterView, state: ReplayState): void => {
      sought.delete(keyOf(one));
      // It may have been sent since it was asked about, and the index of a server lags behind its store.
      const sent = this.stateOf(one);
      states.set(keyOf(one), sent ?? state);
      if (sent === undefined) this.keep(one, state);
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

  /** A replay of this console has sent it. */
  sent(one: DeadLetterView): void {
    this.keep(one, { kind: 'replayed' });
  }

  private stateOf(one: DeadLetterView): ReplayState | undefined {
    const kept = this.known.get(keyOf(one));
    return kept !== undefined && this.monotonicMs() - kept.atMs < KEPT_MS ? kept.state : undefined;
  }

  private keep(one: DeadLetterView, state: ReplayState): void {
    this.known.delete(keyOf(one));
    this.known.set(keyOf(one), { state, atMs: this.monotonicMs() });
    const [oldest] = this.known.keys();
    if (this.known.size > MAX_KEPT && oldest !== undefined) this.known.delete(oldest);
  }
}

/** Another one may be at its position when the queue was created again. */
function keyOf(one: DeadLetterView): string {
  return `${one.consumerGroup}/${positionOf(one)}/${one.messageId}`;
}
