// How long an answer waited before it was read. A process that was suspended, or whose event loop was blocked, reads late what arrived
// meanwhile, and what is limited in time counts from the moment at which the server wrote it.

import type { Clock, ScheduledTask } from './clock.js';
import { MINUTE_MS, SECOND_MS, SystemClock } from './clock.js';

/** How often the event loop shows that it runs. */
const TICK_MS = 500;
/** So many turns may pass until what has arrived is read completely. */
const TURNS = 3;
/** Timers of a busy process are late by this much at most; more is a standstill. */
const STANDSTILL_MS = 500;

/**
 * Knows since when the event loop may not have read its sockets. At a timer, all that had arrived before the timer before it has been
 * looked at: the event loop reads sockets between the two. It has timers of its own while {@link LoopWatch.begin something is awaited}.
 */
export class LoopWatch {
  /** The latest times at which the event loop ran, oldest first. */
  private ticks: number[] = [];
  private timer: ScheduledTask | undefined;
  private watchers = 0;

  /** @param clock in real time */
  constructor(private readonly clock: Clock) {}

  /** Starts to watch. @returns a function to call once when nothing is awaited any more */
  begin(): () => void {
    if (this.watchers++ === 0) {
      this.ticks = [];
      this.tick();
    }
    return () => {
      if (--this.watchers === 0) this.timer?.cancel();
    };
  }

  /** When something is asked; for {@link unreadForMs}. */
  now(): number {
    return this.clock.monotonicMs();
  }

  /**
   * How long what is read now can have waited, since it was asked for: 0 if the event loop has run without a pause.
   * @param askedAtMs as {@link now} said
   * @param leases the clock that leases run on: one that a test moves stands still while the process does. Default: real time
   */
  unreadForMs(askedAtMs: number, leases: Clock = this.clock): number {
    if (leases !== this.clock && !(leases instanceof SystemClock)) return 0;
    const nowMs = this.now();
    const [oldestMs = nowMs] = this.ticks;
    return nowMs - oldestMs > TURNS * TICK_MS + STANDSTILL_MS ? nowMs - Math.max(oldestMs, askedAtMs) : 0;
  }

  private tick(): void {
    this.ticks.push(this.clock.monotonicMs());
    if (this.ticks.length > TURNS) this.ticks.shift();
    this.timer = this.clock.schedule(TICK_MS, () => this.tick());
  }
}

/** A request, and its answer when it is read. Times are monotonic ones of this process, of a clock that runs like that of the server. */
interface AnsweredRequest {
  readonly askedAtMs: number;
  readonly readAtMs: number;
  /** See {@link LoopWatch.unreadForMs}, when it was read. */
  readonly unreadForMs: number;
  /** When the server answered, by its wall clock; undefined when it does not report that. */
  readonly answeredAtMs: number | undefined;
}

/** Within this, an answer counts as read at once: networks and busy processes delay all of them. */
const TOLERANCE_MS = SECOND_MS;
/** Two clocks drift apart by a few milliseconds in this time. */
const KNOWN_FOR_MS = 10 * MINUTE_MS;

/** How far the clock of a server is ahead of ours, from the answer that took the shortest time. */
interface Lead {
  readonly leadMs: number;
  readonly sinceMs: number;
}

/**
 * Judges the age of the answers of one server by two clocks that have nothing to do with each other. From the times in answers that were
 * read at once follows how the clocks compare, and from that the age of later ones. An age beyond the duration of its request shows that
 * the server's clock was set: then the comparison begins anew. Without one, an answer may be as old as the standstill of the event loop.
 */
export class AnswerAges {
  private lead: Lead | undefined;
  /** The lead before the last late answer, for requests that were open then. A clock that was set back makes one answer look late, not all. */
  private earlier: { readonly lead: Lead; readonly untilMs: number } | undefined;

  /** @returns milliseconds; 0 for an answer that was read at once */
  ageMs({ askedAtMs, readAtMs, unreadForMs, answeredAtMs }: AnsweredRequest): number {
    if (answeredAtMs === undefined) return unreadForMs;
    const current: Lead = { leadMs: answeredAtMs - readAtMs, sinceMs: readAtMs };
    const known = this.knownFor(askedAtMs, readAtMs);
    const lateMs = known === undefined ? Number.NaN : known.leadMs - current.leadMs;
    const isPossible = lateMs >= -TOLERANCE_MS && lateMs <= readAtMs - askedAtMs + TOLERANCE_MS;
    if (!isPossible) {
      this.lead = unreadForMs === 0 ? current : undefined;
      return unreadForMs;
    }
    if (lateMs <= 0) this.lead = current;
    if (lateMs <= TOLERANCE_MS) return 0;
    if (unreadForMs === 0 && known !== undefined) {
      this.earlier = { lead: known, untilMs: readAtMs };
      this.lead = current;
    }
    return lateMs;
  }

  private knownFor(askedAtMs: number, readAtMs: number): Lead | undefined {
    const { lead, earlier } = this;
    const known = earlier !== undefined && askedAtMs < earlier.untilMs ? earlier.lead : lead;
    return known !== undefined && readAtMs - known.sinceMs <= KNOWN_FOR_MS ? known : undefined;
  }
}
