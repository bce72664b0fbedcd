// How soon the next poll follows one that brought nothing.

import { type BackoffPolicy, backoffMs } from '../../support/backoff.js';
import { SECOND_MS } from '../../support/clock.js';

/** The result of one round. `full`: there is likely more to fetch at once; `stopped`: it did not poll. */
export type RoundEnd = 'full' | 'some' | 'empty' | 'filtered' | 'stopped';

const isEmpty = (end: RoundEnd): boolean => end === 'empty' || end === 'filtered';

/** A server waits for messages before it answers that there are none, for 5 s at least. One that does not wait is polled at growing intervals. */
const EARLY_MS = SECOND_MS;
/** The first of these polls may follow at once: a poll whose messages were all filtered out or dead-lettered also ends early. */
const MAX_UNDELAYED_EARLY_POLLS = 16;
const EARLY_POLL_BACKOFF: BackoffPolicy = { kind: 'exponential', initialMs: 1, maxMs: 200, multiplier: 2 };
/** A backlog of messages that the filter skips needs more polls. */
const FILTERED_POLL_BACKOFF: BackoffPolicy = { kind: 'exponential', initialMs: 1, maxMs: 10, multiplier: 2 };

/** The pace of one poller. */
export class PollPace {
  private earlyPolls = 0;

  /** How long to wait after a round; 0: not at all. */
  waitMs(end: RoundEnd, tookMs: number): number {
    this.earlyPolls = isEmpty(end) && tookMs < EARLY_MS ? this.earlyPolls + 1 : 0;
    const delayed = this.earlyPolls - MAX_UNDELAYED_EARLY_POLLS;
    if (delayed <= 0) return 0;
    return backoffMs(end === 'filtered' ? FILTERED_POLL_BACKOFF : EARLY_POLL_BACKOFF, delayed);
  }
}
