// How relays share an outbox: claiming rows and settling them. The database arbitrates.

import { databaseWithin } from '../database-deadline.js';
import type { ClaimedRow, ClaimOptions, FailedRow, OutboxStatements } from '../dialect.js';
import { dialectOf } from '../dialects.js';
import { isUntranslatable } from '../sql-errors.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';

/** They are sent one after another, within one lease. */
const GROUP_ROWS = 16;

/** The most bytes of bodies that one claim has in memory, each about four times: as the driver received it, as a string, as bytes, and in a request. */
export const CLAIM_BYTES = 16 * 1024 * 1024;

/** The rows of one outbox, from the perspective of relays. Its methods are those of {@link OutboxStatements}. */
export class OutboxClaims {
  constructor(
    private readonly database: SqlDatabase,
    private readonly table: string,
    /** How long an access of the database may take, in real time: the lease, after which its outcome has no effect. */
    private readonly timeoutMs: number,
    private readonly abandoned: AbortSignal,
  ) {}

  take(claim: Omit<ClaimOptions, 'groupRows' | 'bytes'>): Promise<readonly ClaimedRow[]> {
    const { outbox } = dialectOf(this.database);
    const options = { ...claim, groupRows: GROUP_ROWS, bytes: CLAIM_BYTES };
    return this.within(() => outbox.take(this.database, this.table, options));
  }

  sent(positions: readonly number[]): Promise<void> {
    const { outbox } = dialectOf(this.database);
    return this.within(() => outbox.sent(this.database, this.table, positions));
  }

  async failed(claim: string, row: FailedRow): Promise<boolean> {
    const write = (error: string) => this.run((outbox, tx) => outbox.failed(tx, this.table, claim, { ...row, error }));
    try {
      return await write(row.error);
    } catch (cause) {
      // A database of PostgreSQL with another encoding than UTF-8 lacks most characters.
      if (!isUntranslatable(cause)) throw cause;
      return write(row.error.replace(/[^\x20-\x7e]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`));
    }
  }

  async release(claim: string, positions: readonly number[]): Promise<void> {
    if (positions.length > 0) await this.run((outbox, tx) => outbox.release(tx, this.table, claim, positions));
  }

  private run<T>(work: (outbox: OutboxStatements, tx: SqlExecutor) => Promise<T>): Promise<T> {
    return this.within(() => this.database.transaction((tx) => work(dialectOf(this.database).outbox, tx)));
  }

  /**
   * Marking sent rows must not fail because of a conflict: the messages would be sent again. A database that does not answer must not hold a relay
   * for ever.
   */
  private within<T>(transaction: () => Promise<T>): Promise<T> {
    return databaseWithin('access to the outbox', this.timeoutMs, transaction, this.abandoned);
  }
}
