// Keeps the failures of the listeners in a topic of RocketMQ, so that they survive the process. It must never hold up a handler: records
// wait in memory, a few only, and are sent one after another.

import type { FailureSettlement } from '../../consumer/model/failure-policy.js';
import { FAILURE_TAGS, type FailureRecord } from '../../protocol/model/failure-record.js';
import type { MessageView, OutgoingMessage } from '../../protocol/model/message.js';
import { raceAbort } from '../../support/abort.js';
import { inFreshAsyncContext } from '../../support/async-context.js';
import { type Clock, MINUTE_MS, type ScheduledTask, SECOND_MS } from '../../support/clock.js';
import { type CallOptions, withDeadline } from '../../support/deadline.js';
import { describeError, type Logger } from '../../support/logger.js';
import { describedError } from './described-error.js';

/** @internal what the log works with */
interface FailureLogPort {
  /** Its name on the cluster. */
  readonly topic: string;
  /** Default true. */
  readonly texts?: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Names this instance of the application. */
  readonly instance: string;
  send(message: OutgoingMessage, options: CallOptions): Promise<unknown>;
}

/** A failure of a listener. */
export interface Failure {
  readonly consumerGroup: string;
  readonly message: Pick<MessageView, 'topic' | 'messageId' | 'deliveryAttempt'>;
  readonly error: unknown;
  readonly settlement: FailureSettlement;
}

/** Of the retries of a group and topic, and as many of its dead letters. */
const MAX_PER_MINUTE = 30;
const MAX_WAITING = 200;
/** At a shutdown; less when the grace period is shorter. */
const MAX_CLOSE_MS = 5 * SECOND_MS;
/** An id of another client may be of any length. */
const MAX_KEY_LENGTH = 255;

type Unsent = Omit<FailureRecord, 'leftOut'>;

/** What a group may still record of a topic. */
interface Budget {
  sinceMs: number;
  recorded: number;
  leftOut: number;
  /** Describes the last one that was left out. Not before it is sent: to describe all of them would cost too much. */
  last?: () => Unsent;
  /** When it is sent, unless another record comes first. Otherwise nothing would count a burst that no failure follows. */
  due?: ScheduledTask;
}

interface Waiting {
  readonly record: FailureRecord;
  readonly budget: Budget;
}

export class FailureLog {
  private readonly budgets = new Map<string, Budget>();
  private readonly waiting: Waiting[] = [];
  private readonly stopping = new AbortController();
  private sending: Promise<void> | undefined;
  private closed: Promise<void> | undefined;
  private hasFailed = false;

  constructor(private readonly port: FailureLogPort) {}

  /** Returns at once, and never throws. */
  record({ consumerGroup, message, error, settlement }: Failure): void {
    const { clock, instance, texts = true } = this.port;
    const { topic, messageId, deliveryAttempt } = message;
    if (this.closed !== undefined || topic === this.port.topic) return;
    const subject = { atMs: clock.nowMs(), consumerGroup, topic, messageId, deliveryAttempt, settlement };
    const describe = (): Unsent => ({ ...subject, error: describedOrNot(error, texts), instance });
    const budget = this.budgetOf(JSON.stringify([consumerGroup, topic, settlement.kind]));
    if (budget.recorded < MAX_PER_MINUTE && this.waiting.length < MAX_WAITING) {
      this.enqueue(budget, describe());
      return;
    }
    budget.last = describe;
    this.leaveOut(budget, 1);
  }

  /** Sends what waits, and the counts of what was left out. @param graceMs how long that may take; at most 5 s */
  close(graceMs: number): Promise<void> {
    this.closed ??= this.end(Math.min(graceMs, MAX_CLOSE_MS));
    return this.closed;
  }

  private async end(limitMs: number): Promise<void> {
    for (const budget of this.budgets.values()) this.enqueueLast(budget);
    const { sending = Promise.resolve() } = this;
    try {
      await withDeadline('sending the last failures', limitMs, undefined, ({ signal }) => raceAbort(sending, signal));
    } catch {
      for (const { record, budget } of this.waiting.splice(0)) budget.leftOut += record.leftOut + 1;
      this.stopping.abort(new Error('the application has shut down'));
      await sending;
    }
    const unsent = [...this.budgets.values()].reduce((sum, { leftOut }) => sum + leftOut, 0);
    if (unsent === 0) return;
    this.port.logger.warn('failures of handlers were not kept before the shutdown', { unsent, ...this.where });
  }

  private enqueue(budget: Budget, unsent: Unsent): void {
    const record = { ...unsent, leftOut: budget.leftOut };
    budget.due?.cancel();
    Object.assign(budget, { recorded: budget.recorded + 1, leftOut: 0, last: undefined, due: undefined });
    this.waiting.push({ record, budget });
    // Not as a part of the handler's transaction or span.
    this.sending ??= inFreshAsyncContext(() => this.sendAll());
  }

  private leaveOut(budget: Budget, count: number): void {
    budget.leftOut += count;
    if (this.closed !== undefined || budget.due !== undefined) return;
    const { clock } = this.port;
    this.renew(budget);
    const delayMs = budget.sinceMs + MINUTE_MS - clock.monotonicMs();
    budget.due = clock.schedule(Math.ceil(delayMs), () => this.enqueueLast(budget));
  }

  private enqueueLast(budget: Budget): void {
    budget.due?.cancel();
    budget.due = undefined;
    if (budget.last === undefined) return;
    this.renew(budget);
    budget.leftOut--;
    this.enqueue(budget, budget.last());
  }

  private async sendAll(): Promise<void> {
    const untrack = this.port.clock.track('sending of failures');
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) await this.send(next);
    this.sending = undefined;
    untrack();
  }

  private async send({ record, budget }: Waiting): Promise<void> {
    const { topic, logger } = this.port;
    const { messageId, consumerGroup, settlement } = record;
    const keys = [...new Set([messageId, consumerGroup])].filter(isKey);
    const message = { topic, tag: FAILURE_TAGS[settlement.kind], keys, body: JSON.stringify(record) };
    try {
      await this.port.send(message, { signal: this.stopping.signal });
      this.hasFailed = false;
    } catch (error) {
      budget.last ??= () => record;
      this.leaveOut(budget, record.leftOut + 1);
      if (this.stopping.signal.aborted) return;
      const text = 'a failure of a handler could not be kept; the next one that is kept counts it';
      logger[this.hasFailed ? 'debug' : 'warn'](text, { ...this.where, error: describeError(error) });
      this.hasFailed = true;
    }
  }

  private budgetOf(key: string): Budget {
    const known = this.budgets.get(key) ?? { sinceMs: this.port.clock.monotonicMs(), recorded: 0, leftOut: 0 };
    this.renew(known);
    this.budgets.set(key, known);
    return known;
  }

  private renew(budget: Budget): void {
    const nowMs = this.port.clock.monotonicMs();
    if (nowMs - budget.sinceMs >= MINUTE_MS) Object.assign(budget, { sinceMs: nowMs, recorded: 0 });
  }

  private get where(): { readonly operationsTopic: string } {
    return { operationsTopic: this.port.topic };
  }
}

/** An error of the application may have getters that throw. */
function describedOrNot(error: unknown, texts: boolean): FailureRecord['error'] {
  try {
    return describedError(error, texts);
  } catch {
    return { name: 'Error' };
  }
}

function isKey(text: string): boolean {
  return text.length <= MAX_KEY_LENGTH && /^[!-~]+$/.test(text);
}
