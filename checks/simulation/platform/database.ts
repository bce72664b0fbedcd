// The simulated database of the local transactions: keys are locked, commits take time, connections end with their process. It
// supports only the statements of the transaction log.

import type { SqlDatabase, SqlExecutor } from 'nestjs-rocketmq/sql';
import type { Simulation } from './simulation.js';

const UNIQUE_VIOLATION = '23505';
const LOCK_NOT_AVAILABLE = '55P03';
/** The maximum duration of a statement. */
const STATEMENT_MS = 2;

interface Transaction {
  readonly number: string;
  readonly rows: Map<string, string>;
  lockTimeoutMs: number;
  readonly released: Set<() => void>;
}

/** One database, shared by all processes. */
export class SimulatedDatabase {
  /** The committed resolutions by transaction id. */
  readonly rows = new Map<string, string>();
  private readonly holders = new Map<string, Transaction>();
  private readonly ended = new Map<string, 'committed' | 'aborted'>();
  private nextNumber = 1;

  constructor(private readonly simulation: Simulation) {}

  /** The database, as seen by a process. */
  readonly port: SqlDatabase = {
    transaction: async (work) => {
      const { simulation } = this;
      const process = simulation.current;
      const transaction: Transaction = {
        number: String(this.nextNumber++),
        rows: new Map(),
        lockTimeoutMs: 60_000,
        released: new Set(),
      };
      const abort = (): void => this.end(transaction, 'aborted');
      process?.onDeath.add(abort);
      let result: Awaited<ReturnType<typeof work>>;
      try {
        await this.pause();
        result = await work({ query: (text, values) => this.query(transaction, text, values) });
      } catch (error) {
        abort();
        process?.onDeath.delete(abort);
        throw error;
      }
      await this.pause();
      if (process === undefined || simulation.effect()) this.end(transaction, 'committed');
      process?.onDeath.delete(abort);
      // The answer follows the commit: a crash in between leaves a row that the process does not know of.
      await this.pause();
      return result;
    },
  };

  private async query(transaction: Transaction, text: string, values: unknown[]): ReturnType<SqlExecutor['query']> {
    await this.pause();
    if (text.startsWith('SET LOCAL lock_timeout')) {
      transaction.lockTimeoutMs = Number(/\d+$/.exec(text)?.[0]);
      return { rows: [] };
    }
    if (text.startsWith('SELECT txid_current()')) return { rows: [{ number: transaction.number }] };
    if (text.startsWith('SELECT "relkind"')) return { rows: [{ isTable: true }] };
    if (text.startsWith('SELECT txid_status')) {
      return { rows: [{ status: this.ended.get(String(values[0])) ?? 'in progress' }] };
    }
    if (text.startsWith('SELECT "resolution"')) {
      const resolution = this.rows.get(String(values[0])) ?? transaction.rows.get(String(values[0]));
      return { rows: resolution === undefined ? [] : [{ resolution }] };
    }
    if (text.startsWith('INSERT INTO')) return this.insert(transaction, text, String(values[0]));
    throw new Error(`the simulated database does not know: ${text}`);
  }

  private async insert(transaction: Transaction, text: string, id: string): ReturnType<SqlExecutor['query']> {
    await this.unlocked(transaction, id);
    if (this.rows.has(id) || transaction.rows.has(id)) {
      if (text.includes('ON CONFLICT DO NOTHING')) return { rows: [] };
      throw Object.assign(new Error('duplicate key value violates unique constraint'), { code: UNIQUE_VIOLATION });
    }
    const resolution = text.includes("'commit'") ? 'commit' : 'rollback';
    this.holders.set(id, transaction);
    transaction.rows.set(id, resolution);
    return { rows: [resolution === 'commit' ? { isInSavepoint: false } : { resolution }] };
  }

  private async unlocked(transaction: Transaction, id: string): Promise<void> {
    for (
      let holder = this.holders.get(id);
      holder !== undefined && holder !== transaction;
      holder = this.holders.get(id)
    ) {
      const { released } = holder;
      await new Promise<void>((resolve, reject) => {
        const { simulation } = this;
        const process = simulation.current;
        const wake = (): void => {
          withdraw();
          simulation.at(simulation.nowMs, process, resolve);
        };
        const withdraw = simulation.at(simulation.nowMs + transaction.lockTimeoutMs, process, () => {
          released.delete(wake);
          reject(Object.assign(new Error('canceling statement due to lock timeout'), { code: LOCK_NOT_AVAILABLE }));
        });
        released.add(wake);
      });
    }
  }

  private end(transaction: Transaction, how: 'committed' | 'aborted'): void {
    if (this.ended.has(transaction.number)) return;
    this.ended.set(transaction.number, how);
    for (const [id, resolution] of transaction.rows) {
      this.holders.delete(id);
      if (how === 'committed') this.rows.set(id, resolution);
    }
    for (const wake of transaction.released) wake();
  }

  private pause(): Promise<void> {
    const { simulation } = this;
    const takesMs = simulation.networkChance.between(0.1, STATEMENT_MS);
    return new Promise((resolve) => simulation.at(simulation.nowMs + takesMs, simulation.current, () => resolve()));
  }
}
