// Calls a piece of work of a relay again and again, with rests that a wake-up ends.

import { backoffMs } from '../../support/backoff.js';
import { type Clock, MINUTE_MS, type ScheduledTask, SECOND_MS } from '../../support/clock.js';

/** The shortest rest; each that finds nothing doubles it. A loop is woken before a commit, which takes a database a few milliseconds. */
const FIRST_REST_MS = 2;
/** The rests after work that failed. */
const FAILURE_BACKOFF = { kind: 'exponential', initialMs: SECOND_MS, maxMs: MINUTE_MS, multiplier: 2 } as const;

/** What the work has found. `all`: there was something, and no more. `nothing`: nothing will be due before `nextDueMs`. */
export type Found =
  | { readonly kind: 'something' }
  | { readonly kind: 'all' }
  | { readonly kind: 'nothing'; readonly nextDueMs?: number | undefined }
  | { readonly kind: 'failed'; readonly report: (restMs: number) => void };

export class RelayLoop {
  private empty = 0;
  private failures = 0;
  private isWoken = false;
  private endRest: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly pollIntervalMs: number,
    private readonly stopping: AbortSignal,
    /** Never rejects. */
    private readonly work: () => Promise<Found>,
  ) {
    stopping.addEventListener('abort', () => this.endRest?.(), { once: true });
  }

  /** Resolves after a stop. */
  async run(): Promise<void> {
    while (!this.stopping.aborted) {
      this.isWoken = false;
      const restMs = this.restAfter(await this.work());
      if (restMs > 0) await this.rest(restMs);
    }
  }

  /** Works now, and then with short rests again. */
  wake(): void {
    this.empty = 0;
    this.isWoken = true;
    this.endRest?.();
  }

  private restAfter(found: Found): number {
    if (found.kind === 'failed') {
      const restMs = backoffMs(FAILURE_BACKOFF, ++this.failures);
      found.report(restMs);
      // What woke it does not prove that the database can be reached.
      this.isWoken = false;
      return restMs;
    }
    this.failures = 0;
    if (found.kind !== 'nothing') this.empty = 0;
    if (found.kind === 'something') return 0;
    if (found.kind === 'all') return FIRST_REST_MS;
    const untilDueMs = Math.max(1, (found.nextDueMs ?? Number.POSITIVE_INFINITY) - this.clock.nowMs());
    return Math.min(FIRST_REST_MS * 2 ** Math.min(this.empty++, 30), this.pollIntervalMs, untilDueMs);
  }

  private rest(durationMs: number): Promise<void> {
    if (this.isWoken || this.stopping.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      let task: ScheduledTask | undefined;
      const end = (): void => {
        task?.cancel();
        this.endRest = undefined;
        resolve();
      };
      this.endRest = end;
      task = this.clock.schedule(durationMs, end);
    });
  }
}
