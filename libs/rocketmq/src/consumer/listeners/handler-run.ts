// One call of the handler: its signal, its timeout, and its result. The caller decides what follows.

import type { MessageView } from '../../protocol/model/message.js';
import { type Abortable, AbortSource, onAbort, reasonOf } from '../../support/abort-source.js';
import { inFreshAsyncContext } from '../../support/async-context.js';
import type { Clock, ScheduledTask } from '../../support/clock.js';
import { RocketMQError, readable, StateError } from '../../support/errors.js';
import { isThenable } from '../../support/thenable.js';
import type { HandlerContext, MessageHandler } from '../model/handler.js';

/** The result of a call. `abandoned`: the handler did not end although its signal fired at shutdown, and had not decided the outcome. */
export type RunResult =
  | { readonly kind: 'succeeded' }
  /** `wasInterrupted`: its signal had fired for another reason than its own timeout, so the error may be due to that. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly wasInterrupted: boolean }
  | { readonly kind: 'abandoned' };

/** The handler ran longer than `handlerTimeoutMs`. It counts as failed whatever it does afterwards, unless it had decided the outcome. */
export class HandlerTimeoutError extends RocketMQError {
  constructor(message: MessageView, timeoutMs: number) {
    const text = `the handler of message ${message.messageId} from "${message.topic}" did not end within ${timeoutMs} ms`;
    super('HANDLER_TIMEOUT', text, 'unknown', true);
  }
}

/** How long a handler may continue after its signal has fired, before it is no longer waited for. */
export const ABORT_GRACE_MS = 1_000;

/** What a run needs. */
export interface RunOptions {
  readonly handler: MessageHandler;
  readonly timeoutMs: number | undefined;
  /** Real time: handlers wait for I/O, and a moved clock stands still while they run. */
  readonly ioClock: Clock;
  /** Fires when the lease is lost; the handler is still waited for. */
  readonly lostSignal: Abortable | undefined;
  /** Fires when the handler may not run any longer, beside those of other instances; it is still waited for. Undefined: never. */
  readonly limitSignal?: Abortable | undefined;
  /** Whether it is too late to start a handler: the lease is over, or can no longer be renewed. Default: it is not. */
  isTooLate?(): boolean;
  /** Fires when the consumer can wait no longer. Undefined: the caller handles that. */
  readonly forceSignal: Abortable | undefined;
  /** For a batch, whose messages begin with it. */
  readonly turn?: HandlerContext['turn'];
  /** Called when the lease is lost while the handler runs. */
  onLost?(): void;
  /** Called when the handler continues for too long after its signal. */
  onIgnoredSignal(): void;
}

/** Runs the handler once; never throws. Returns a promise only when the handler does, since waiting is most of a message's cost. */
export function runHandler(message: MessageView, options: RunOptions): RunResult | Promise<RunResult> {
  const context = new RunContext(options.turn);
  let work: unknown;
  try {
    // A handler must not see AsyncLocalStorage of another handler, nor of the consumer's start.
    work = inFreshAsyncContext(() => options.handler(message, context));
  } catch (error) {
    return failed(error);
  }
  return isThenable(work) ? awaited(message, work, context, options) : SUCCEEDED;
}

const SUCCEEDED: RunResult = { kind: 'succeeded' };

function failed(error: unknown, wasInterrupted = false): RunResult {
  return { kind: 'failed', error: readable(error), wasInterrupted };
}

function awaited(
  message: MessageView,
  work: PromiseLike<unknown>,
  context: RunContext,
  options: RunOptions,
): Promise<RunResult> {
  const { ending } = context;
  const { timeoutMs, ioClock, lostSignal, limitSignal, forceSignal } = options;
  return new Promise((resolve) => {
    let timedOut: HandlerTimeoutError | undefined;
    const end = (result: RunResult): void => {
      if (context.isOver) return;
      context.isOver = true;
      watch?.stop();
      unlistenLost();
      unlistenLimit();
      unlistenForce();
      if (result.kind === 'abandoned') options.onIgnoredSignal();
      const isInTime = timedOut === undefined && result.kind !== 'abandoned';
      if (isInTime) resolve(result);
      else resolve(context.decided ?? (timedOut === undefined ? result : failed(timedOut)));
    };
    // Most handlers have no timeout.
    let watch: StopWatch | undefined;
    const watched = (): StopWatch => {
      watch ??= new StopWatch(ioClock);
      return watch;
    };
    let isGivingUp = false;
    const giveUpSoon = (): void => {
      if (isGivingUp) return;
      isGivingUp = true;
      watched().set(ABORT_GRACE_MS, () => end({ kind: 'abandoned' }));
    };
    context.onUntimed = (untimed) => {
      const isTooLate = context.isOver || (timedOut !== undefined && context.decided === undefined);
      return isTooLate ? undefined : watched().pausedFor(untimed);
    };
    context.onCheck = () => {
      if (options.isTooLate?.() !== true) return;
      ending.abort(
        new StateError('LEASE_UNCERTAIN', 'the lease ended, or could not be renewed, before the message was handled'),
      );
    };
    // A thenable of another library may call back synchronously, or throw.
    Promise.resolve(work).then(
      () => end(SUCCEEDED),
      (error: unknown) => end(failed(error, ending.aborted)),
    );
    const onTimeout = (): void => {
      timedOut = new HandlerTimeoutError(message, timeoutMs ?? 0);
      ending.abort(timedOut);
      giveUpSoon();
    };
    if (timeoutMs !== undefined) watched().set(timeoutMs, onTimeout);
    const unlistenLost = onAbort(lostSignal, () => {
      context.isLost = true;
      options.onLost?.();
      ending.abort(reasonOf(lostSignal));
    });
    const unlistenLimit = onAbort(limitSignal, () => ending.abort(reasonOf(limitSignal)));
    const unlistenForce = onAbort(forceSignal, () => {
      ending.abort(reasonOf(forceSignal));
      giveUpSoon();
    });
  });
}

/** One timer, which can be paused. */
class StopWatch {
  private timer: ScheduledTask | undefined;
  private due: { readonly setAtMs: number; readonly durationMs: number; readonly then: () => void } | undefined;
  private isPaused = false;

  constructor(private readonly clock: Clock) {}

  /** Replaces the previous timer. One that is set during a pause begins after it. */
  set(durationMs: number, then: () => void): void {
    this.timer?.cancel();
    this.due = { setAtMs: this.clock.monotonicMs(), durationMs, then };
    if (!this.isPaused) this.timer = this.clock.schedule(durationMs, then);
  }

  stop(): void {
    this.timer?.cancel();
    this.due = undefined;
  }

  async pausedFor<T>(work: () => Promise<T>): Promise<T> {
    const { due: before } = this;
    const passedMs = before === undefined ? 0 : this.clock.monotonicMs() - before.setAtMs;
    this.timer?.cancel();
    this.isPaused = true;
    try {
      return await work();
    } finally {
      this.isPaused = false;
      const { due } = this;
      if (due !== undefined) this.set(Math.max(0, due.durationMs - (due === before ? passedMs : 0)), due.then);
    }
  }
}

/** What it can need is created on demand: most handlers neither read their signal nor wait. */
class RunContext implements HandlerContext {
  decided: RunResult | undefined = undefined;
  isOver = false;
  isLost = false;
  onUntimed: HandlerContext['untimed'] = undefined;
  onCheck: HandlerContext['checkLease'] = undefined;
  private source: AbortSource | undefined = undefined;

  constructor(readonly turn: HandlerContext['turn']) {}

  get ending(): AbortSource {
    this.source ??= new AbortSource();
    return this.source;
  }

  get signal(): AbortSignal {
    return this.ending.signal;
  }

  decide(failure: unknown): boolean {
    if (this.isOver || this.isLost) return false;
    this.decided ??= failure === undefined ? SUCCEEDED : failed(failure);
    return true;
  }

  untimed<T>(work: () => Promise<T>): Promise<T> | undefined {
    return this.onUntimed === undefined ? work() : this.onUntimed(work);
  }

  checkLease(): void {
    this.onCheck?.();
  }
}
