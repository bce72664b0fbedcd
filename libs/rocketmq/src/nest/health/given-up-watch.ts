// Transactions of this application that the server has given up: searched for at intervals, checked by their checkers, and reported.

import { PeriodicWork } from '../../client/periodic-work.js';
import type { Resolution } from '../../producer/transactions/transaction.js';
import type { TransactionBounds } from '../../producer/transactions/transaction-bounds.js';
import {
  askChecker,
  OWNER_PROPERTY,
  type TransactionCheckHandler,
} from '../../producer/transactions/transaction-check.js';
import type { MessageView } from '../../protocol/model/message.js';
import { type Clock, MINUTE_MS } from '../../support/clock.js';
import { RocketMQError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { Admin } from '../cluster/admin-access.js';
import type { RocketMQEvents } from '../events/rocketmq-events.js';

/** A transaction that the server no longer checks. Its message is not delivered. */
export interface GivenUpTransaction {
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;
  /** The answer of the transaction log or checker: `commit`, so a message is missing; or `unknown`. */
  readonly resolution: 'commit' | 'unknown';
}

/** @internal what the watch needs of its connection */
interface GivenUpPort {
  readonly admin: Pick<Admin, 'givenUpSince' | 'findMessages'>;
  readonly checkers: Readonly<Record<string, TransactionCheckHandler>>;
  readonly bounds: TransactionBounds;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: Pick<RocketMQEvents, 'report'>;
  /** A command of the command line on this cluster, to copy. */
  readonly command: (...words: readonly string[]) => string;
  /** The mark of this service's half messages. */
  ownerOf(topic: string): string;
}

type GivenUp = Awaited<ReturnType<Admin['givenUpSince']>>['messages'][number];

/** A transaction that is not resolved, as far as this application knows. */
interface Open {
  readonly half: GivenUp;
  readonly topic: string;
  /** Undefined until its checker was asked. */
  transaction?: GivenUpTransaction;
}

/** A late answer does no harm: a given up half message stays stored. */
const LOOK_EVERY_MS = 5 * MINUTE_MS;
/** Of each broker, for all services. */
const PAGE_SIZE = 256;
/** One search reads no more, and reads no further page after this time; the next one continues there. */
const MAX_PAGES = 40;
const MAX_LOOK_MS = 2 * MINUTE_MS;
/** The most that are remembered; the oldest are forgotten first. */
const MAX_OPEN = 1_000;

/** Searches for given-up transactions of one connection, from its start to its end. */
export class GivenUpWatch {
  private readonly open = new Map<string, Open>();
  private readonly work: PeriodicWork;
  private readonly stopping = new AbortController();
  private reached: ReadonlyMap<string, number> | undefined;
  private first: Promise<void> | undefined;
  private hasFailed = false;

  /** @internal created at the start of a connection */
  constructor(private readonly port: GivenUpPort) {
    this.work = new PeriodicWork(port.clock, port.logger);
  }

  /** Those that nobody has resumed yet; undefined when the brokers could not be asked. */
  get transactions(): readonly GivenUpTransaction[] | undefined {
    return this.reached && [...this.open.values()].flatMap(({ transaction }) => transaction ?? []);
  }

  /** Searches at once, in the background, and again every 5 minutes. */
  start(): void {
    this.first ??= this.look();
    this.work.every('search for given-up transactions', LOOK_EVERY_MS, () =>
      Promise.resolve(this.first).then(() => this.look()),
    );
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.first, this.work.stop()]);
  }

  private async look(): Promise<void> {
    const { clock } = this.port;
    const untrack = clock.track('search for given-up transactions');
    try {
      const known = [...this.open.values()];
      const endsAtMs = clock.monotonicMs() + MAX_LOOK_MS;
      let hasMore = true;
      for (let page = 0; hasMore && page < MAX_PAGES && clock.monotonicMs() < endsAtMs; page++) {
        hasMore = await this.readPage();
      }
      if (hasMore && !this.stopping.signal.aborted) this.stoppedEarly();
      for (const open of known) if (this.open.get(open.half.messageId) === open) await this.checkOutcome(open);
    } catch (error) {
      if (!this.stopping.signal.aborted) this.couldNotLook(error);
    } finally {
      untrack();
    }
  }

  /** Half messages of this application are checked page by page, so that only unresolved ones are remembered. */
  private async readPage(): Promise<boolean> {
    const { signal } = this.stopping;
    const { messages, reached, hasMore } = await this.port.admin.givenUpSince(this.reached, PAGE_SIZE, { signal });
    const taken = messages.flatMap((half) => this.take(half) ?? []);
    this.reached = reached;
    for (const open of taken) await this.checkOutcome(open);
    return hasMore;
  }

  /** Other services report their own. */
  private take(half: GivenUp): Open | undefined {
    const { checkers, ownerOf } = this.port;
    const { originTopic: topic = '', messageId, properties } = half;
    if (!Object.hasOwn(checkers, topic) || properties[OWNER_PROPERTY] !== ownerOf(topic)) return;
    const open = { ...this.open.get(messageId), half, topic };
    this.open.set(messageId, open);
    const [oldest] = this.open.keys();
    if (this.open.size > MAX_OPEN && oldest !== undefined) this.open.delete(oldest);
    return open;
  }

  /** One by one, since each needs a request to every broker, and possibly a database query. @throws what a broker fails with */
  private async checkOutcome(open: Open): Promise<void> {
    if (this.stopping.signal.aborted) return;
    const { half, topic } = open;
    const { messageId } = half;
    const resolution = (await this.isDelivered(open)) ? 'delivered' : await this.ask(open);
    if (resolution === 'commit' || resolution === 'unknown') {
      const transaction = { topic, messageId, transactionId: transactionIdOf(half), resolution };
      if (open.transaction === undefined) this.report(transaction);
      open.transaction = transaction;
      return;
    }
    this.open.delete(messageId);
    const fields = { topic, messageId, resolution };
    if (open.transaction !== undefined) this.port.logger.info('a transaction that was given up is resolved', fields);
  }

  private async isDelivered({ topic, half: { messageId } }: Open): Promise<boolean> {
    const { signal } = this.stopping;
    const { messages, failures } = await this.port.admin
      .findMessages({ topic, messageId }, { signal })
      .catch((error) => {
        // A topic that was deleted has no messages.
        if (RocketMQError.is(error) && error.code === 'UNKNOWN_TOPIC') return { messages: [], failures: [] };
        throw error;
      });
    const [failure] = failures;
    if (messages.length === 0 && failure !== undefined) throw failure.error;
    return messages.length > 0;
  }

  private async ask({ topic, half }: Open): Promise<Resolution | 'unknown'> {
    const { checkers, bounds, clock, logger } = this.port;
    const checker = checkers[topic];
    if (checker === undefined || half.isPacked) return 'unknown';
    const message = viewOf(topic, half);
    const mayStillRun = bounds.mayStillRun(message.bornTimestampMs, clock.nowMs());
    const check = { topic, messageId: half.messageId, transactionId: transactionIdOf(half), message, mayStillRun };
    // A shutdown does not wait for a database; the next search finds a late answer.
    const { signal } = this.stopping;
    return askChecker(checker, check, { timeoutMs: bounds.checkTimeoutMs, signal, logger, onLate: () => {} });
  }

  private report({ topic, messageId, transactionId, resolution }: GivenUpTransaction): void {
    const { logger, events, command } = this.port;
    const known =
      resolution === 'commit' ? 'it was committed, so its message is missing' : 'whether it was committed is unknown';
    const text =
      `the server has given up a transaction because nobody answered its checks; ${known}. To have it checked again, run: ` +
      command('transaction', 'resume', '--id', messageId, '--yes');
    logger.error(text, { topic, messageId, transactionId });
    events.report({ type: 'transaction-given-up', topic, messageId, transactionId, resolution });
  }

  private stoppedEarly(): void {
    const reached = [...(this.reached ?? [])].map(([broker, offset]) => `${broker}: ${offset}`).join(', ');
    const text =
      'the brokers have given up more transactions, of all services, than one search reads; those after these offsets of ' +
      'TRANS_CHECK_MAX_TIME_TOPIC are not reported yet; the next search continues there in 5 minutes';
    this.port.logger.warn(text, { reached });
  }

  private couldNotLook(error: unknown): void {
    const level = this.hasFailed ? 'debug' : 'warn';
    this.hasFailed = true;
    const text =
      'the brokers cannot be asked for the transactions that they have given up, so health and events do not report them; the ' +
      'administration connection (nameServer) needs permission to read TRANS_CHECK_MAX_TIME_TOPIC';
    this.port.logger[level](text, { error: describeError(error) });
  }
}

/** The server's transaction id is the message id; the server stores it as a property. */
function transactionIdOf({ properties, messageId }: GivenUp): string {
  return properties.__transactionId__ ?? messageId;
}

function viewOf(topic: string, half: GivenUp): MessageView {
  return { ...half, topic, messageType: 'transaction', deliveryAttempt: 1, receiptHandle: '' };
}
