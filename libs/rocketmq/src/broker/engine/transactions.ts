// Half messages: invisible until their transaction commits, checked when it does not end.

import { GIVEN_UP_TOPIC } from '../../protocol/model/names.js';
import { isIntegerFrom } from '../../support/options.js';
import type { LogPosition } from '../store/records.js';
import { type HalfRecord, keys, type StoredMessage, type TopicRecord } from '../store/records.js';
import type { Key } from '../store/store.js';
import type { Changes } from './changes.js';
import type { MessageLog } from './log.js';
import type { Registry } from './registry.js';
import { Rejection } from './rejection.js';
import { halfEntry } from './trail.js';

export interface TransactionTiming {
  /** The time from the birth of a half message to its first check (`transactionTimeOut`). */
  readonly firstCheckMs: number;
  readonly checkIntervalMs: number;
  /** How long an end is accepted after the half message or the newest check (`transactionDataExpireMillis`). */
  readonly dataExpireMs: number;
  /** After this many checks without an answer the half message is given up (`transactionCheckMax`). */
  readonly maxChecks: number;
}

/** A half message whose producer must be checked. */
export interface DueCheck {
  readonly topic: string;
  readonly transactionId: string;
  readonly message: StoredMessage;
  /** The number of the half message. */
  readonly number: number;
  /** Where it is stored when it commits; undefined: the broker chooses. */
  readonly queueId: number | undefined;
  /** Starts at 1. */
  readonly times: number;
}

/** The result of a due check. */
type CheckOutcome =
  | { readonly kind: 'ask'; readonly check: DueCheck }
  | { readonly kind: 'givenUp'; readonly topic: string; readonly transactionId: string }
  | { readonly kind: 'ended' };

export type Resolution = 'commit' | 'rollback' | 'unspecified';

/** A request to commit or roll back. */
export interface TransactionEnd {
  readonly topic: string;
  readonly transactionId: string;
  readonly resolution: Resolution;
  /** Whether the request answers a check. */
  readonly isAnswer: boolean;
  readonly nowMs: number;
  /** Names one half message of those with the id, whenever it was stored: brokers have no end of that time, only proxies have. */
  readonly number?: number | undefined;
}

/** Keeps half messages. Ids are not unique: two with one id are two transactions. */
export class Transactions {
  constructor(
    private readonly log: MessageLog,
    private readonly registry: Registry,
    private readonly timing: TransactionTiming,
  ) {}

  /** Its transaction id is the message id, as on the real server. @returns its number, which no other half message has */
  begin(
    changes: Changes,
    topic: TopicRecord,
    message: StoredMessage,
    half: { recoveryMs: number | undefined; nowMs: number; queueId?: number | undefined },
  ): number {
    const transactionId = message.messageId;
    const number = changes.nextSerial();
    const key = [...keys.halvesById(topic.name, transactionId), number];
    // The check is counted from birth; a producer whose clock is ahead must not delay its own check.
    const bornAtMs = Math.min(message.bornTimestampMs, half.nowMs);
    const firstCheckAtMs = bornAtMs + (half.recoveryMs ?? this.timing.firstCheckMs);
    const record: HalfRecord = {
      message,
      transactionId,
      checks: checksIn(message),
      nextCheckAtMs: Math.max(firstCheckAtMs, half.nowMs),
      openUntilMs: [half.nowMs + this.timing.dataExpireMs],
      endableUntilMs: half.recoveryMs === undefined ? undefined : bornAtMs + half.recoveryMs,
      ...(half.queueId !== undefined && { queueId: half.queueId }),
    };
    this.put(changes, key, record);
    return number;
  }

  /**
   * @returns whether this call ended it
   * @throws Rejection `unknown-transaction` if it does not exist, or the commit or rollback is too late
   */
  end(changes: Changes, end: TransactionEnd): boolean {
    const { topic, transactionId, resolution, isAnswer, nowMs } = end;
    const [key, record] =
      end.number === undefined
        ? this.findOpen(changes, topic, transactionId, nowMs)
        : this.findNumber(changes, topic, transactionId, end.number);
    const isLate = !isAnswer && nowMs > (record.endableUntilMs ?? nowMs);
    if (resolution === 'unspecified' || isLate) {
      const openUntilMs = stillOpen(record, nowMs).slice(1);
      changes.put(key, { ...record, openUntilMs } satisfies HalfRecord);
      return false;
    }
    this.delete(changes, key, record);
    const at = resolution === 'commit' ? this.publish(changes, topic, record, nowMs) : undefined;
    changes.markTrail(halfEntry(topic, record.message, at && { topic, ...at }));
    return true;
  }

  /** Does a check that is due. */
  check(changes: Changes, key: Key, nowMs: number): CheckOutcome {
    const record = changes.get<HalfRecord>(key);
    if (record === undefined) return { kind: 'ended' };
    const topic = key[1] as string;
    const { transactionId, message, queueId } = record;
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
    return { kind: 'ask', check: { topic, transactionId, message, times, number: Number(key.at(-1)), queueId } };
  }

  /**
   * Resumes a half message that was given up: its checks start over. The copy in the given-up topic stays.
   * @param offset its offset in that topic
   * @throws Rejection `unknown-transaction` if it does not exist, `unknown-topic` if its topic was deleted, `store-full`
   */
  resume(changes: Changes, offset: number, nowMs: number): void {
    const givenUp = this.log.message(changes, GIVEN_UP_TOPIC, 0, offset);
    if (givenUp === undefined)
      throw new Rejection('unknown-transaction', `there is no given up half message at offset ${offset}`);
    const { [REAL_TOPIC]: name = '', ...properties } = givenUp.properties;
    const topic = this.registry.topicFor(changes, name, 'transaction');
    const message: StoredMessage = {
      ...givenUp,
      type: 'transaction',
      storeTimestampMs: nowMs,
      properties: { ...properties, [CHECK_TIMES]: '0' },
    };
    this.registry.assertRoom([message]);
    this.begin(changes, topic, message, { recoveryMs: undefined, nowMs });
  }

  private giveUp(changes: Changes, topic: string, { message, transactionId, checks }: HalfRecord, nowMs: number): void {
    const own = { ...transactionProperties(transactionId, checks), [REAL_TOPIC]: topic };
    const properties = { ...message.properties, ...own };
    const kept: StoredMessage = { ...message, type: 'normal', properties, storeTimestampMs: nowMs };
    const at = this.log.append(changes, this.registry.systemTopic(changes, GIVEN_UP_TOPIC), 0, kept);
    changes.markTrail(halfEntry(topic, message, { topic: GIVEN_UP_TOPIC, ...at }));
  }

  private findOpen(changes: Changes, topic: string, transactionId: string, nowMs: number): [Key, HalfRecord] {
    for (const [key, record] of changes.scan<HalfRecord>(keys.halvesById(topic, transactionId))) {
      if (stillOpen(record, nowMs).length > 0) return [key, record];
    }
    throw new Rejection('unknown-transaction', 'cannot found transaction data');
  }

  private findNumber(changes: Changes, topic: string, transactionId: string, number: number): [Key, HalfRecord] {
    const key = [...keys.halvesById(topic, transactionId), number];
    const record = changes.get<HalfRecord>(key);
    if (record !== undefined) return [key, record];
    throw new Rejection('unknown-transaction', 'Find prepared transaction message failed');
  }

  private publish(changes: Changes, name: string, record: HalfRecord, nowMs: number): LogPosition {
    const topic = this.registry.topic(changes, name);
    const { message, transactionId, checks } = record;
    const queueId = record.queueId ?? this.log.chooseQueue(topic);
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
/** The property with the original topic of a message that the server stores in a system topic. */
const REAL_TOPIC = 'REAL_TOPIC';

/** The server counts checks in this property, and trusts a value that the producer sent. */
function checksIn({ properties }: StoredMessage): number {
  const checks = Number(properties[CHECK_TIMES]);
  return isIntegerFrom(checks, 1) ? checks : 0;
}

/** The properties that the server adds to a transactional message; consumers and checkers see them (5.5.0). */
export function transactionProperties(transactionId: string, checks: number): Record<string, string> {
  const id = { __transactionId__: transactionId };
  return checks === 0 ? id : { ...id, [CHECK_TIMES]: String(checks) };
}
