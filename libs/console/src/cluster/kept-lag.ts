// The lag of groups over a week, which applications keep in RocketMQ: read at most each minute, whatever the number of viewers.

import type { LagHistory, RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { CachedAnswer } from './cached-answer.js';

const FRESH_MS = 60_000;
/** A week is as many requests as hours. */
const READ_MS = 10_000;
const MAX_GROUPS = 200;

interface KeptLagOptions {
  readonly admin: Pick<RocketMQAdmin, 'lagHistory'>;
  /** Undefined where it is not known. */
  readonly operationsTopic: string | undefined;
  /** Durations. */
  readonly monotonicMs: () => number;
  readonly signal: AbortSignal;
}

export class KeptLag {
  private readonly weeks = new Map<string, CachedAnswer<LagHistory>>();

  constructor(private readonly options: KeptLagOptions) {}

  /** Undefined where the topic is not known. @throws the error of the cluster */
  async of(consumerGroup: string): Promise<LagHistory | undefined> {
    const { admin, operationsTopic: topic, monotonicMs, signal } = this.options;
    if (topic === undefined) return undefined;
    const ask = (): Promise<LagHistory> => admin.lagHistory(topic, consumerGroup, { timeoutMs: READ_MS, signal });
    if (this.weeks.size >= MAX_GROUPS) this.weeks.clear();
    const kept = this.weeks.get(consumerGroup) ?? new CachedAnswer(ask, FRESH_MS, monotonicMs);
    this.weeks.set(consumerGroup, kept);
    return kept.read();
  }
}
