// Answers transaction checks: from memory, otherwise by calling the topic's checker. Checks for other services stay unanswered.

import type { Client } from '../../client/client.js';
import type { Endpoint } from '../../client/endpoint.js';
import type { ServerCommand } from '../../client/server-commands.js';
import { fromWireMessage, hasPackedBody } from '../../protocol/grpc/message-mapping.js';
import { unpackBody } from '../../protocol/model/body-encoding.js';
import { DEFAULT_MAX_UNPACKED_BYTES } from '../../protocol/model/limits.js';
import { AbortSource } from '../../support/abort-source.js';
import { waitWithin } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { Semaphore } from '../../support/semaphore.js';
import { endTransaction } from './end-transaction.js';
import type { Resolution, TransactionTelemetry } from './transaction.js';
import type { TransactionBounds } from './transaction-bounds.js';
import {
  askChecker,
  type CheckedTransaction,
  OWNER_PROPERTY,
  type TransactionCheckHandler,
} from './transaction-check.js';
import type { TransactionMemory } from './transaction-memory.js';

/** How many checkers run at once: a checker usually queries a database, and after an outage many checks arrive together. */
const CONCURRENT_CHECKS = 16;
/** How many checks may wait; further ones are dropped, and the server checks again. */
const MAX_CHECKS = 1_000;

/** A check whose body may still be compressed. */
type PackedCheck = CheckedTransaction & { readonly isPacked: boolean };

/** What the answers need from their producer. */
interface CheckPort {
  readonly client: Client;
  readonly memory: TransactionMemory;
  readonly checkers: ReadonlyMap<string, TransactionCheckHandler>;
  readonly bounds: TransactionBounds;
  readonly telemetry?: TransactionTelemetry | undefined;
  ownerOf(topic: string): string;
  onChecked(check: CheckedTransaction, resolution: Resolution | 'unknown'): void;
  /** Called when the server has accepted the answer. */
  onEnded(check: CheckedTransaction, resolution: Resolution): void;
}

/** Answers checks in the background. */
export class CheckAnswers {
  private readonly answering = new Map<string, Promise<void>>();
  private readonly permits = new Semaphore(CONCURRENT_CHECKS);

  /** Once aborted, no more checkers are called. */
  private readonly closing = new AbortSource();
  /** Once aborted, no checker is waited for. */
  private readonly givingUp = new AbortController();

  constructor(private readonly port: CheckPort) {}

  /** Answers a check in the background; false for another command. */
  take(command: ServerCommand, endpoint: Endpoint): boolean {
    if (command.$case !== 'recoverOrphanedTransactionCommand') return false;
    const { message, transactionId } = command.value;
    if (message === undefined || this.closing.aborted || this.answering.has(transactionId)) return true;
    const view = fromWireMessage(message);
    const isPacked = hasPackedBody(message);
    const { topic, messageId, bornTimestampMs } = view;
    // Only the instance that runs a local transaction knows that it runs, and the server asks all instances in turn.
    const mayStillRun = this.port.bounds.mayStillRun(bornTimestampMs, this.clock.nowMs());
    const check = { topic, messageId, transactionId, message: view, isPacked, mayStillRun };
    const isOurs = view.properties[OWNER_PROPERTY] === this.port.ownerOf(view.topic);
    const checker = this.port.checkers.get(view.topic);
    // Another service sends transactions on this topic, too. Its producer answers; a wrong answer from here would lose its message.
    if (!isOurs || checker === undefined) return true;
    if (this.answering.size >= MAX_CHECKS) {
      this.logger.warn('too many transaction checks at once; the server will check again', {
        topic: view.topic,
        transactionId,
      });
      return true;
    }
    const answering = this.answer(check, checker, endpoint).finally(() => this.answering.delete(transactionId));
    this.answering.set(transactionId, answering);
    return true;
  }

  /** Waits for the checks that are being answered. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.answering.values());
  }

  /**
   * Calls no more checkers: checks that wait for their turn are dropped, and the server checks again. Waits for running checkers for the
   * grace period, then fires their signals; also waits for the answers that are being sent.
   */
  async close(shutdownGraceMs: number): Promise<void> {
    this.closing.abort(closing());
    const answered = this.drain();
    await waitWithin('transaction checkers', Math.max(0, shutdownGraceMs), undefined, answered).catch(() =>
      this.giveUp(),
    );
    await answered;
  }

  /** Stops waiting for checkers. */
  giveUp(): void {
    this.givingUp.abort(closing());
  }

  /** Fires when checkers are no longer waited for. */
  get givenUp(): AbortSignal {
    return this.givingUp.signal;
  }

  /** Never rejects, because only {@link drain} waits for it. */
  private async answer(check: PackedCheck, checker: TransactionCheckHandler, endpoint: Endpoint): Promise<void> {
    const untrack = this.clock.track('answer to a check of transaction', check.transactionId);
    const release = await this.permits.acquire(this.closing).catch(() => undefined);
    if (release === undefined) return untrack();
    try {
      const find = (): Promise<Resolution | 'unknown'> => this.find(check, checker);
      const { telemetry } = this.port;
      const resolution = await (telemetry === undefined
        ? find()
        : telemetry.check({ ...check, properties: check.message.properties }, find));
      const { topic, messageId, transactionId } = check;
      this.logger.info('the server asked how a transaction ended', { topic, messageId, transactionId, resolution });
      this.port.onChecked(check, resolution);
      if (resolution !== 'unknown') await this.end(check, resolution, endpoint);
    } finally {
      release();
      untrack();
    }
  }

  private async find(check: PackedCheck, checker: TransactionCheckHandler): Promise<Resolution | 'unknown'> {
    const { memory } = this.port;
    const known = memory.recall(check.transactionId);
    if (known !== undefined) return known;
    const answer = await this.ask(check, checker);
    // The client may have ended it meanwhile. A second end would deliver the message twice on a real server.
    return memory.recall(check.transactionId) === undefined ? answer : 'unknown';
  }

  private async ask(
    { isPacked, message, ...check }: PackedCheck,
    checker: TransactionCheckHandler,
  ): Promise<Resolution | 'unknown'> {
    try {
      const body = isPacked ? await unpackBody(message.body, DEFAULT_MAX_UNPACKED_BYTES) : message.body;
      const { bounds, memory } = this.port;
      const { signal } = this.givingUp;
      const answer = await askChecker(
        checker,
        { ...check, message: { ...message, body } },
        {
          timeoutMs: bounds.checkTimeoutMs,
          signal,
          logger: this.logger,
          onLate: (resolution) => memory.ended(check.transactionId, resolution, false),
        },
      );
      if (answer === 'unknown' && signal.aborted) {
        const fields = { topic: check.topic, transactionId: check.transactionId };
        this.logger.warn(
          'the producer is closing while a transaction checker is running; the server will check again',
          fields,
        );
      }
      return answer;
    } catch (error) {
      const { topic, transactionId } = check;
      const fields = { topic, transactionId, error: describeError(error) };
      this.logger.error('the body of a half message cannot be decompressed; the server will check again', fields);
      return 'unknown';
    }
  }

  private async end(check: CheckedTransaction, resolution: Resolution, endpoint: Endpoint): Promise<void> {
    try {
      await endTransaction(this.port.client, endpoint, check, resolution, 'check');
      // The next check may already be on its way. Answering it, too, would deliver the message a second time.
      this.port.memory.ended(check.transactionId, resolution, true);
      this.port.onEnded(check, resolution);
    } catch (error) {
      const { topic, transactionId } = check;
      const fields = { topic, transactionId, resolution, error: describeError(error) };
      this.logger.warn('the answer to a transaction check was lost; the server will check again', fields);
    }
  }

  private get clock() {
    return this.port.client.connection.clock;
  }

  private get logger() {
    return this.port.client.connection.logger;
  }
}

function closing(): StateError {
  return new StateError('CLOSED', 'the producer is closing');
}
