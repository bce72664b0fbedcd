// The transactions of one producer: half messages, local transactions, ends and checks.

import type { Client } from '../../client/client.js';
import type { Endpoint } from '../../client/endpoint.js';
import type { ServerCommand } from '../../client/server-commands.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { withAnySignal } from '../../support/abort.js';
import { StateError, UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { callWatcher } from '../../support/watchers.js';
import type { StoredMessage } from '../sending/send-request.js';
import { CheckAnswers } from './check-answers.js';
import { endTransaction } from './end-transaction.js';
import {
  type EndResult,
  type Resolution,
  Transaction,
  type TransactionEvents,
  type TransactionIdentity,
  type TransactionTelemetry,
} from './transaction.js';
import { TransactionBounds, type TransactionTimes } from './transaction-bounds.js';
import { askChecker, OWNER_PROPERTY, type TransactionCheckHandler } from './transaction-check.js';
import { TransactionMemory } from './transaction-memory.js';
import { type LocalEnd, runInTransaction, TransactionScope } from './transaction-scope.js';

/** The transaction options of a producer. */
export interface TransactionOptions extends TransactionTimes {
  /** The transaction checkers, by topic. Transactions are possible only on these topics. Default: none. */
  readonly transactionCheckers?: Readonly<Record<string, TransactionCheckHandler>>;
  /**
   * Marks this service's half messages, so that only this service answers their checks. Set a different name in each service if several
   * services send transactions on one topic. Default: the name of the topic.
   */
  readonly transactionOwner?: string;
  /** Event handlers for ends, lost ends and checks. Default: none. */
  readonly events?: Partial<TransactionEvents>;
}

/** Coordinates the transactions of a producer. */
export class TransactionCoordinator {
  private readonly memory: TransactionMemory;
  private readonly checkers: ReadonlyMap<string, TransactionCheckHandler>;
  private readonly answers: CheckAnswers;
  private readonly bounds: TransactionBounds;
  private readonly ending = new Set<Promise<EndResult>>();

  /** @throws UsageError that names the option */
  constructor(
    private readonly client: Client,
    private readonly options: TransactionOptions,
    private readonly telemetry: TransactionTelemetry | undefined,
  ) {
    this.checkers = new Map(Object.entries(options.transactionCheckers ?? {}));
    this.bounds = new TransactionBounds(options);
    this.memory = new TransactionMemory(client.connection.clock, this.bounds.timeoutMs);
    this.answers = new CheckAnswers({
      client,
      memory: this.memory,
      checkers: this.checkers,
      bounds: this.bounds,
      telemetry,
      ownerOf: (topic) => this.ownerOf(topic),
      onChecked: (check, resolution) => this.report(() => options.events?.onChecked?.(check, resolution)),
      onEnded: (check, resolution) => this.report(() => options.events?.onEnded?.(check, resolution, 'check')),
    });
  }

  /** The topics whose checks this producer can answer. */
  get topics(): string[] {
    return [...this.checkers.keys()];
  }

  /** How long the server waits before its first check; undefined for the server's configuration. */
  get firstCheckAfterMs(): number | undefined {
    return this.bounds.firstCheckAfterMs;
  }

  /** Sends a half message. @param sendHalf marks it with this service as the final change, and sends it */
  async begin(
    message: OutgoingMessage,
    sendHalf: (mark: (message: OutgoingMessage) => OutgoingMessage) => Promise<StoredMessage>,
  ): Promise<Transaction> {
    this.assertTransactional(message);
    const half = await sendHalf((given) => this.marked(given));
    this.memory.opened(half.transactionId);
    return new Transaction(half, (resolution) => this.end(half, resolution));
  }

  /** Runs a local transaction, see `Producer.transact`. */
  async transact<T>(
    message: OutgoingMessage | undefined,
    begin: (message: OutgoingMessage) => Promise<Transaction>,
    work: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const sendHalf = async (half: OutgoingMessage): Promise<Transaction> => {
      const transaction = await begin(half);
      await this.client.connection.checkpoint?.('half-sent', transaction);
      return transaction;
    };
    const recorderOf = (topic: string) => this.checkers.get(topic)?.recorder;
    const scope = new TransactionScope(sendHalf, this.client.connection.clock, this.bounds.timeoutMs, recorderOf);
    if (message !== undefined) await scope.prepare(message);
    let result: T;
    let transaction: Transaction | undefined;
    try {
      result = await runInTransaction(scope, async () => {
        const done = await work();
        await scope.recorder?.complete(scope);
        return done;
      });
    } catch (error) {
      // The method's error is thrown; the error of a half message that it did not wait for is ignored.
      transaction = await scope.end().catch(() => undefined);
      if (transaction !== undefined) {
        const failed = transaction;
        const end = () => this.endAfterFailure(failed, scope.remainingMs, signal);
        const defer = scope.recorder?.deferralOf(scope);
        if (defer === undefined) await end();
        else defer(end);
      }
      throw error;
    }
    transaction = await scope.end();
    if (transaction !== undefined) await this.endAfterReturn(transaction, scope);
    return result;
  }

  /** Answers a check in the background; false for another command. */
  take(command: ServerCommand, endpoint: Endpoint): boolean {
    return this.answers.take(command, endpoint);
  }

  /** Stops answering checks. Waits for the answers in progress, and for their checkers no longer than the grace period. */
  closeAnswers(shutdownGraceMs: number): Promise<void> {
    return this.answers.close(shutdownGraceMs);
  }

  /** Stops waiting for checkers: the decision is left to the server's check. */
  giveUp(): void {
    this.answers.giveUp();
  }

  /** Waits for the ends that are being sent. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.ending);
  }

  private async endAfterReturn(transaction: Transaction, scope: TransactionScope): Promise<void> {
    await this.client.connection.checkpoint?.('local-transaction-done', transaction);
    const { resolution, error, defer } = await scope
      .proven()
      .catch((failure: unknown) => this.unproven(transaction, scope, failure));
    if (defer !== undefined) return defer(() => this.endAfterReturn(transaction, scope));
    if (resolution === 'commit') await transaction.commit();
    if (resolution === 'rollback') await transaction.rollback();
    if (resolution === 'unknown') this.leaveOpen(transaction);
    await this.client.connection.checkpoint?.('transaction-ended', transaction);
    if (error !== undefined) throw error;
  }

  private unproven(
    { topic, transactionId }: Transaction,
    { isRollback }: TransactionScope,
    failure: unknown,
  ): LocalEnd {
    const fields = { topic, transactionId, error: describeError(failure) };
    const text = isRollback
      ? 'a local transaction is rolled back, but its row in the log may still say commit: if this end is lost, the message is delivered'
      : 'it is unknown whether a local transaction was committed; the server will check it';
    this.client.connection.logger.warn(text, fields);
    return { resolution: isRollback ? 'rollback' : 'unknown' };
  }

  /** From now on the checker answers its checks. */
  private leaveOpen(transaction: Transaction): void {
    this.memory.forget(transaction.transactionId);
    this.telemetry?.leftOpen(transaction);
  }

  /**
   * A failed method may still have committed its database transaction; only the checker knows. Until it has answered, the server's
   * checks are answered with `unknown`, because otherwise both would end the transaction.
   * @param leftMs the remaining time of the local transaction: its caller waits no longer than that
   */
  private async endAfterFailure(
    transaction: Transaction,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (!transaction.isOpen) return;
    const { topic, messageId, transactionId, message } = transaction;
    const checker = this.checkers.get(topic);
    const check = { topic, messageId, transactionId, message, mayStillRun: false };
    const options = {
      timeoutMs: Math.min(this.bounds.checkTimeoutMs, leftMs),
      logger: this.client.connection.logger,
      onLate: (resolution: Resolution) => this.memory.ended(transactionId, resolution, false),
    };
    const isAsked = checker !== undefined && leftMs > 0;
    const resolution = isAsked
      ? await withAnySignal([signal, this.answers.givenUp], (end) =>
          askChecker(checker, check, { ...options, signal: end }),
        )
      : 'unknown';
    if (resolution === 'commit') await transaction.commit();
    if (resolution === 'rollback') await transaction.rollback();
    if (resolution === 'unknown') this.leaveOpen(transaction);
  }

  private end(half: StoredMessage, resolution: Resolution): Promise<EndResult> {
    const ending = this.watchedEnd(half, resolution).finally(() => this.ending.delete(ending));
    this.ending.add(ending);
    return ending;
  }

  private watchedEnd(half: StoredMessage, resolution: Resolution): Promise<EndResult> {
    if (this.telemetry === undefined) return this.sendEnd(half, resolution);
    const observed = { ...identityOf(half), properties: half.wire.userProperties };
    return this.telemetry.end(observed, resolution, () => this.sendEnd(half, resolution));
  }

  private async sendEnd(half: StoredMessage, resolution: Resolution): Promise<EndResult> {
    const { endpoint } = half;
    const identity = identityOf(half);
    const { topic, transactionId } = identity;
    // A check that crosses this end must not be answered, too: on a real server both would deliver the message.
    this.memory.opened(transactionId);
    try {
      assertEndable(half, resolution);
      this.assertInTime(half, resolution);
      await endTransaction(this.client, endpoint, identity, resolution, 'client');
      this.memory.ended(transactionId, resolution, true);
      this.report(() => this.options.events?.onEnded?.(identity, resolution, 'client'));
      return 'accepted';
    } catch (error) {
      this.memory.ended(transactionId, resolution, false);
      const fields = { topic, transactionId, resolution, error: describeError(error) };
      this.client.connection.logger.warn('the end of a transaction is left to the check', fields);
      this.report(() => this.options.events?.onLeftToCheck?.(identity, resolution, error));
      return 'left-to-check';
    }
  }

  private assertInTime({ bornAtMs }: StoredMessage, resolution: Resolution): void {
    const ageMs = this.client.connection.clock.monotonicMs() - bornAtMs;
    if (!this.bounds.isTooLateToEnd(ageMs)) return;
    const text = `the ${resolution} is ${Math.round(ageMs)} ms later than its half message, when the server accepts only answers to checks`;
    throw new StateError(
      'TRANSACTION_TOO_LONG',
      `${text}; it was not sent, and is the answer to the server's next check`,
    );
  }

  private report(notify: () => unknown): void {
    callWatcher(this.client.connection.logger, 'transactions', notify);
  }

  private marked(message: OutgoingMessage): OutgoingMessage {
    this.assertTransactional(message);
    const properties = { ...message.properties, [OWNER_PROPERTY]: this.ownerOf(message.topic) };
    return { ...message, properties };
  }

  private ownerOf(topic: string): string {
    return this.options.transactionOwner ?? topic;
  }

  private assertTransactional(message: OutgoingMessage): void {
    const { topic } = message;
    if (!this.checkers.has(topic)) {
      const text = `topic "${topic}" has no transaction checker, so a lost end could never be resolved; nothing was sent`;
      throw new UsageError('NO_TRANSACTION_CHECKER', text, 'transactionCheckers');
    }
    for (const field of ['messageGroup', 'deliverAt', 'delayMs', 'priority', 'liteTopic'] as const) {
      if (message[field] === undefined) continue;
      const text = `message to "${topic}": ${field} cannot be combined with a transaction; nothing was sent`;
      throw new UsageError('ILLEGAL_TRANSACTION', text, field);
    }
  }
}

function assertEndable({ isEndable, durability }: StoredMessage, resolution: Resolution): void {
  if (isEndable) return;
  const text = `the proxy has not said which transaction the half message began (durability: ${durability}), so it would lose the ${resolution}`;
  throw new StateError(
    'TRANSACTION_NOT_ENDABLE',
    `${text}; it was not sent, and is the answer to the server's next check`,
  );
}

function identityOf({ topic, messageId, transactionId }: StoredMessage): TransactionIdentity {
  return { topic, messageId, transactionId };
}
