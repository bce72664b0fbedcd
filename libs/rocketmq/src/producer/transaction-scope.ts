// The local transaction around a half message: a function that runs as the transaction, and `currentTransaction()` inside it.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { OutgoingMessage } from '../protocol/message.js';
import { StateError } from '../support/errors.js';
import type { Transaction } from './transaction.js';

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
  /**
   * Sends the half message, for a transaction that decides its message on the way. Call it once, and before the database
   * commit: what is committed first and crashes then has no message.
   * @throws StateError `ALREADY_PREPARED` the second time; whatever a send throws, the local transaction should then fail
   */
  prepare(message: OutgoingMessage): Promise<void>;
  /** Ends the transaction without its message when the method returns, and without an error. */
  rollback(): void;
}

type State =
  | { readonly kind: 'unprepared' }
  | { readonly kind: 'preparing' }
  | { readonly kind: 'prepared'; readonly transaction: Transaction };

/** One run of a local transaction. */
export class TransactionScope implements CurrentTransaction {
  private state: State = { kind: 'unprepared' };
  private mayCommit = true;

  constructor(private readonly sendHalf: (message: OutgoingMessage) => Promise<Transaction>) {}

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
    return this.state.kind === 'prepared';
  }

  /** The transaction, or undefined when no half message was sent. */
  get transaction(): Transaction | undefined {
    return this.state.kind === 'prepared' ? this.state.transaction : undefined;
  }

  get isRollback(): boolean {
    return !this.mayCommit;
  }

  async prepare(message: OutgoingMessage): Promise<void> {
    if (this.state.kind !== 'unprepared') {
      const text = 'the half message of this transaction was already sent; a transaction has one message';
      throw new StateError('ALREADY_PREPARED', text);
    }
    this.state = { kind: 'preparing' };
    try {
      this.state = { kind: 'prepared', transaction: await this.sendHalf(message) };
    } catch (error) {
      this.state = { kind: 'unprepared' };
      throw error;
    }
  }

  rollback(): void {
    this.mayCommit = false;
  }

  private prepared(): Transaction {
    if (this.state.kind === 'prepared') return this.state.transaction;
    throw new StateError('NOT_PREPARED', 'the half message was not sent yet; call prepare() first');
  }
}

const STORAGE = Symbol.for('nestjs-rocketmq.current-transaction');

/** One storage for every copy of this package in the process, since ESM and CommonJS may both be loaded. */
function storage(): AsyncLocalStorage<CurrentTransaction> {
  const holder = globalThis as { [STORAGE]?: AsyncLocalStorage<CurrentTransaction> };
  holder[STORAGE] ??= new AsyncLocalStorage<CurrentTransaction>();
  return holder[STORAGE];
}

/**
 * The transaction of the running method.
 * @throws StateError `NO_TRANSACTION` outside of one
 */
export function currentTransaction(): CurrentTransaction {
  const current = storage().getStore();
  if (current !== undefined) return current;
  const message = 'no transaction is running here; call this inside a method with @TransactionalSend or transact()';
  throw new StateError('NO_TRANSACTION', message);
}

/** Runs `work` as the local transaction of `scope`. */
export function runInTransaction<T>(scope: CurrentTransaction, work: () => Promise<T>): Promise<T> {
  return storage().run(scope, work);
}
