// Dropping old rows of the library's tables now and then, while an application runs.

import { type Clock, HOUR_MS, type ScheduledTask, SystemClock } from '../support/clock.js';
import { StateError } from '../support/errors.js';
import { describeError, type Logger, silentLogger, unfailing } from '../support/logger.js';
import { positive } from '../support/options.js';
import type { SqlDatabase } from './sql-port.js';

/** What has old rows: an `Inbox`, an `Outbox`, a `TransactionLog`. */
export interface Purgeable {
  purge(database: SqlDatabase, signal?: AbortSignal): Promise<number>;
}

/** The options of `SqlCleanup`. */
export interface CleanupOptions {
  /** Where the tables are. */
  readonly database: SqlDatabase;
  /** What is purged, one after the other. */
  readonly tables: readonly Purgeable[];
  /** From the end of one round to the next; the first one begins after it, too. Default 1 h. */
  readonly intervalMs?: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: nothing is logged. */
  readonly logger?: Logger;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'waiting'; readonly task: ScheduledTask }
  | { readonly kind: 'purging'; readonly ended: Promise<void> }
  | { readonly kind: 'stopped'; readonly ended: Promise<void> };

/** Purges tables at intervals. As a provider of a Nest application it starts and stops with it. */
export class SqlCleanup {
  private state: State = { kind: 'idle' };
  private readonly stopping = new AbortController();
  private readonly intervalMs: number;
  private readonly clock: Clock;
  private readonly logger: Logger;

  /** @throws UsageError `ILLEGAL_OPTION` that names the option */
  constructor(private readonly options: CleanupOptions) {
    this.intervalMs = positive('intervalMs', options.intervalMs ?? HOUR_MS);
    this.clock = options.clock ?? new SystemClock();
    this.logger = unfailing(options.logger ?? silentLogger);
  }

  /** Begins. Repeating it does nothing. @throws StateError `CLOSED` after a stop */
  start(): void {
    if (this.state.kind === 'stopped') throw new StateError('CLOSED', 'this cleanup was stopped; make a new one');
    if (this.state.kind === 'idle') this.wait();
  }

  /** Ends it after the batch that runs. Repeating it waits for the same end. */
  stop(): Promise<void> {
    const { state } = this;
    if (state.kind === 'stopped') return state.ended;
    this.stopping.abort();
    if (state.kind === 'waiting') state.task.cancel();
    const ended = state.kind === 'purging' ? state.ended : Promise.resolve();
    this.state = { kind: 'stopped', ended };
    return ended;
  }

  /** Nest calls it when the application is up. */
  onApplicationBootstrap(): void {
    this.start();
  }

  /** Nest calls it at the application's end. */
  onModuleDestroy(): Promise<void> {
    return this.stop();
  }

  private wait(): void {
    const task = this.clock.schedule(this.intervalMs, () => {
      this.state = { kind: 'purging', ended: this.purge() };
    });
    this.state = { kind: 'waiting', task };
  }

  /** Never rejects: what could not be dropped is dropped in the next round. */
  private async purge(): Promise<void> {
    const done = this.clock.track('cleanup of tables');
    for (const table of this.options.tables) {
      try {
        await table.purge(this.options.database, this.stopping.signal);
      } catch (error) {
        this.logger.warn('old rows could not be dropped; they will be later', { error: describeError(error) });
      }
    }
    done();
    if (!this.stopping.signal.aborted) this.wait();
  }
}
