// Which dead letters were replayed. Brokers look for the copy of each by its id, so what they answered is kept for all viewers.

import { type DeadLetterView, positionOf, type RocketMQAdmin } from 'nestjs-rocketmq/admin';

/** Whether a replay would send a dead letter. */
export type ReplayState =
  | { readonly kind: 'replayed' | 'not-replayed' }
  | { readonly kind: 'not-replayable'; readonly error: Error };

const KEPT_MS = 60_000;
const MAX_KEPT = 10_000;
const ASKED_MS = 5_000;

export class ReplayWatch {
  /** The oldest first. */
  private readonly known = new Map<string, { readonly state: ReplayState; readonly atMs: number }>();

  constructor(
    private readonly admin: Pick<RocketMQAdmin, 'planReplayOf'>,
    private readonly monotonicMs: () => number,
  ) {}

  /** @throws the error of a server that does not answer */
  async statesOf(
    listed: readonly DeadLetterView[],
    signal: AbortSignal,
  ): Promise<(one: DeadLetterView) => ReplayState | undefined> {
    const states = new Map(listed.map((one) => [keyOf(one), this.stateOf(one)]));
    const missing = listed.filter((one) => states.get(keyOf(one)) === undefined);
    if (missing.length > 0) {
      const plan = await this.admin.planReplayOf(missing, { signal, timeoutMs: ASKED_MS });
      const note = (one: DeadLetterView, state: ReplayState): void => {
        // It may have been sent since it was asked about, and the index of a server lags behind its store.
        const sent = this.stateOf(one);
        states.set(keyOf(one), sent ?? state);
        if (sent === undefined) this.keep(one, state);
      };
      for (const { deadLetter } of plan.planned) note(deadLetter, { kind: 'not-replayed' });
      for (const one of plan.replayedBefore) note(one, { kind: 'replayed' });
      for (const { deadLetter, error } of plan.failed) note(deadLetter, { kind: 'not-replayable', error });
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
