// Waiting until nothing happens any more: in real time, under a guard that names who still works.

import { SystemClock, sleep } from '../support/clock.js';
import { StateError } from '../support/errors.js';

/** What tells whether something goes on. */
export interface QuietProbe {
  /** Who works right now, in words. */
  blockers(): string[];
  /** Changes whenever something began. */
  progress(): number;
}

/** Answers may be on their way through loopback sockets, and consumers about to ask again: so many looks must agree. */
const CALM_LOOKS = 8;
const LOOK_EVERY_MS = 1;
/** So many of those who work are named in an error. */
const MOST_NAMED = 30;

/**
 * Resolves when nothing goes on, over several turns of the event loop and a few real milliseconds.
 * @throws StateError `NOT_QUIET` after `guardMs` of real time, naming who still works
 */
export async function untilQuiet(probe: QuietProbe, guardMs: number): Promise<void> {
  const realClock = new SystemClock();
  const startedAtMs = realClock.nowMs();
  let calmLooks = 0;
  let seen = -1;
  while (calmLooks < CALM_LOOKS) {
    await sleep(realClock, LOOK_EVERY_MS);
    await new Promise((resolve) => setImmediate(resolve));
    const blockers = probe.blockers();
    const progress = probe.progress();
    calmLooks = blockers.length === 0 && progress === seen ? calmLooks + 1 : 0;
    seen = progress;
    if (calmLooks < CALM_LOOKS && realClock.nowMs() - startedAtMs > guardMs) throw notQuiet(blockers, guardMs);
  }
}

function notQuiet(blockers: readonly string[], guardMs: number): StateError {
  const named = blockers.slice(0, MOST_NAMED).join('; ');
  const others = blockers.length > MOST_NAMED ? `; and ${blockers.length - MOST_NAMED} more` : '';
  const who = blockers.length === 0 ? 'new calls keep coming in' : `still at work: ${named}${others}`;
  const advice = 'end it, or pass a longer guardMs; time has not moved';
  return new StateError('NOT_QUIET', `no quiet within ${guardMs} ms: ${who}; ${advice}`);
}
