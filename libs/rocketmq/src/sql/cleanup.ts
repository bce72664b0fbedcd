// Deletes old rows of the library's tables periodically, while an application runs.

import { type Clock, HOUR_MS, type ScheduledTask, SECOND_MS, SystemClock } from '../support/clock.js';
import { StateError } from '../support/errors.js';
import { describeError, LOG_TO, type Logger, silentLogger, unfailing } from '../support/logger.js';
import { checkedPositive } from '../support/options.js';
import { endsWithin, STOP_GRACE_MS } from './database-deadline.js';
import { checkAtStart } from './readiness.js';
import type { SqlDatabase } from './sql-port.js';

/** A table with old rows: an `Inbox`, an `Outbox` or a `TransactionLog`. */
export interface Purgeable {
  purge(database: SqlDatabase, signal?: AbortSignal): Promise<number>;
  /** Checks at the start of an application that the table is there. */
  assertReady?(database: SqlDatabase): Promise<void>;
}

/** The options of `SqlCleanup`. */
export interface CleanupOptions {
  /** The database of the tables. */
  readonly database: SqlDatabase;
  /** The tables to purge, one after another. */
  readonly tables: readonly Purgeable[];
  /** The time from the end of one round to the next, in milliseconds; the first one also starts after it. Default 1 h. */
  readonly intervalMs?: number;
  /** The clock of the interval. Default: the system clock. */
  readonly clock?: Clock;
  /** Where failures are logged. Default: the logger of `RocketMQModule`, for a provider of its application; otherwise nothing is logged. */
  readonly logger?: Logger;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'waiting'; readonly task: ScheduledTask }
  | { readonly kind: 'purging'; readonly ended: Promise<void> }
  | { readonly kind: 'stopped'; readonly ended: Promise<void> };

/** Purges tables periodically. As a provider of a Nest application, it starts and stops with the application. */
export class SqlCleanup {
  private state: State = { kind: 'idle' };
  private readonly stopping = new AbortController();
  private readonly intervalMs: number;
  private readonly clock: Clock;
  private logger: Logger;

  /** @throws UsageError `ILLEGAL_OPTION` that names the option */
  constructor(private readonly options: CleanupOptions) {
    this.intervalMs = checkedPositive('intervalMs', options.intervalMs ?? HOUR_MS);
    this.clock = options.clock ?? new SystemClock();
    this.logger = unfailing(options.logger ?? silentLogger);
  }

  /** Starts. Idempotent. @throws StateError `CLOSED` after a stop */
  start(): void {
    if (this.state.kind === 'stopped') throw new StateError('CLOSED', 'this cleanup was stopped; create a new one');
    if (this.state.kind === 'idle') this.wait();
  }

  /**
   * Stops after the current batch. Later calls wait for the same end. If the database does not answer within 5 s, that is logged, and the
   * batch is abandoned.
   */
  stop(): Promise<void> {
    const { state } = this;
    if (state.kind === 'stopped') return state.ended;
    this.stopping.abort();
    if (state.kind === 'waiting') state.task.cancel();
    const ended =
      state.kind === 'purging'
        ? endsWithin('stop of a cleanup', STOP_GRACE_MS + SECOND_MS, state.ended, this.logger).then(() => undefined)
        : Promise.resolve();
    this.state = { kind: 'stopped', ended };
    return ended;
  }

  /** Called by Nest when the application has started. @throws StateError `TABLE_NOT_READY`, and then it has not started */
  async onApplicationBootstrap(): Promise<void> {
    const { database, tables } = this.options;
    for (const table of tables) await checkAtStart(async () => table.assertReady?.(database), this.logger);
    if (this.state.kind !== 'stopped') this.start();
  }

  /** Called by Nest when the application shuts down. */
  onModuleDestroy(): Promise<void> {
    return this.stop();
  }

  /** @internal */
  [LOG_TO](logger: Logger): void {
    if (this.options.logger === undefined) this.logger = unfailing(logger);
  }

  private wait(): void {
    const task = this.clock.schedule(this.intervalMs, () => {
      this.state = { kind: 'purging', ended: this.purge() };
    });
    this.state = { kind: 'waiting', task };
  }

  /** Never rejects: rows that could not be deleted are deleted in the next round. */
  private async purge(): Promise<void> {
    const done = this.clock.track('cleanup of tables');
    for (const table of this.options.tables) {
      try {
        await table.purge(this.options.database, this.stopping.signal);
      } catch (error) {
        this.logger.warn('old rows could not be deleted; the next round tries again', { error: describeError(error) });
      }
    }
    done();
    if (!this.stopping.signal.aborted) this.wait();
  }
}
