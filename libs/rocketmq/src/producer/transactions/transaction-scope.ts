// The local transaction around a half message: a function that runs as the transaction, and `currentLocalTransaction()` inside it.

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import type { Clock, ScheduledTask } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import type { Resolution, Transaction } from './transaction.js';

/** How a local transaction ended after its method returned. */
export interface LocalEnd {
  /** `unknown` leaves it to the server's check. */
  readonly resolution: Resolution | 'unknown';
  /** An error with which the method fails nevertheless. */
  readonly error?: unknown;
  /** For a database transaction that was begun around the method and still runs: calls `end` when it has ended. */
  readonly defer?: (end: () => Promise<void>) => void;
}

/** Records local transactions without being called by their methods. */
export interface TransactionRecorder {
  /** The transactions in which it records; undefined if it does not. */
  readonly transactions?: object | undefined;
  /** Called when the work of the transaction has succeeded and a half message was sent. */
  complete(transaction: TransactionRun): Promise<void>;
  /**
   * How to wait for the database transaction that was begun around the local one; undefined if none runs. It holds rows and a connection, so
   * nothing that asks the database may be awaited before.
   */
  deferralOf(transaction: TransactionRun): LocalEnd['defer'];
}

/**
 * Finds out how a local transaction ended.
 * @param wanted `rollback` after `rollback()`: a recorded row must not answer a later check with commit
 */
export type LocalEndFinder = (wanted: Resolution) => Promise<LocalEnd>;

/** The transaction that the current code runs in. */
export interface LocalTransaction {
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
   * Fires `localTransactionTimeoutMs` after the half message was sent. Abort the transaction then: the checker may now decide that it
   * was rolled back.
   */
  readonly signal: AbortSignal;
  /**
   * Sends the half message of a transaction that determines its message while it runs. Call it once, and before the database
   * commit: if the process crashes after a commit that came first, the message is lost.
   * @throws StateError `ALREADY_PREPARED` the second time, `TRANSACTION_ENDED` once the method has ended; the errors of a send,
   *   after which the local transaction should fail
   */
  prepare(message: OutgoingMessage): Promise<void>;
  /**
   * Ends the transaction without its message, and without an error, when the method returns. A row that `TransactionLog.record()` has
   * written is then changed to rollback. Until that happens, another instance answers a check according to the committed row, so call
   * this before the database commit.
   * @throws StateError `TRANSACTION_ENDED` once the method has ended
   */
  rollback(): void;
  /**
   * For a log that cannot know whether its row is committed when the method returns: `endFinder` decides then. If it fails, the end is
   * left to the server's check, unless {@link rollback} was called.
   * @internal
   * @param endFinder ends by itself; undefined removes the earlier one
   */
  findEndBy(endFinder: LocalEndFinder | undefined): void;
  /**
   * The last argument of {@link findEndBy}.
   * @internal
   */
  readonly endFinder?: LocalEndFinder | undefined;
  /**
   * Of the topic of the half message; undefined before that was sent.
   * @internal
   */
  readonly recorder?: TransactionRecorder | undefined;
  /**
   * The transaction that this is a view of, the same for all views of one run.
   * @internal
   */
  readonly run: TransactionRun;
}

/** One run of a local transaction. */
export interface TransactionRun extends LocalTransaction {
  /** Whether its method has ended. Work that this has started, but not awaited, can go on. */
  readonly hasEnded: boolean;
  /** @throws StateError `TRANSACTION_ENDED` */
  assertRunning(): void;
  /** Calls `look` in the asynchronous context in which the run began. */
  outside<T>(look: () => T): T;
}

type State =
  | { readonly kind: 'unprepared' }
  | { readonly kind: 'preparing'; readonly half: Promise<Transaction> }
  | { readonly kind: 'prepared'; readonly transaction: Transaction }
  | { readonly kind: 'ended'; readonly transaction: Transaction | undefined };

/** One run of a local transaction. */
export class TransactionScope implements TransactionRun {
  readonly run = this;
  private readonly origin = new AsyncResource('nestjs-rocketmq.transaction');
  private state: State = { kind: 'unprepared' };
  private mayCommit = true;
  endFinder: LocalEndFinder | undefined;
  private readonly overdue = new AbortController();
  private limit: ScheduledTask | undefined;
  private endsAtMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly sendHalf: (message: OutgoingMessage) => Promise<Transaction>,
    private readonly clock: Clock,
    private readonly timeoutMs: number,
    private readonly recorderOf: (topic: string) => TransactionRecorder | undefined = () => undefined,
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

  get hasEnded(): boolean {
    return this.state.kind === 'ended';
  }

  get recorder(): TransactionRecorder | undefined {
    const transaction = this.sent();
    return transaction === undefined ? undefined : this.recorderOf(transaction.topic);
  }

  outside<T>(look: () => T): T {
    return this.origin.runInAsyncScope(look);
  }

  /** The remaining time of the local transaction, in milliseconds. */
  get remainingMs(): number {
    return Math.max(0, this.endsAtMs - this.clock.monotonicMs());
  }

  async prepare(message: OutgoingMessage): Promise<void> {
    this.assertRunning();
    if (this.state.kind !== 'unprepared') {
      const text = 'the half message of this transaction was already sent; a transaction has only one message';
      throw new StateError('ALREADY_PREPARED', text);
    }
    // Other instances count from the timestamp in the half message; its answer can take long.
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

  findEndBy(endFinder: LocalEndFinder | undefined): void {
    this.endFinder = endFinder;
  }

  /**
   * How the transaction ended after its method returned.
   * @throws the error of its finder; only the server's check can end it then
   */
  async proven(): Promise<LocalEnd> {
    const wanted = this.mayCommit ? 'commit' : 'rollback';
    return this.endFinder?.(wanted) ?? { resolution: wanted };
  }

  /**
   * Called when the method has ended: no more half messages can be prepared. One that the method did not wait for is waited for here,
   * or its transaction would never be ended.
   * @returns the transaction, or undefined when no half message was sent
   * @throws the error of a half message in flight
   */
  async end(): Promise<Transaction | undefined> {
    if (this.state.kind === 'preparing') await this.state.half;
    this.limit?.cancel();
    const transaction = this.sent();
    this.state = { kind: 'ended', transaction };
    return transaction;
  }

  assertRunning(): void {
    if (this.state.kind !== 'ended') return;
    const text =
      'the method of this transaction has already returned; await all work that belongs to it before it returns';
    throw new StateError('TRANSACTION_ENDED', text);
  }

  private sent(): Transaction | undefined {
    return this.state.kind === 'prepared' || this.state.kind === 'ended' ? this.state.transaction : undefined;
  }

  private prepared(): Transaction {
    const transaction = this.sent();
    if (transaction !== undefined) return transaction;
    throw new StateError('NOT_PREPARED', 'the half message was not sent yet; call prepare() first');
  }
}

function tookTooLong(timeoutMs: number): StateError {
  const text = `the local transaction took longer than ${timeoutMs} ms (localTransactionTimeoutMs); its transaction check may decide now`;
  return new StateError('TRANSACTION_TOO_LONG', text);
}

const STORAGE = Symbol.for('nestjs-rocketmq.current-transaction');

/** One storage for every copy of this package in the process, because ESM and CommonJS may both be loaded. */
function storage(): AsyncLocalStorage<LocalTransaction> {
  const holder = globalThis as { [STORAGE]?: AsyncLocalStorage<LocalTransaction> };
  holder[STORAGE] ??= new AsyncLocalStorage<LocalTransaction>();
  return holder[STORAGE];
}

/** The transaction of the running method; undefined outside of one. */
export function transactionHere(): LocalTransaction | undefined {
  return storage().getStore();
}

/**
 * The transaction of the running method.
 * @throws StateError `NO_TRANSACTION` outside of one
 */
export function currentLocalTransaction(): LocalTransaction {
  const current = transactionHere();
  if (current !== undefined) return current;
  const message =
    'no transaction is running here; call this inside a method with @TransactionalSend, or inside transact()';
  throw new StateError('NO_TRANSACTION', message);
}

/** Runs `work` as the local transaction of `scope`. */
export function runInTransaction<T>(scope: LocalTransaction, work: () => Promise<T>): Promise<T> {
  return storage().run(scope, work);
}
