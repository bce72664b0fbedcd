// The broker's engine without network, on a time that the spec controls.

import type { Available } from '../../libs/rocketmq/src/broker/engine/changes.js';
import type { Delivery, PopResult } from '../../libs/rocketmq/src/broker/engine/deliveries.js';
import { Engine, type SendResult } from '../../libs/rocketmq/src/broker/engine/engine.js';
import type { StoredMessage } from '../../libs/rocketmq/src/broker/engine/records.js';
import type { DueCheck, Resolution } from '../../libs/rocketmq/src/broker/engine/transactions.js';
import { MemoryStore } from '../../libs/rocketmq/src/broker/store/memory-store.js';
import { matchesTag } from '../../libs/rocketmq/src/protocol/model/filter.js';
import { storedMessage } from './stored-message.js';

export interface PopOptions {
  readonly batchSize?: number;
  readonly leaseMs?: number;
  readonly attemptId?: string;
  readonly renewFor?: string;
  readonly filter?: string;
  readonly liteTopics?: readonly string[];
}

/** Wraps an engine with short commands. */
export class EngineHarness {
  readonly store = new MemoryStore();
  readonly available: Available[] = [];
  readonly checks: DueCheck[] = [];
  readonly givenUp: string[] = [];
  readonly damaged: string[] = [];
  /** The clients that count as connected. */
  readonly present = new Set<string>();
  readonly engine: Engine;
  nowMs = 1_000_000;

  constructor({
    strict = false,
    recallEnabled = true,
    indexed = false,
    maxLiteTopics = Number.POSITIVE_INFINITY,
    maxStoreBytes = Number.POSITIVE_INFINITY,
  } = {}) {
    const timing = { firstCheckMs: 6_000, checkIntervalMs: 30_000, dataExpireMs: 30_000, maxChecks: 15 };
    this.engine = new Engine(
      this.store,
      { strict, recallEnabled, timing, indexed, maxLiteTopics, maxStoreBytes },
      {
        committed: () => {},
        available: (available) => void this.available.push(available),
        isPresent: (clientId) => this.present.has(clientId),
        damaged: (record) => void this.damaged.push(record.message),
        checkDue: (check) => void this.checks.push(check),
        transactionGivenUp: (_topic, transactionId) => void this.givenUp.push(transactionId),
      },
    );
  }

  /** Advances time from one due event to the next. */
  advance(durationMs: number): void {
    const targetMs = this.nowMs + durationMs;
    for (;;) {
      const dueAtMs = this.engine.nextDueAtMs();
      if (dueAtMs === undefined || dueAtMs > targetMs) break;
      this.nowMs = Math.max(this.nowMs, dueAtMs);
      this.engine.tick(this.nowMs);
    }
    this.nowMs = targetMs;
  }

  send(topic: string, messageId: string, fields: Partial<StoredMessage> = {}, recoveryMs?: number): SendResult {
    const times = { bornTimestampMs: this.nowMs, storeTimestampMs: this.nowMs };
    const message = storedMessage(messageId, { ...times, ...fields });
    const [result] = this.engine.send({ topic, messages: [message], recoveryMs, nowMs: this.nowMs });
    return result as SendResult;
  }

  pop(topic: string, group: string, options: PopOptions = {}): PopResult {
    const { batchSize = 32, leaseMs = 30_000, attemptId, renewFor, filter = '*', liteTopics } = options;
    return this.engine.pop({
      topic,
      group: this.engine.group(group),
      batchSize,
      leaseMs,
      attemptId,
      renewFor,
      liteTopics,
      nowMs: this.nowMs,
      matches: ({ tag }) => matchesTag(filter, tag),
    });
  }

  /** The ids and attempts of a pop: `['a1', 'b2']`. */
  popIds(topic: string, group: string, options?: PopOptions): string[] {
    return this.pop(topic, group, options).deliveries.map(({ message, attempt }) => `${message.messageId}${attempt}`);
  }

  ack(delivery: Delivery, group: string): void {
    this.engine.ack(this.handle(delivery, group));
  }

  change(delivery: Delivery, group: string, invisibleMs: number, suspend = false): Delivery {
    const receiptHandle = this.engine.changeInvisible({ ...this.handle(delivery, group), invisibleMs, suspend });
    return { ...delivery, receiptHandle };
  }

  forward(delivery: Delivery, group: string): void {
    this.engine.forwardToDeadLetters(this.handle(delivery, group));
  }

  end(topic: string, transactionId: string, resolution: Resolution, isAnswer = false): void {
    this.engine.endTransaction({ topic, transactionId, resolution, isAnswer, nowMs: this.nowMs });
  }

  private handle({ topic, receiptHandle }: Delivery, group: string) {
    return { topic, group: this.engine.group(group), receiptHandle, nowMs: this.nowMs };
  }
}
