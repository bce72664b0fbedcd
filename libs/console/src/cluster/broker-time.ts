// The time of an embedded broker, asked at most once a second for all open pages.

import type { ControlClient, TimeState } from 'nestjs-rocketmq/broker';
import type { ConsoleTime } from '../source.js';

const FRESH_MS = 1_000;
const READ_MS = 3_000;
/** Everything that becomes due is done before the answer. */
const ADVANCE_MS = 60_000;
/** What a broker answers that is older, or was not started with `timeTravel`. */
const CANNOT_MOVE: readonly unknown[] = ['UNKNOWN_PATH', 'NO_TIME_TRAVEL'];

/** The time of a broker with control. */
export function timeOf(control: () => ControlClient): ConsoleTime {
  return {
    async read({ signal }) {
      try {
        return await control().time({ signal, timeoutMs: READ_MS });
      } catch (error) {
        if (CANNOT_MOVE.includes((error as { readonly code?: unknown }).code)) return undefined;
        throw error;
      }
    },
    advance: (target, { signal }) => control().advanceTime(target, { signal, timeoutMs: ADVANCE_MS }),
  };
}

/** What all pages share of it. */
export class TimeWatch {
  private last: { readonly atMs: number; readonly state: Promise<TimeState | undefined> } | undefined;

  constructor(
    readonly time: ConsoleTime | undefined,
    private readonly monotonicMs: () => number,
    private readonly signal: AbortSignal,
  ) {}

  /** At most a second old. Undefined when the time cannot be moved. @throws the error of the broker */
  read(): Promise<TimeState | undefined> {
    const { time } = this;
    if (time === undefined) return Promise.resolve(undefined);
    const nowMs = this.monotonicMs();
    if (this.last === undefined || nowMs - this.last.atMs >= FRESH_MS) {
      const state = time.read({ signal: this.signal });
      state.catch(() => {});
      this.last = { atMs: nowMs, state };
    }
    return this.last.state;
  }

  /** How far the broker's clock is ahead of that of its clients; 0 while it is not known. */
  async offsetMs(): Promise<number> {
    try {
      return (await this.read())?.offsetMs ?? 0;
    } catch {
      return 0;
    }
  }

  /** After a move. */
  forget(): void {
    this.last = undefined;
  }
}
