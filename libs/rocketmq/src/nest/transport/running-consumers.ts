// The consumers that run: started one by one or all, stopped again; groups of this instance are made before and deleted after.

import type { PushConsumer } from '../../consumer/push-consumer.js';
import type { PlannedConsumer } from '../listener-plan.js';
import type { InstanceGroups } from './instance-groups.js';

/** What consumers are started with. */
export interface ConsumerStarts {
  readonly startTimeoutMs: number;
  readonly shutdownGraceMs: number;
  /** Undefined: no consumer needs a group of this instance. */
  readonly groups: InstanceGroups | undefined;
  /** Makes the consumer; nothing is sent yet. */
  make(plan: PlannedConsumer): PushConsumer;
  /** Called before a consumer starts. */
  beforeStart(plan: PlannedConsumer): Promise<void>;
}

/** Starts and stops consumers of one connection. */
export class RunningConsumers {
  private readonly consumers = new Map<PlannedConsumer, PushConsumer>();
  private readonly closing = new Map<PlannedConsumer, Promise<void>>();

  constructor(private readonly starts: ConsumerStarts) {}

  of(plan: PlannedConsumer): PushConsumer | undefined {
    return this.consumers.get(plan);
  }

  /** Starts those that do not run yet. @throws as the consumer's start; nothing is stopped then */
  async start(plans: readonly PlannedConsumer[]): Promise<void> {
    const fresh = plans.filter((plan) => !this.consumers.has(plan));
    // All are made before one starts: a wrong option then leaves nothing behind.
    for (const plan of fresh) this.consumers.set(plan, this.starts.make(plan));
    await Promise.all(fresh.map((plan) => this.startOne(plan)));
  }

  /** Stops receiving and waits for the handlers that run. Repeating it waits for the same end. */
  async close(plans: readonly PlannedConsumer[] = [...this.consumers.keys()]): Promise<void> {
    await Promise.all(plans.map((plan) => this.closeOne(plan)));
  }

  private async startOne(plan: PlannedConsumer): Promise<void> {
    const consumer = this.consumers.get(plan);
    const { groups, startTimeoutMs: timeoutMs } = this.starts;
    if (plan.ofInstance) {
      const { consumerGroup, requireFifo: fifo, subscriptions } = plan;
      await groups?.make({ consumerGroup, fifo, topics: subscriptions.map(({ topic }) => topic) });
    } else await this.starts.beforeStart(plan);
    await consumer?.start({ timeoutMs });
  }

  private closeOne(plan: PlannedConsumer): Promise<void> {
    const consumer = this.consumers.get(plan);
    if (consumer === undefined) return Promise.resolve();
    const closing = this.closing.get(plan) ?? this.end(plan, consumer);
    this.closing.set(plan, closing);
    return closing;
  }

  private async end(plan: PlannedConsumer, consumer: PushConsumer): Promise<void> {
    await consumer.close({ graceMs: this.starts.shutdownGraceMs });
    if (plan.ofInstance) await this.starts.groups?.remove(plan.consumerGroup);
  }
}
