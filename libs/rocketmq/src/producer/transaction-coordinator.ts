// Transactions of one producer: beginning them, running local transactions, answering the server's checks.

import type { Client } from '../client/client.js';
import type { Endpoint } from '../client/endpoint.js';
import type { ServerCommand } from '../client/telemetry-session.js';
import { fromWireMessage, type OutgoingMessage } from '../protocol/message.js';
import { UsageError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import type { StoredMessage } from './send-pipeline.js';
import {
  endTransaction,
  type Resolution,
  Transaction,
  type TransactionEvents,
  type TransactionIdentity,
} from './transaction.js';
import { askChecker, OWNER_PROPERTY, type TransactionChecker, TransactionMemory } from './transaction-check.js';
import { runInTransaction, TransactionScope } from './transaction-scope.js';

/** Where a crash of a transaction is worth testing. */
export type TransactionCheckpoint = 'half-sent' | 'local-transaction-done' | 'transaction-ended';

/** What a producer's options say of transactions. */
export interface TransactionOptions {
  /** Who answers the server's checks, by topic. A transaction is possible only on these topics. */
  readonly transactionCheckers?: Readonly<Record<string, TransactionChecker>>;
  /** Marks this service's half messages, so that only it answers for them. Default: the topic's name. */
  readonly transactionOwner?: string;
  readonly events?: Partial<TransactionEvents>;
  /** Awaited at named points of a transaction. For crash tests; it can stop a process there. */
  readonly checkpoint?: (point: TransactionCheckpoint, transaction: TransactionIdentity) => Promise<void> | void;
}

/** Everything of a producer that has to do with transactions. */
export class TransactionCoordinator {
  private readonly memory: TransactionMemory;
  private readonly checkers: ReadonlyMap<string, TransactionChecker>;
  private readonly answering = new Set<Promise<void>>();

  constructor(
    private readonly client: Client,
    private readonly options: TransactionOptions,
  ) {
    this.checkers = new Map(Object.entries(options.transactionCheckers ?? {}));
    this.memory = new TransactionMemory(client.connection.clock);
  }

  /** The topics whose checks this producer can answer. */
  get topics(): string[] {
    return [...this.checkers.keys()];
  }

  /** Sends a half message, marked as this service's. */
  async begin(
    message: OutgoingMessage,
    sendHalf: (marked: OutgoingMessage) => Promise<StoredMessage>,
  ): Promise<Transaction> {
    this.assertTransactional(message);
    const properties = { ...message.properties, [OWNER_PROPERTY]: this.ownerOf(message.topic) };
    const half = await sendHalf({ ...message, properties });
    this.memory.opened(half.transactionId);
    return new Transaction(this.client, half, (...end) => this.ended(...end));
  }

  /** Runs a local transaction, as `Producer.transact` promises. */
  async transact<T>(
    message: OutgoingMessage | undefined,
    begin: (message: OutgoingMessage) => Promise<Transaction>,
    work: () => Promise<T>,
  ): Promise<T> {
    const scope = new TransactionScope(async (half) => {
      const transaction = await begin(half);
      await this.options.checkpoint?.('half-sent', transaction);
      return transaction;
    });
    if (message !== undefined) await scope.prepare(message);
    let result: T;
    try {
      result = await runInTransaction(scope, work);
    } catch (error) {
      if (scope.transaction !== undefined) await this.endAfterFailure(scope.transaction);
      throw error;
    }
    if (scope.transaction !== undefined) await this.endAfterReturn(scope.transaction, scope.isRollback);
    return result;
  }

  /** Answers a check in the background; false for another command. */
  take(command: ServerCommand, endpoint: Endpoint): boolean {
    if (command.$case !== 'recoverOrphanedTransactionCommand') return false;
    const { message, transactionId } = command.value;
    if (message === undefined) return true;
    const view = fromWireMessage(message);
    const identity = { topic: view.topic, messageId: view.messageId, transactionId };
    const isOurs = view.properties[OWNER_PROPERTY] === this.ownerOf(view.topic);
    const checker = this.checkers.get(view.topic);
    // Another service sends on this topic too; its own producer answers, and a wrong answer would lose its message.
    if (!isOurs || checker === undefined) return true;
    const answering = this.answer({ ...identity, message: view }, checker, endpoint).finally(() => {
      this.answering.delete(answering);
    });
    this.answering.add(answering);
    return true;
  }

  private async answer(
    check: Parameters<typeof askChecker>[1],
    checker: TransactionChecker,
    endpoint: Endpoint,
  ): Promise<void> {
    const { logger } = this.client.connection;
    const resolution = this.memory.recall(check.transactionId) ?? (await askChecker(checker, check, logger));
    this.options.events?.onChecked?.(check, resolution);
    if (resolution === 'unknown') return;
    try {
      await endTransaction(this.client, endpoint, check, resolution, 'check');
    } catch (error) {
      const { topic, transactionId } = check;
      const fields = { topic, transactionId, resolution, error: describeError(error) };
      logger.warn('the answer to a transaction check was lost; the server will ask again', fields);
    }
  }

  /** Waits for the checks that are being answered. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.answering);
  }

  private async endAfterReturn(transaction: Transaction, isRollback: boolean): Promise<void> {
    await this.options.checkpoint?.('local-transaction-done', transaction);
    await (isRollback ? transaction.rollback() : transaction.commit());
    await this.options.checkpoint?.('transaction-ended', transaction);
  }

  /** A failed method may still have committed its database transaction; only the checker knows. */
  private async endAfterFailure(transaction: Transaction): Promise<void> {
    const { topic, messageId, transactionId, message } = transaction;
    this.memory.forget(transactionId);
    const checker = this.checkers.get(topic);
    if (checker === undefined || !transaction.isOpen) return;
    const check = { topic, messageId, transactionId, message };
    const resolution = await askChecker(checker, check, this.client.connection.logger);
    if (resolution === 'commit') await transaction.commit();
    if (resolution === 'rollback') await transaction.rollback();
  }

  private ended(transaction: Transaction, resolution: Resolution, error: unknown): void {
    this.memory.ended(transaction.transactionId, resolution, error === undefined);
    if (error !== undefined) this.options.events?.onLeftToCheck?.(transaction, resolution, error);
  }

  private ownerOf(topic: string): string {
    return this.options.transactionOwner ?? topic;
  }

  private assertTransactional(message: OutgoingMessage): void {
    const { topic } = message;
    if (!this.checkers.has(topic)) {
      const text = `topic "${topic}" has no transaction checker, so a lost end could never be settled; nothing was sent`;
      throw new UsageError('NO_TRANSACTION_CHECKER', text, 'transactionCheckers');
    }
    for (const field of ['messageGroup', 'deliverAt', 'delayMs'] as const) {
      if (message[field] === undefined) continue;
      const text = `message to "${topic}": ${field} and a transaction exclude each other; nothing was sent`;
      throw new UsageError('ILLEGAL_TRANSACTION', text, field);
    }
  }
}
