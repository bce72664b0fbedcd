// The steps of a start that need the server, in their order: at once, or, where it is away and the application may run without it,
// later and in the background.

import { abortReason } from '../../support/abort.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../../support/backoff.js';
import { SECOND_MS, SystemClock, sleep } from '../../support/clock.js';
import { RocketMQError, StateError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import { systemRandom } from '../../support/random.js';

/** What is done in a step. After a failure it is done again, so it leaves nothing behind then. */
export type StartStep = (signal: AbortSignal) => Promise<void>;

/** Why an application is not all there. */
export interface StartProblem {
  /** `away`: no server could be asked. `refused`: one was, and what the application declares does not fit it. */
  readonly kind: 'away' | 'refused';
  readonly error: unknown;
}

/** What steps need. */
export interface StartStepsPort {
  /** Whether a server that is away puts steps off. Else it is a failure like others. */
  readonly mayWait: boolean;
  readonly logger: Logger;
  /** Called when steps are put off, for each new reason, and with undefined when all are done. */
  onProblem(problem: StartProblem | undefined): void;
}

/** A step waits for the server by itself, so little is to be waited for here; a refusal is mended by people. */
const PAUSE: BackoffPolicy = { kind: 'exponential', initialMs: SECOND_MS, maxMs: 15 * SECOND_MS, multiplier: 2 };

/** Does steps one after another until {@link StartSteps.stop}. */
export class StartSteps {
  private readonly putOff: StartStep[] = [];
  private readonly stopping = new AbortController();
  private readonly clock = new SystemClock();
  private catchingUp: Promise<void> | undefined;
  /** The latest step that was asked for; never fails. */
  private last: Promise<void> = Promise.resolve();
  private current: StartProblem | undefined;

  constructor(private readonly port: StartStepsPort) {}

  /** Why steps are put off; undefined when none is. */
  get problem(): StartProblem | undefined {
    return this.current;
  }

  /**
   * Does a step when those before it have ended, or puts it off behind those that were put off.
   * @throws what the step throws, unless it is put off; StateError `CLOSED` once stopped
   */
  run(step: StartStep): Promise<void> {
    const done = this.last.then(() => this.begin(step));
    this.last = done.catch(() => {});
    return done;
  }

  /** Breaks off what is being done, waits for its end, and does nothing any more. Repeating it waits for the same end. */
  async stop(): Promise<void> {
    this.stopping.abort(new StateError('CLOSED', 'the application ends'));
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
    this.port.logger.info('the server is there now; all that waited for it has started');
    this.port.onProblem(undefined);
  }

  /** Told once for each reason: a server may be away for long. */
  private note(error: unknown): void {
    const problem: StartProblem = { kind: isAway(error) ? 'away' : 'refused', error };
    const isKnown = this.current?.kind === problem.kind && describeError(this.current.error) === describeError(error);
    const isStillAway = this.current?.kind === 'away' && problem.kind === 'away';
    this.current = problem;
    if (isKnown || isStillAway) return;
    const fields = { error: describeError(error) };
    if (problem.kind === 'away') {
      const text =
        'no server can be reached; the application runs without: sends fail and no listener gets messages until one is there';
      this.port.logger.warn(text, fields);
    } else {
      const text =
        'the server is there, but what the application declares does not fit it: the application stays without it until that is mended';
      this.port.logger.error(text, fields);
    }
    this.port.onProblem(problem);
  }
}

/** A later try may succeed without a change, as against a refusal. */
function isAway(error: unknown): boolean {
  return RocketMQError.is(error) && error.retryable;
}
