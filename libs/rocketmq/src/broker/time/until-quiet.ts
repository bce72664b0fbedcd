// Waits until nothing happens any more: in real time, with a limit whose error names the work that continues.

import { monotonicMs, nextTurn, realSleep } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';

/** Reports whether something is going on. */
interface QuietProbe {
  /** The current work; converted to strings only for the error. */
  blockers(): readonly { toString(): string }[];
  /** Changes whenever something has begun. */
  progress(): number;
  /** What the error says after the work that continues. */
  advice(): string;
  /** Throws to end the wait. */
  assertWanted?(): void;
}

/** Answers may be on their way through loopback sockets, and consumers about to poll again: so many checks in a row must agree. */
const CALM_LOOKS = 8;
const LOOK_EVERY_MS = 1;
/** The most work items that an error names. */
const MAX_NAMED = 30;

/**
 * Resolves when nothing goes on, over several turns of the event loop and a few real milliseconds.
 * @throws StateError `NOT_QUIET` after `guardMs` of real time, naming the work that continues
 */
export async function untilQuiet(probe: QuietProbe, guardMs: number): Promise<void> {
  const startedAtMs = monotonicMs();
  let calmLooks = 0;
  let seen = -1;
  while (calmLooks < CALM_LOOKS) {
    await realSleep(LOOK_EVERY_MS);
    await nextTurn();
    probe.assertWanted?.();
    const blockers = probe.blockers();
    const progress = probe.progress();
    calmLooks = blockers.length === 0 && progress === seen ? calmLooks + 1 : 0;
    seen = progress;
    if (calmLooks < CALM_LOOKS && monotonicMs() - startedAtMs > guardMs)
      throw notQuiet(blockers, guardMs, probe.advice());
  }
}

function notQuiet(blockers: readonly { toString(): string }[], guardMs: number, advice: string): StateError {
  const named = blockers.slice(0, MAX_NAMED).map(String).join('; ');
  const others = blockers.length > MAX_NAMED ? `; and ${blockers.length - MAX_NAMED} more` : '';
  const who = blockers.length === 0 ? 'new calls keep arriving' : `still at work: ${named}${others}`;
  return new StateError('NOT_QUIET', `no quiet within ${guardMs} ms: ${who}; ${advice}`);
}
