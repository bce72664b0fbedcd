// Sends the messages of an outbox repeatedly: it polls, sends and pauses. One pass is in outbox-pass.ts.

import { StateError } from '../../support/errors.js';
import { describeError, LOG_TO, type Logger, unfailing } from '../../support/logger.js';
import { databaseReadWithin, endsWithin, STOP_GRACE_MS } from '../database-deadline.js';
import { dialectOf } from '../dialects.js';
import { checkAtStart } from '../readiness.js';
import type { ScheduleLag } from '../schedule/schedule.js';
import type { SqlExecutor } from '../sql-port.js';
import { ExcusedAttempts } from './excused-attempts.js';
import type { OutboxLag } from './outbox.js';
import { CLAIM_BYTES, OutboxClaims } from './outbox-claims.js';
import { type Claimed, OutboxPass, type RelayCounts } from './outbox-pass.js';
import { type OutboxRelayOptions, type RelaySettings, relaySettings } from './outbox-relay-options.js';
import { type Found, RelayLoop } from './relay-loop.js';
import { ScheduleHandOver } from './schedule-hand-over.js';

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
interface Begun extends Claimed {
  readonly pass: OutboxPass;
}

/** Batches that may be under way at once. */
const MAX_BATCHES = 4;

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
  /** Of a pass: the loop does not wait for it, and slows down at its next turn. */
  private failure: { readonly error: unknown } | undefined;
  private readonly claiming: RelayLoop;
  /** Apart from the claims, so that neither waits for the other. */
  private readonly handingOver: RelayLoop | undefined;

  /** @throws UsageError that names the option */
  constructor(private readonly options: OutboxRelayOptions) {
    this.settings = relaySettings(options);
    this.claims = new OutboxClaims(
      options.database,
      options.outbox.table,
      this.settings.leaseMs,
      this.abandoning.signal,
    );
    const loop = (work: () => Promise<Found>): RelayLoop =>
      new RelayLoop(this.settings.clock, this.settings.pollIntervalMs, this.stopping.signal, work);
    this.claiming = loop(() => this.pass());
    if (options.schedule !== undefined) {
      const handOver = new ScheduleHandOver(() => this.settings, options.schedule.table, this.abandoning.signal);
      this.handOver = handOver;
      this.handingOver = loop(() => this.moveDue(handOver));
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
    const watches = [outbox.watch(() => this.claiming.wake()), schedule?.watch(() => this.handingOver?.wake())];
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
    const ended = state.kind === 'running' ? this.endOf(state.ended) : Promise.resolve();
    this.state = { kind: 'stopped', ended };
    return ended;
  }

  /**
   * Polls for messages now. Optional: `outbox.add` and `schedule.set` notify the relay, which then polls more often. Calling it after the commit saves
   * the last milliseconds.
   */
  wake(): void {
    this.handingOver?.wake();
    this.claiming.wake();
  }

  /**
   * One pass: moves what is due from the schedule to the outbox, claims due messages, sends them, and records the outcomes. For a periodic job instead of a started relay.
   * @returns how many messages it claimed; 0 when nothing was due
   * @throws StateError `CLOSED` after a stop; errors of the database, and messages without a recorded outcome are then sent again later. After an error of the
   *   schedule, what the outbox already had was sent
   */
  async runOnce(): Promise<number> {
    if (this.state.kind === 'stopped') throw closed();
    let claimed = 0;
    try {
      await this.handOver?.run();
    } finally {
      // What is in the outbox does not depend on the schedule.
      const { taken, ended } = await this.begin();
      await ended;
      claimed = taken;
    }
    return claimed;
  }

  /** What it has done, and the backlog of all relays together. */
  async metrics(): Promise<OutboxMetrics> {
    const { database, outbox, schedule, leaseMs } = this.settings;
    const read = async (tx: SqlExecutor): Promise<OutboxLag & ScheduleLag> => {
      await dialectOf(database).readsOnly(tx);
      return { ...(await outbox.lag(tx)), ...((await schedule?.lag(tx)) ?? { scheduled: 0, overdueMs: 0 }) };
    };
    const lag = await databaseReadWithin('metrics of an outbox relay', leaseMs, () => database.transaction(read));
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
      const claimed = await pass.begin();
      return { ...claimed, pass, ended: claimed.ended.finally(done) };
    } catch (error) {
      done();
      throw error;
    }
  }

  private async work(): Promise<void> {
    await Promise.all([this.claiming.run(), this.handingOver?.run()]);
    await Promise.all(this.passes.values());
  }

  private async pass(): Promise<Found> {
    try {
      await this.room();
      const begun = await this.begin();
      const { taken, ended } = begun;
      if (taken === 0) {
        await ended;
        return { kind: 'nothing' };
      }
      this.follow(begun);
      return { kind: taken < this.settings.batchSize ? 'all' : 'something' };
    } catch (error) {
      return this.failed('an outbox relay could not access its table; it will retry', error);
    }
  }

  /** Moves what is due from the schedule to the outbox. */
  private async moveDue(handOver: ScheduleHandOver): Promise<Found> {
    const done = this.settings.clock.track('hand-over of a schedule');
    try {
      const { moved, nextDueMs } = await handOver.run();
      if (moved === 0) return { kind: 'nothing', nextDueMs };
      this.claiming.wake();
      return { kind: 'something' };
    } catch (error) {
      const text =
        'an outbox relay could not move what is due from its schedule; it will retry, and goes on with the outbox';
      return this.failed(text, error);
    } finally {
      done();
    }
  }

  private failed(text: string, error: unknown): Found {
    if (this.abandoning.signal.aborted) return { kind: 'something' };
    const report = (restMs: number): void => this.settings.logger.error(text, { error: describeError(error), restMs });
    return { kind: 'failed', report };
  }

  /** Slow sends, such as to a broker that is down, must not hold up others: nobody waits for a pass. */
  private follow({ pass, hasGroups, ended }: Begun): void {
    const settled = ended
      .then(
        // The next messages of its groups can be claimed from here on.
        () => hasGroups && this.claiming.wake(),
        (error: unknown) => {
          this.failure = { error };
          this.claiming.wake();
        },
      )
      .then(() => void this.passes.delete(pass));
    this.passes.set(pass, settled);
  }

  /** Waits until another batch may be under way. @throws the error of a pass */
  private async room(): Promise<void> {
    while (!this.mayClaim()) await Promise.race(this.passes.values());
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure.error;
  }

  private mayClaim(): boolean {
    const loads = [...this.passes.keys()].map(({ load }) => load);
    const rows = loads.reduce((sum, load) => sum + load.rows, 0);
    const bytes = loads.reduce((sum, load) => sum + load.bytes, 0);
    return rows <= (MAX_BATCHES - 1) * this.settings.batchSize && bytes < CLAIM_BYTES;
  }
}

function closed(): StateError {
  return new StateError('CLOSED', 'this relay was stopped; create a new one');
}
