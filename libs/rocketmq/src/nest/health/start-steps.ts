// The startup steps that need the server, in order: at once, or, when no server is reachable and the application may run without
// one, later in the background.

import { abortReason } from '../../support/abort.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../../support/backoff.js';
import { SECOND_MS, SystemClock, sleep } from '../../support/clock.js';
import { RocketMQError, StateError } from '../../support/errors.js';
import { describeError, describeOnOneLine, type Logger } from '../../support/logger.js';
import { systemRandom } from '../../support/random.js';

/** The work of a step. It is repeated after a failure, so a failed attempt must clean up after itself. */
type StartStep = (signal: AbortSignal) => Promise<void>;

/** Why startup is incomplete. */
export interface StartProblem {
  /** `away`: no server can be reached. `rejected`: a server answered, and the application's declarations do not fit it. */
  readonly kind: 'away' | 'rejected';
  readonly error: unknown;
}

/** What the steps need. */
interface StartStepsPort {
  /** Whether steps are postponed when no server is reachable. Otherwise that is a failure like others. */
  readonly mayWait: boolean;
  readonly logger: Logger;
  /** Called when steps are postponed, for each new reason, and with undefined when all have succeeded. */
  onProblem(problem: StartProblem | undefined): void;
}

/** A step itself waits for the server, so the pauses are short; a rejection must be fixed by people. */
const PAUSE: BackoffPolicy = { kind: 'exponential', initialMs: SECOND_MS, maxMs: 15 * SECOND_MS, multiplier: 2 };

/** Runs steps one after another until {@link StartSteps.stop}. */
export class StartSteps {
  private readonly putOff: StartStep[] = [];
  private readonly stopping = new AbortController();
  private readonly clock = new SystemClock();
  private catchingUp: Promise<void> | undefined;
  /** The latest step that was requested; never fails. */
  private last: Promise<void> = Promise.resolve();
  private current: StartProblem | undefined;

  constructor(private readonly port: StartStepsPort) {}

  /** Why steps are postponed; undefined when none is. */
  get problem(): StartProblem | undefined {
    return this.current;
  }

  /**
   * Runs a step when the earlier ones have ended, or postpones it behind those that are postponed.
   * @throws what the step throws, unless it is postponed; StateError `CLOSED` once stopped
   */
  run(step: StartStep): Promise<void> {
    const done = this.last.then(() => this.begin(step));
    this.last = done.catch(() => {});
    return done;
  }

  /** Cancels the running step, waits for its end, and starts no other. Repeated calls wait for the same end. */
  async stop(): Promise<void> {
    this.stopping.abort(new StateError('CLOSED', 'the application is shutting down'));
    await this.last;
    await this.catchingUp;
  }

  private async begin(step: StartStep): Promise<void> {
    const { signal } = this.stopping;
    if (signal.aborted) throw abortReason(signal);
    if (this.putOff.length > 0) {
      this.putOff.push(step);
      return;
    }
    try {
      await step(signal);
    } catch (error) {
      if (!this.port.mayWait || !isAway(error) || signal.aborted) throw error;
      this.putOff.push(step);
      this.note(error);
      this.catchingUp = this.catchUp();
    }
  }

  private async catchUp(): Promise<void> {
    const { signal } = this.stopping;
    for (let failures = 1; !signal.aborted; ) {
      const waitMs = withJitter(backoffMs(PAUSE, failures), () => systemRandom.next());
      await sleep(this.clock, waitMs, signal).catch(() => {});
      try {
        await this.doAll(signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        failures = isAway(error) ? 1 : failures + 1;
        this.note(error);
      }
    }
  }

  private async doAll(signal: AbortSignal): Promise<void> {
    for (let [step] = this.putOff; step !== undefined; [step] = this.putOff) {
      if (signal.aborted) throw abortReason(signal);
      await step(signal);
      this.putOff.shift();
    }
    this.current = undefined;
    this.port.logger.info('the server is reachable; everything that waited for it has started');
    this.port.onProblem(undefined);
  }

  /** Logged once for each reason: a server may be unreachable for long. */
  private note(error: unknown): void {
    const problem: StartProblem = { kind: isAway(error) ? 'away' : 'rejected', error };
    const isKnown = this.current?.kind === problem.kind && describeError(this.current.error) === describeError(error);
    const isStillAway = this.current?.kind === 'away' && problem.kind === 'away';
    this.current = problem;
    if (isKnown || isStillAway) return;
    const fields = { error: describeOnOneLine(error) };
    if (problem.kind === 'away') {
      const text =
        'no server can be reached; the application runs without one: sends fail and listeners receive nothing until a server is reachable';
      this.port.logger.warn(text, fields);
    } else {
      const text =
        'the server is reachable, but the declared topics and groups do not fit it: sends fail and listeners receive nothing until that is fixed';
      this.port.logger.error(text, fields);
    }
    this.port.onProblem(problem);
  }
}

/** Whether a retry may succeed without a change of the declarations. */
function isAway(error: unknown): boolean {
  return RocketMQError.is(error) && error.retryable;
}
