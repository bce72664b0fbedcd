// How long a call may take: a timeout and the caller's AbortSignal combined. Always in real time, because I/O does not follow a
// clock that a test moves.

import { performance } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers';
import { raceAbort } from './abort.js';
import { type Abortable, AbortSource, onAbort, reasonOf } from './abort-source.js';
import { MAY_HAVE_TAKEN_EFFECT, NOTHING_TOOK_EFFECT, TransportError, withoutEffect } from './errors.js';
import { IoTimer, MAX_IO_TIMER_MS } from './io-timer.js';

/** The options of every public asynchronous call. */
export interface CallOptions {
  /** How long the call may take in total, including retries, in milliseconds. Default: the option `requestTimeoutMs` of the connection. */
  readonly timeoutMs?: number;
  /** Aborts the call with the signal's reason. What was already sent may still take effect. Default: none. */
  readonly signal?: AbortSignal;
}

/** A timer can fire slightly early. */
const EARLY_MS = 1;
/** How many servers an error names. */
const MAX_NAMED = 4;

/**
 * A moment by which something must have ended. Its timer starts when {@link end} or {@link signal} is first read; dispose the deadline
 * afterwards, or its timer leaks.
 */
export class Deadline {
  private source: AbortSource | undefined;
  /** By {@link monotonicMs}. */
  readonly endsAtMs: number;
  private timer: IoTimer<Deadline> | undefined;
  private unlisten: (() => void) | undefined;
  private passed = false;
  private disposed = false;
  private effect: boolean;
  /** The servers that were asked and have not answered. */
  private silent: Set<string> | undefined;

  /**
   * @param what names the work in the error: "send to order-created"
   * @param caller the caller's signal
   * @param options `notesEffects`: the work calls {@link noteEffect}; until then, nothing took effect. Default: it may have from the start.
   *   `whole`: the deadline of the work that this is a part of
   */
  constructor(
    readonly what: string,
    readonly timeoutMs: number,
    readonly caller?: Abortable,
    private readonly options: { readonly notesEffects?: boolean; readonly whole?: Deadline } = {},
  ) {
    this.effect = options.notesEffects !== true;
    this.endsAtMs = performance.now() + timeoutMs;
  }

  /** Aborts when the deadline passes or the caller's signal aborts; its reason is the error to throw. */
  get end(): AbortSource {
    return this.source ?? this.arm();
  }

  /** Like {@link end}, for what needs an AbortSignal, which is expensive to create. */
  get signal(): AbortSignal {
    return this.end.signal;
  }

  /** Whether the deadline passed before the caller aborted. */
  get hasPassed(): boolean {
    return this.passed || (this.source === undefined && !this.caller?.aborted && this.isDue());
  }

  /** Whether the deadline has passed or the caller has aborted. Starts no timer. */
  get isOver(): boolean {
    return this.source?.aborted ?? (this.caller?.aborted === true || this.isDue());
  }

  /** Whether the work may have taken effect. */
  get mayHaveTakenEffect(): boolean {
    return this.effect || this.options.whole?.mayHaveTakenEffect === true;
  }

  /** From now on, the work may have taken effect: what can have one is about to be sent. */
  noteEffect(): void {
    this.effect = true;
    this.options.whole?.noteEffect();
  }

  /** A server was asked: the error of the deadline names it, unless it answers first. */
  noteQuestion(server: string): void {
    this.silent ??= new Set();
    this.silent.add(server);
    this.options.whole?.noteQuestion(server);
  }

  noteAnswer(server: string): void {
    this.silent?.delete(server);
    this.options.whole?.noteAnswer(server);
  }

  /** A failure of the work, as it is to be thrown: whatever became of a request, nothing took effect unless that was noted. */
  failure(error: unknown): unknown {
    if (this.mayHaveTakenEffect || (this.caller?.aborted && error === reasonOf(this.caller))) return error;
    return withoutEffect(error);
  }

  /** Runs a part of the work, in a part of the time. */
  part<T>(timeoutMs: number, work: (deadline: Deadline) => Promise<T>, what = this.what): Promise<T> {
    return runUnder(new Deadline(what, timeoutMs, this.signal, { notesEffects: true, whole: this }), work);
  }

  /** The remaining time in milliseconds, at least 0. */
  remainingMs(): number {
    return Math.max(0, this.endsAtMs - performance.now());
  }

  /** The options of a call that is a part of the work. Its timeout is at least 1 ms, because calls reject a timeout of 0. */
  callOptions(): { readonly timeoutMs: number; readonly signal: AbortSignal } {
    return { timeoutMs: Math.max(1, this.remainingMs()), signal: this.signal };
  }

  /** Clears the timer and detaches from the caller's signal. Idempotent. */
  dispose(): void {
    this.disposed = true;
    this.timer?.stop();
    this.unlisten?.();
  }

  private arm(): AbortSource {
    const { caller } = this;
    const source = new AbortSource();
    this.source = source;
    const leftMs = this.remainingMs();
    if (caller?.aborted) source.abort(reasonOf(caller));
    else if (leftMs < EARLY_MS) this.pass();
    else if (!this.disposed) {
      this.startTimer(leftMs);
      if (caller !== undefined) this.unlisten = onAbort(caller, () => source.abort(reasonOf(caller)));
    }
    return source;
  }

  private startTimer(leftMs: number): void {
    this.timer = new IoTimer<Deadline>(leftMs, leftMs > MAX_IO_TIMER_MS ? Deadline.goOn : Deadline.lapse, this);
  }

  private static goOn(deadline: Deadline): void {
    deadline.startTimer(deadline.remainingMs());
  }

  private static lapse(deadline: Deadline): void {
    deadline.pass();
  }

  private pass(): void {
    if (this.source?.aborted !== false) return;
    this.passed = true;
    const [effect, outcome] = this.mayHaveTakenEffect
      ? ([MAY_HAVE_TAKEN_EFFECT, 'unknown'] as const)
      : ([NOTHING_TOOK_EFFECT, 'not-sent'] as const);
    const message = `${this.what} did not finish within ${Math.round(this.timeoutMs)} ms${this.silenceText()}; ${effect}`;
    this.source.abort(new TransportError('DEADLINE_EXCEEDED', message, outcome, true));
  }

  private silenceText(): string {
    const [...servers] = this.silent ?? [];
    if (servers.length === 0) return '';
    const more = servers.length > MAX_NAMED ? ` and ${servers.length - MAX_NAMED} more` : '';
    return `: no answer from ${servers.slice(0, MAX_NAMED).join(', ')}${more}`;
  }

  private isDue(): boolean {
    return this.remainingMs() < EARLY_MS;
  }
}

/** Runs `work` under a deadline, and disposes the deadline whether the work succeeds or fails. */
export function withDeadline<T>(
  what: string,
  timeoutMs: number,
  outer: Abortable | undefined,
  work: (deadline: Deadline) => Promise<T>,
): Promise<T> {
  return runUnder(new Deadline(what, timeoutMs, outer), work);
}

/** Like {@link withDeadline}, for work without effects, or that notes when it begins to have one ({@link Deadline.noteEffect}). */
export function withNotedEffects<T>(
  what: string,
  timeoutMs: number,
  outer: Abortable | undefined,
  work: (deadline: Deadline) => Promise<T>,
): Promise<T> {
  return runUnder(new Deadline(what, timeoutMs, outer, { notesEffects: true }), work);
}

async function runUnder<T>(deadline: Deadline, work: (deadline: Deadline) => Promise<T>): Promise<T> {
  try {
    return await work(deadline);
  } catch (error) {
    throw deadline.failure(error);
  } finally {
    deadline.dispose();
  }
}

/** Waits for `ended` under a deadline. The work that it waits for continues after the deadline. */
export function waitWithin<T>(
  what: string,
  timeoutMs: number,
  outer: Abortable | undefined,
  ended: Promise<T>,
): Promise<T> {
  return withDeadline(what, timeoutMs, outer, ({ signal }) => raceAbort(ended, signal));
}

/** Taken before a test can replace them: what is here must pass while the time of the application stands still. */
const real = { now: performance.now.bind(performance), setImmediate, setTimeout };

/** Monotonic real time in milliseconds. */
export function monotonicMs(): number {
  return real.now();
}

/** Waits in real time. */
export function realSleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    real.setTimeout(resolve, durationMs);
  });
}

/** Lets the event loop make a turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    real.setImmediate(resolve);
  });
}

/** The real time `durationMs` from now, for interfaces that want a date; never the clock of a test. */
export function realTimeIn(durationMs: number): Date {
  return new Date(Date.now() + durationMs);
}
