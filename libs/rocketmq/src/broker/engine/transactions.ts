// Half messages: invisible until their transaction ends, asked about when it does not.

import { GIVEN_UP_TOPIC } from '../../protocol/model/names.js';
import type { Key } from '../store/store.js';
import type { Changes } from './changes.js';
import type { LogPosition, MessageLog } from './log.js';
import { type HalfRecord, keys, type StoredMessage, type TopicRecord } from './records.js';
import { Refusal } from './refusal.js';
import type { Registry } from './registry.js';

export interface TransactionTiming {
  /** From a half message's birth to its first check (`transactionTimeOut`). */
  readonly firstCheckMs: number;
  readonly checkIntervalMs: number;
  /** How long an end is taken, from the half message or the newest check on (`transactionDataExpireMillis`). */
  readonly dataExpireMs: number;
  /** After this many checks without an answer the half message is given up (`transactionCheckMax`). */
  readonly maxChecks: number;
}

/** A half message whose producer must be asked. */
export interface TransactionCheck {
  readonly topic: string;
  readonly transactionId: string;
  readonly message: StoredMessage;
  /** The first check is 1. */
  readonly times: number;
}

/** What a due check led to. */
export type CheckOutcome =
  | { readonly kind: 'ask'; readonly check: TransactionCheck }
  | { readonly kind: 'givenUp'; readonly topic: string; readonly transactionId: string }
  | { readonly kind: 'ended' };

export type Resolution = 'commit' | 'rollback' | 'unspecified';

/** A commit or rollback as requested. */
export interface TransactionEnd {
  readonly topic: string;
  readonly transactionId: string;
  readonly resolution: Resolution;
  /** Whether it answers a check. */
  readonly isAnswer: boolean;
  readonly nowMs: number;
}

/** Keeps half messages. Two with one id are two: ids are never deduplicated. */
export class Transactions {
  constructor(
    private readonly log: MessageLog,
    private readonly registry: Registry,
    private readonly timing: TransactionTiming,
  ) {}

  /** @returns the transaction id: the message id, as on the real server */
  begin(
    changes: Changes,
    topic: TopicRecord,
    message: StoredMessage,
    half: { recoveryMs: number | undefined; nowMs: number },
  ): string {
    const transactionId = message.messageId;
    const key = [...keys.halvesById(topic.name, transactionId), changes.nextSerial()];
    // Counted from birth; a producer whose clock is ahead must not put its own check off.
    const bornAtMs = Math.min(message.bornTimestampMs, half.nowMs);
    const firstCheckAtMs = bornAtMs + (half.recoveryMs ?? this.timing.firstCheckMs);
    const record: HalfRecord = {
      message,
      transactionId,
      checks: checksIn(message),
      nextCheckAtMs: Math.max(firstCheckAtMs, half.nowMs),
      openUntilMs: [half.nowMs + this.timing.dataExpireMs],
      endableUntilMs: half.recoveryMs === undefined ? undefined : bornAtMs + half.recoveryMs,
    };
    this.put(changes, key, record);
    return transactionId;
  }

  /**
   * @returns whether it has ended now
   * @throws Refusal `unknown-transaction` when there is none, or its commit or rollback comes too late
   */
  end(changes: Changes, { topic, transactionId, resolution, isAnswer, nowMs }: TransactionEnd): boolean {
    const [key, record] = this.findOpen(changes, topic, transactionId, nowMs);
    const isLate = !isAnswer && nowMs > (record.endableUntilMs ?? nowMs);
    if (resolution === 'unspecified' || isLate) {
      const openUntilMs = stillOpen(record, nowMs).slice(1);
      changes.put(key, { ...record, openUntilMs } satisfies HalfRecord);
      return false;
    }
    this.delete(changes, key, record);
    if (resolution === 'commit') this.publish(changes, topic, record, nowMs);
    return true;
  }

  /** The time of a check has come. */
  check(changes: Changes, key: Key, nowMs: number): CheckOutcome {
    const record = changes.get<HalfRecord>(key);
    if (record === undefined) return { kind: 'ended' };
    const topic = key[1] as string;
    const { transactionId, message } = record;
    this.delete(changes, key, record);
    if (record.checks >= this.timing.maxChecks) {
      this.giveUp(changes, topic, record, nowMs);
      return { kind: 'givenUp', topic, transactionId };
    }
    const times = record.checks + 1;
    this.put(changes, key, {
      ...record,
      checks: times,
      nextCheckAtMs: nowMs + this.timing.checkIntervalMs,
      openUntilMs: [...stillOpen(record, nowMs), nowMs + this.timing.dataExpireMs],
    });
    return { kind: 'ask', check: { topic, transactionId, message, times } };
  }

  /**
   * Has a half message checked again that was given up, from its first check on. The copy among those given up stays.
   * @param offset where it lies among them
   * @throws Refusal `unknown-transaction` when there is none, `unknown-topic` when its topic was deleted
   */
  resume(changes: Changes, offset: number, nowMs: number): void {
    const givenUp = this.log.message(changes, GIVEN_UP_TOPIC, 0, offset);
    if (givenUp === undefined)
      throw new Refusal('unknown-transaction', `there is no given up half message at offset ${offset}`);
    const { [REAL_TOPIC]: name = '', ...properties } = givenUp.properties;
    const topic = this.registry.topicFor(changes, name, 'transaction');
    const message: StoredMessage = {
      ...givenUp,
      type: 'transaction',
      properties: { ...properties, [CHECK_TIMES]: '0' },
    };
    this.begin(changes, topic, message, { recoveryMs: undefined, nowMs });
  }

  private giveUp(changes: Changes, topic: string, { message, transactionId, checks }: HalfRecord, nowMs: number): void {
    const own = { ...transactionProperties(transactionId, checks), [REAL_TOPIC]: topic };
    const properties = { ...message.properties, ...own };
    const kept: StoredMessage = { ...message, type: 'normal', properties, storeTimestampMs: nowMs };
    this.log.append(changes, this.registry.givenUpTopic(changes), 0, kept);
  }

  private findOpen(changes: Changes, topic: string, transactionId: string, nowMs: number): [Key, HalfRecord] {
    for (const [key, record] of changes.scan<HalfRecord>(keys.halvesById(topic, transactionId))) {
      if (stillOpen(record, nowMs).length > 0) return [key, record];
    }
    throw new Refusal('unknown-transaction', 'cannot found transaction data');
  }

  private publish(changes: Changes, name: string, record: HalfRecord, nowMs: number): LogPosition {
    const topic = this.registry.topic(changes, name);
    const queueId = this.log.chooseQueue(topic);
    const { message, transactionId, checks } = record;
    const properties = { ...message.properties, ...transactionProperties(transactionId, checks) };
    return this.log.append(changes, topic, queueId, { ...message, properties, storeTimestampMs: nowMs });
  }

  private put(changes: Changes, key: Key, record: HalfRecord): void {
    changes.put(key, record);
    changes.putDue(record.nextCheckAtMs, { kind: 'check', key });
  }

  private delete(changes: Changes, key: Key, record: HalfRecord): void {
    changes.delete(key);
    changes.deleteDue(record.nextCheckAtMs, { kind: 'check', key });
  }
}

function stillOpen({ openUntilMs }: HalfRecord, nowMs: number): number[] {
  return openUntilMs.filter((untilMs) => untilMs > nowMs);
}

const CHECK_TIMES = 'TRANSACTION_CHECK_TIMES';
/** Where the server keeps the topic of a message that it keeps elsewhere. */
const REAL_TOPIC = 'REAL_TOPIC';

/** The server counts in this property, and believes one that came along. */
function checksIn({ properties }: StoredMessage): number {
  const checks = Number(properties[CHECK_TIMES]);
  return Number.isSafeInteger(checks) && checks > 0 ? checks : 0;
}

/** What the server keeps of a transaction among the user's properties, where consumers and checkers see it (5.5.0). */
export function transactionProperties(transactionId: string, checks: number): Record<string, string> {
  const id = { __transactionId__: transactionId };
  return checks === 0 ? id : { ...id, [CHECK_TIMES]: String(checks) };
}
