// Sends the messages of an outbox repeatedly: it polls, sends and pauses. One pass is in outbox-pass.ts.

import { backoffMs } from '../support/backoff.js';
import { MINUTE_MS, type ScheduledTask, SECOND_MS } from '../support/clock.js';
import { StateError } from '../support/errors.js';
import { describeError, LOG_TO, type Logger, unfailing } from '../support/logger.js';
import { databaseWithin, endsWithin, STOP_GRACE_MS } from './database-deadline.js';
import { dialectOf } from './dialect.js';
import { ExcusedAttempts } from './excused-attempts.js';
import type { OutboxLag } from './outbox.js';
import { CLAIM_BYTES, OutboxClaims } from './outbox-claims.js';
import { OutboxPass, type RelayCounts } from './outbox-pass.js';
import { type OutboxRelayOptions, type RelaySettings, relaySettings } from './outbox-relay-options.js';
import { checkAtStart } from './readiness.js';
import type { ScheduleLag } from './schedule.js';
import { ScheduleHandOver } from './schedule-hand-over.js';
import type { SqlExecutor } from './sql-port.js';

/** What a relay has done since it was created, its backlog, and what waits in its schedule: zeros without one. */
export interface OutboxMetrics extends OutboxLag, ScheduleLag {
  /** Successful sends. */
  readonly sent: number;
  /** Failed attempts that are retried. */
  readonly failed: number;
  /** Messages that this relay has parked; `parked` counts those in the table. */
  readonly givenUp: number;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly ended: Promise<void>; readonly unwatch: () => void }
  | { readonly kind: 'stopped'; readonly ended: Promise<void> };

/** A pass under way. */
interface Begun {
  readonly pass: OutboxPass;
  /** How many messages it has claimed. */
  readonly taken: number;
  readonly ended: Promise<void>;
  /** When the next entry of the schedule is due, if none was. */
  readonly nextDueMs: number | undefined;
}

/** How long a pass may keep the next one waiting. One slow send, such as to a broker that is down, must not hold up all others. */
const SLOW_PASS_MS = 100;
/** Batches that may be under way at once. */
const MOST_BATCHES = 4;
/** The shortest pause after a pass without messages; each further one doubles it. */
const FIRST_REST_MS = 50;
/** The pauses after passes in which the database failed. */
const FAILURE_BACKOFF = { kind: 'exponential', initialMs: SECOND_MS, maxMs: MINUTE_MS, multiplier: 2 } as const;

/**
 * Sends the messages of an outbox, each at least once, those of a message group in order, and moves what is due from a schedule to the
 * outbox. Any number of relays can share both.
 * As a provider of a Nest application, it starts and stops with the application.
 */
export class OutboxRelay {
  private state: State = { kind: 'idle' };
  private settings: RelaySettings;
  private readonly claims: OutboxClaims;
  private readonly handOver: ScheduleHandOver | undefined;
  private readonly stopping = new AbortController();
  private readonly abandoning = new AbortController();
  private readonly counts: RelayCounts = { sent: 0, failed: 0, parked: 0 };
  private readonly excused = new ExcusedAttempts();
  private readonly passes = new Map<OutboxPass, Promise<void>>();
  /** Of a pass that the loop had stopped waiting for. */
  private lateFailure: { readonly error: unknown } | undefined;
  private emptyPasses = 0;
  private failedPasses = 0;
  private isWoken = false;
  private endRest: (() => void) | undefined;

  /** @throws UsageError that names the option */
  constructor(private readonly options: OutboxRelayOptions) {
    this.settings = relaySettings(options);
    this.claims = new OutboxClaims(
      options.database,
      options.outbox.table,
      this.settings.leaseMs,
      this.abandoning.signal,
    );
    if (options.schedule !== undefined) {
      this.handOver = new ScheduleHandOver(() => this.settings, options.schedule.table, this.abandoning.signal);
    }
  }

  /**
   * Starts sending. Idempotent.
   * @throws StateError `CLOSED` after a stop; create a new relay
   */
  start(): void {
    if (this.state.kind === 'running') return;
    if (this.state.kind === 'stopped') throw closed();
    const { outbox, schedule } = this.settings;
    const watches = [outbox, schedule].map((watched) => watched?.watch(() => this.wake()));
    const unwatch = (): void => {
      for (const end of watches) end?.();
    };
    // Deferred by a turn, so that the loop finds the state that is set here.
    this.state = { kind: 'running', unwatch, ended: Promise.resolve().then(() => this.work()) };
  }

  /**
   * Stops the relay: no more sends start, sends in flight are awaited and marked, and other claimed messages are released. Later calls
   * wait for the same end. It takes at most `sendTimeoutMs` and 5 s more: if the database does not answer, that is logged, and messages
   * that were sent but not marked are sent again. Stop it before the producer and the database.
   */
  stop(): Promise<void> {
    const { state } = this;
    if (state.kind === 'stopped') return state.ended;
    this.stopping.abort(closed());
    if (state.kind === 'running') state.unwatch();
    this.endRest?.();
    const ended = state.kind === 'running' ? this.endOf(state.ended) : Promise.resolve();
    this.state = { kind: 'stopped', ended };
    return ended;
  }

  /**
   * Polls for messages now. Optional: `outbox.add` and `schedule.set` notify the relay, which then polls more often. Calling it after the commit saves
   * the last milliseconds.
   */
  wake(): void {
    this.emptyPasses = 0;
    this.isWoken = true;
    this.endRest?.();
  }

  /**
   * One pass: moves what is due from the schedule to the outbox, claims due messages, sends them, and records the outcomes. For a periodic job instead of a started relay.
   * @returns how many messages it claimed; 0 when nothing was due
   * @throws StateError `CLOSED` after a stop; errors of the database, and messages without a recorded outcome are then sent again later
   */
  async runOnce(): Promise<number> {
    if (this.state.kind === 'stopped') throw closed();
    const { taken, ended } = await this.begin();
    await ended;
    return taken;
  }

  /** What it has done, and the backlog of all relays together. */
  async metrics(): Promise<OutboxMetrics> {
    const { database, outbox, schedule, leaseMs } = this.settings;
    const read = async (tx: SqlExecutor): Promise<OutboxLag & ScheduleLag> => {
      await dialectOf(database).readsOnly(tx);
      return { ...(await outbox.lag(tx)), ...((await schedule?.lag(tx)) ?? { scheduled: 0, overdueMs: 0 }) };
    };
    const lag = await databaseWithin('metrics of an outbox relay', leaseMs, () => database.transaction(read));
    const { sent, failed, parked: givenUp } = this.counts;
    return { ...lag, sent, failed, givenUp };
  }

  /** Called by Nest when producers are running. @throws StateError `TABLE_NOT_READY`, and then it has not started */
  async onApplicationBootstrap(): Promise<void> {
    const { outbox, schedule, database, logger } = this.settings;
    await checkAtStart(() => outbox.assertReady(database), logger);
    await checkAtStart(async () => schedule?.assertReady(database), logger);
    if (this.state.kind !== 'stopped') this.start();
  }

  /** Called by Nest before producers close. */
  onModuleDestroy(): Promise<void> {
    return this.stop();
  }

  /** @internal */
  [LOG_TO](logger: Logger): void {
    if (this.options.logger === undefined) this.settings = { ...this.settings, logger: unfailing(logger) };
  }

  private async endOf(ended: Promise<void>): Promise<void> {
    const { sendTimeoutMs, logger } = this.settings;
    const hasEnded = await endsWithin('stop of an outbox relay', sendTimeoutMs + STOP_GRACE_MS, ended, logger);
    if (!hasEnded) this.abandoning.abort(closed());
  }

  private async begin(): Promise<Begun> {
    const { settings, stopping } = this;
    const done = settings.clock.track('pass of an outbox relay');
    const pass = new OutboxPass(settings, this.claims, this.counts, this.excused, stopping.signal);
    try {
      const nextDueMs = await this.handOver?.run();
      const { taken, ended } = await pass.begin();
      return { pass, taken, nextDueMs, ended: ended.finally(done) };
    } catch (error) {
      done();
      throw error;
    }
  }

  private async work(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      this.isWoken = false;
      const restMs = await this.passAndRest();
      if (restMs > 0) await this.rest(restMs);
    }
    await Promise.all(this.passes.values());
  }

  /** Never rejects. @returns how long to pause, in milliseconds */
  private async passAndRest(): Promise<number> {
    try {
      await this.room();
      const { pass, taken, ended, nextDueMs = Number.POSITIVE_INFINITY } = await this.begin();
      if (taken === 0) {
        await ended;
        this.failedPasses = 0;
        const { pollIntervalMs, clock } = this.settings;
        const untilDueMs = Math.max(1, nextDueMs - clock.nowMs());
        return Math.min(FIRST_REST_MS * 2 ** Math.min(this.emptyPasses++, 30), pollIntervalMs, untilDueMs);
      }
      await this.linger(pass, ended);
      this.failedPasses = 0;
      this.emptyPasses = 0;
      return 0;
    } catch (error) {
      if (this.abandoning.signal.aborted) return 0;
      const restMs = backoffMs(FAILURE_BACKOFF, ++this.failedPasses);
      const fields = { error: describeError(error), restMs };
      this.settings.logger.error('an outbox relay could not access its table; it will retry', fields);
      // Added messages do not prove that the relay can access the database.
      this.isWoken = false;
      return restMs;
    }
  }

  /** Waits for a pass, but not for its slow sends. */
  private async linger(pass: OutboxPass, ended: Promise<void>): Promise<void> {
    let isAwaited = true;
    const settled = ended
      .catch((error: unknown) => {
        if (isAwaited) throw error;
        this.lateFailure = { error };
      })
      .finally(() => this.passes.delete(pass));
    this.passes.set(pass, settled);
    let task: ScheduledTask | undefined;
    const isSlow = new Promise<void>((resolve) => {
      task = this.settings.clock.schedule(SLOW_PASS_MS, () => {
        isAwaited = false;
        resolve();
      });
    });
    await Promise.race([settled, isSlow]).finally(() => task?.cancel());
  }

  /** Waits until another batch may be under way. @throws the error of a pass that nobody waited for */
  private async room(): Promise<void> {
    while (!this.mayClaim()) await Promise.race(this.passes.values());
    const { lateFailure } = this;
    this.lateFailure = undefined;
    if (lateFailure !== undefined) throw lateFailure.error;
  }

  private mayClaim(): boolean {
    const loads = [...this.passes.keys()].map(({ load }) => load);
    const rows = loads.reduce((sum, load) => sum + load.rows, 0);
    const bytes = loads.reduce((sum, load) => sum + load.bytes, 0);
    return rows <= (MOST_BATCHES - 1) * this.settings.batchSize && bytes < CLAIM_BYTES;
  }

  private rest(durationMs: number): Promise<void> {
    if (this.isWoken || this.stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      let task: ScheduledTask | undefined;
      const end = (): void => {
        task?.cancel();
        this.endRest = undefined;
        resolve();
      };
      this.endRest = end;
      task = this.settings.clock.schedule(durationMs, end);
    });
  }
}

function closed(): StateError {
  return new StateError('CLOSED', 'this relay was stopped; create a new one');
}
