// The local transaction around a half message: a function that runs as the transaction, and `currentTransaction()` inside it.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import type { Clock, ScheduledTask } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import type { Resolution, Transaction } from './transaction.js';

/** How a local transaction ended whose method has returned. */
export interface LocalEnd {
  /** `unknown` leaves it to the server's check. */
  readonly resolution: Resolution | 'unknown';
  /** What the method fails with all the same. */
  readonly error?: unknown;
}

/**
 * Finds out how a local transaction ended.
 * @param wanted `rollback` after `rollback()`: what was recorded must not answer a later check with commit
 */
export type Proof = (wanted: Resolution) => Promise<LocalEnd>;

/** The transaction that the running code belongs to. */
export interface CurrentTransaction {
  /** @throws StateError `NOT_PREPARED` before the half message was sent */
  readonly topic: string;
  /** @throws StateError `NOT_PREPARED` before the half message was sent */
  readonly transactionId: string;
  /** @throws StateError `NOT_PREPARED` before the half message was sent */
  readonly messageId: string;
  /** Whether the half message was sent. */
  readonly isPrepared: boolean;
  /** Whether `rollback()` was called: the transaction ends without its message. */
  readonly isRollback: boolean;
  /**
   * Fires `localTransactionTimeoutMs` after the half message was sent. Give up then: from now on the checker may decide that
   * this transaction never was.
   */
  readonly signal: AbortSignal;
  /**
   * Sends the half message, for a transaction that decides its message on the way. Call it once, and before the database
   * commit: what is committed first and crashes then has no message.
   * @throws StateError `ALREADY_PREPARED` the second time, `TRANSACTION_ENDED` once the method has ended; whatever a send
   *   throws, and the local transaction should then fail
   */
  prepare(message: OutgoingMessage): Promise<void>;
  /**
   * Ends the transaction without its message when the method returns, and without an error. A row that `TransactionLog.record()` has
   * written no longer says commit then; but an instance that is asked before, once the database transaction is committed, answers by
   * that row. So call it before that commit.
   * @throws StateError `TRANSACTION_ENDED` once the method has ended
   */
  rollback(): void;
  /**
   * For a log that cannot know whether what it wrote is committed when the method returns: then `proof` decides. One that fails leaves
   * the end to the server's check, unless {@link rollback} was called.
   * @internal
   * @param proof ends by itself; undefined takes back what was given before
   */
  proveBy(proof: Proof | undefined): void;
  /**
   * What {@link proveBy} was given last.
   * @internal
   */
  readonly proof?: Proof | undefined;
}

type State =
  | { readonly kind: 'unprepared' }
  | { readonly kind: 'preparing'; readonly half: Promise<Transaction> }
  | { readonly kind: 'prepared'; readonly transaction: Transaction }
  | { readonly kind: 'ended'; readonly transaction: Transaction | undefined };

/** One run of a local transaction. */
export class TransactionScope implements CurrentTransaction {
  private state: State = { kind: 'unprepared' };
  private mayCommit = true;
  proof: Proof | undefined;
  private readonly overdue = new AbortController();
  private limit: ScheduledTask | undefined;
  private endsAtMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly sendHalf: (message: OutgoingMessage) => Promise<Transaction>,
    private readonly clock: Clock,
    private readonly timeoutMs: number,
  ) {}

  get topic(): string {
    return this.prepared().topic;
  }

  get transactionId(): string {
    return this.prepared().transactionId;
  }

  get messageId(): string {
    return this.prepared().messageId;
  }

  get isPrepared(): boolean {
    return this.sent() !== undefined;
  }

  get signal(): AbortSignal {
    return this.overdue.signal;
  }

  get isRollback(): boolean {
    return !this.mayCommit;
  }

  /** What is left of the time of the local transaction. */
  get remainingMs(): number {
    return Math.max(0, this.endsAtMs - this.clock.monotonicMs());
  }

  async prepare(message: OutgoingMessage): Promise<void> {
    this.assertRunning();
    if (this.state.kind !== 'unprepared') {
      const text = 'the half message of this transaction was already sent; a transaction has one message';
      throw new StateError('ALREADY_PREPARED', text);
    }
    // Other instances count from what the half message says; the answer to it may be long in coming.
    this.endsAtMs = this.clock.monotonicMs() + this.timeoutMs;
    const half = this.sendHalf(message);
    this.state = { kind: 'preparing', half };
    try {
      this.state = { kind: 'prepared', transaction: await half };
      this.limit = this.clock.schedule(this.remainingMs, () => this.overdue.abort(tookTooLong(this.timeoutMs)));
    } catch (error) {
      this.state = { kind: 'unprepared' };
      throw error;
    }
  }

  rollback(): void {
    this.assertRunning();
    this.mayCommit = false;
  }

  proveBy(proof: Proof | undefined): void {
    this.proof = proof;
  }

  /**
   * How the transaction ended whose method has returned.
   * @throws what its proof fails with; only the server's check can end it then
   */
  async proven(): Promise<LocalEnd> {
    const wanted = this.mayCommit ? 'commit' : 'rollback';
    return this.proof?.(wanted) ?? { resolution: wanted };
  }

  /**
   * The method has ended: nothing can be prepared any more. A half message that it did not wait for is waited for here, or
   * nobody would ever end it.
   * @returns the transaction, or undefined when no half message was sent
   * @throws what a half message under way fails with
   */
  async end(): Promise<Transaction | undefined> {
    if (this.state.kind === 'preparing') await this.state.half;
    this.limit?.cancel();
    const transaction = this.sent();
    this.state = { kind: 'ended', transaction };
    return transaction;
  }

  private sent(): Transaction | undefined {
    return this.state.kind === 'prepared' || this.state.kind === 'ended' ? this.state.transaction : undefined;
  }

  private assertRunning(): void {
    if (this.state.kind !== 'ended') return;
    const text = 'the method of this transaction has ended; await what belongs to it before it returns';
    throw new StateError('TRANSACTION_ENDED', text);
  }

  private prepared(): Transaction {
    const transaction = this.sent();
    if (transaction !== undefined) return transaction;
    throw new StateError('NOT_PREPARED', 'the half message was not sent yet; call prepare() first');
  }
}

function tookTooLong(timeoutMs: number): StateError {
  const text = `the local transaction took more than ${timeoutMs} ms (localTransactionTimeoutMs); now its check may decide`;
  return new StateError('TRANSACTION_TOO_LONG', text);
}

const STORAGE = Symbol.for('nestjs-rocketmq.current-transaction');

/** One storage for every copy of this package in the process, since ESM and CommonJS may both be loaded. */
function storage(): AsyncLocalStorage<CurrentTransaction> {
  const holder = globalThis as { [STORAGE]?: AsyncLocalStorage<CurrentTransaction> };
  holder[STORAGE] ??= new AsyncLocalStorage<CurrentTransaction>();
  return holder[STORAGE];
}

/** The transaction of the running method; undefined outside of one. */
export function transactionHere(): CurrentTransaction | undefined {
  return storage().getStore();
}

/**
 * The transaction of the running method.
 * @throws StateError `NO_TRANSACTION` outside of one
 */
export function currentTransaction(): CurrentTransaction {
  const current = transactionHere();
  if (current !== undefined) return current;
  const message = 'no transaction is running here; call this inside a method with @TransactionalSend, or in transact()';
  throw new StateError('NO_TRANSACTION', message);
}

/** Runs `work` as the local transaction of `scope`. */
export function runInTransaction<T>(scope: CurrentTransaction, work: () => Promise<T>): Promise<T> {
  return storage().run(scope, work);
}
