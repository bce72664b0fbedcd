// Transactions of this application that the server has given up: looked for now and then, judged by their checkers, reported.

import { PeriodicWork } from '../../client/periodic-work.js';
import type { Resolution } from '../../producer/transactions/transaction.js';
import type { TransactionBounds } from '../../producer/transactions/transaction-bounds.js';
import { askChecker, OWNER_PROPERTY, type TransactionChecker } from '../../producer/transactions/transaction-check.js';
import type { MessageView } from '../../protocol/model/message.js';
import { type Clock, MINUTE_MS } from '../../support/clock.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { Admin } from './admin-access.js';
import type { RocketMQEvents } from './rocketmq-events.js';

/** A transaction whose half message the server does not ask about any more. Its message is not delivered. */
export interface GivenUpTransaction {
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;
  /** What the log or checker says: `commit`, so a message is missing; or `unknown`. */
  readonly resolution: 'commit' | 'unknown';
}

/** @internal what the watch needs of its connection */
export interface GivenUpPort {
  readonly admin: Pick<Admin, 'givenUpSince' | 'findMessages'>;
  readonly checkers: Readonly<Record<string, TransactionChecker>>;
  readonly bounds: TransactionBounds;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: Pick<RocketMQEvents, 'tell'>;
  /** By which this service's half messages are marked. */
  ownerOf(topic: string): string;
}

type GivenUp = Awaited<ReturnType<Admin['givenUpSince']>>['messages'][number];

/** One that is not settled, as far as this application knows. */
interface Open {
  readonly half: GivenUp;
  readonly topic: string;
  /** Undefined until it was judged. */
  transaction?: GivenUpTransaction;
}

/** An answer that comes late is no loss: what was given up waits. */
const LOOK_EVERY_MS = 5 * MINUTE_MS;
/** Of each broker, of all services. */
const PAGE_SIZE = 256;
/** One look reads no more, and begins no page after this time; the next one goes on there. */
const MOST_PAGES = 40;
const LONGEST_LOOK_MS = 2 * MINUTE_MS;
/** Most that are remembered; the longest known are forgotten first. */
const MOST_OPEN = 1_000;

/** Looks for given-up transactions of one connection, from its start to its end. */
export class GivenUpWatch {
  private readonly open = new Map<string, Open>();
  private readonly work: PeriodicWork;
  private readonly stopping = new AbortController();
  private reached: ReadonlyMap<string, bigint> | undefined;
  private first: Promise<void> | undefined;
  private hasFailed = false;

  /** @internal made at the start of a connection */
  constructor(private readonly port: GivenUpPort) {
    this.work = new PeriodicWork(port.clock, port.logger);
  }

  /** Those that nobody has resumed yet; undefined when the brokers could not be asked. */
  get transactions(): readonly GivenUpTransaction[] | undefined {
    return this.reached && [...this.open.values()].flatMap(({ transaction }) => transaction ?? []);
  }

  /** Looks at once, in the background, and again every 5 minutes. */
  start(): void {
    this.first ??= this.look();
    this.work.every('a look for given-up transactions', LOOK_EVERY_MS, () =>
      Promise.resolve(this.first).then(() => this.look()),
    );
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.first, this.work.stop()]);
  }

  private async look(): Promise<void> {
    const { clock } = this.port;
    const untrack = clock.track('look for given-up transactions');
    try {
      const known = [...this.open.values()];
      const endsAtMs = clock.monotonicMs() + LONGEST_LOOK_MS;
      let hasMore = true;
      for (let page = 0; hasMore && page < MOST_PAGES && clock.monotonicMs() < endsAtMs; page++) {
        hasMore = await this.readPage();
      }
      if (hasMore && !this.stopping.signal.aborted) this.stoppedEarly();
      for (const open of known) if (this.open.get(open.half.messageId) === open) await this.judge(open);
    } catch (error) {
      if (!this.stopping.signal.aborted) this.couldNotLook(error);
    } finally {
      untrack();
    }
  }

  /** What belongs to this application is judged page by page, so that only what is not settled is remembered. */
  private async readPage(): Promise<boolean> {
    const { signal } = this.stopping;
    const { messages, reached, hasMore } = await this.port.admin.givenUpSince(this.reached, PAGE_SIZE, { signal });
    const taken = messages.flatMap((half) => this.take(half) ?? []);
    this.reached = reached;
    for (const open of taken) await this.judge(open);
    return hasMore;
  }

  /** Those of other services are theirs to report. */
  private take(half: GivenUp): Open | undefined {
    const { checkers, ownerOf } = this.port;
    const { originTopic: topic = '', messageId, properties } = half;
    if (!Object.hasOwn(checkers, topic) || properties[OWNER_PROPERTY] !== ownerOf(topic)) return;
    const open = { ...this.open.get(messageId), half, topic };
    this.open.set(messageId, open);
    const [oldest] = this.open.keys();
    if (this.open.size > MOST_OPEN && oldest !== undefined) this.open.delete(oldest);
    return open;
  }

  /** One by one: each asks every broker, and perhaps a database. @throws what a broker fails with */
  private async judge(open: Open): Promise<void> {
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
    if (open.transaction !== undefined) this.port.logger.info('a transaction that was given up is settled', fields);
  }

  private async isDelivered({ topic, half: { messageId } }: Open): Promise<boolean> {
    const { signal } = this.stopping;
    const { messages, failures } = await this.port.admin.findMessages({ topic, messageId }, { signal });
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
    // The end of the application does not wait for a database; a late answer is found by the next look.
    const { signal } = this.stopping;
    return askChecker(checker, check, { timeoutMs: bounds.checkTimeoutMs, signal, logger, onLate: () => {} });
  }

  private report({ topic, messageId, transactionId, resolution }: GivenUpTransaction): void {
    const { logger, events } = this.port;
    const known =
      resolution === 'commit' ? 'it was committed, so its message is missing' : 'it is not known how it ended';
    const text =
      `the server has given up a transaction whose checks nobody answered; ${known}; have it checked again: ` +
      `npx nestjs-rocketmq transaction resume --id ${messageId} --yes`;
    logger.error(text, { topic, messageId, transactionId });
    events.tell({ type: 'transaction-given-up', topic, messageId, transactionId, resolution });
  }

  private stoppedEarly(): void {
    const reached = [...(this.reached ?? [])].map(([broker, offset]) => `${broker}: ${offset}`).join(', ');
    const text =
      'the brokers have given up more transactions, of all services, than one look reads; those behind these offsets of ' +
      'TRANS_CHECK_MAX_TIME_TOPIC are not reported yet, and the next look goes on there in 5 minutes';
    this.port.logger.warn(text, { reached });
  }

  private couldNotLook(error: unknown): void {
    const level = this.hasFailed ? 'debug' : 'warn';
    this.hasFailed = true;
    const text =
      'the brokers cannot be asked for transactions that they have given up, so health and events do not report them; the ' +
      'administration connection (nameServer) needs the permission to read TRANS_CHECK_MAX_TIME_TOPIC';
    this.port.logger[level](text, { error: describeError(error) });
  }
}

/** The server's transaction id is the message id; it keeps it among the properties. */
function transactionIdOf({ properties, messageId }: GivenUp): string {
  return properties.__transactionId__ ?? messageId;
}

function viewOf(topic: string, half: GivenUp): MessageView {
  return { ...half, topic, messageType: 'transaction', deliveryAttempt: 1, receiptHandle: '' };
}
