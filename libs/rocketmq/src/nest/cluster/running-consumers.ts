// The running consumers: started one by one or together, and stopped; groups of this instance are created before and deleted after.

import type { StartOptions } from '../../client/lifecycle-options.js';
import { everyPart } from '../../client/resource-errors.js';
import type { PushConsumer } from '../../consumer/push-consumer.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { InstanceGroups } from './instance-groups.js';

/** What consumers are started with. */
interface ConsumerStarts {
  /** How each consumer starts; called at every start. */
  startOptions(): StartOptions;
  readonly shutdownGraceMs: number;
  /** Undefined: no consumer needs a group of this instance. */
  readonly groups: InstanceGroups | undefined;
  /** Creates the consumer; nothing is sent yet. */
  make(plan: PlannedConsumer): PushConsumer;
  /** Called before a consumer starts that shares messages with others. */
  beforeStart(plan: PlannedConsumer, signal: AbortSignal): Promise<void>;
  onStarted(plan: PlannedConsumer): void;
  /** Called when a consumer that had started has stopped. */
  onEnded(plan: PlannedConsumer): void;
}

/** Starts and stops consumers of one connection. */
export class RunningConsumers {
  private readonly consumers = new Map<PlannedConsumer, PushConsumer>();
  private readonly started = new Set<PlannedConsumer>();
  private readonly closing = new Map<PlannedConsumer, Promise<void>>();

  constructor(private readonly starts: ConsumerStarts) {}

  of(plan: PlannedConsumer): PushConsumer | undefined {
    return this.consumers.get(plan);
  }

  /**
   * Starts the consumers that do not run yet. One that fails can be started again; the others continue.
   * @throws as the consumer's start, when all have started or failed: ResourceError for all that lack a topic or group, otherwise the first failure
   */
  async start(plans: readonly PlannedConsumer[], signal: AbortSignal): Promise<void> {
    const fresh = plans.filter((plan) => !this.consumers.has(plan));
    // All are created before one starts: an invalid option then leaves nothing behind.
    const made = fresh.map((plan) => [plan, this.starts.make(plan)] as const);
    for (const [plan, consumer] of made) this.consumers.set(plan, consumer);
    await whenAllHaveEnded(made.map(([plan, consumer]) => this.startOne(plan, consumer, signal)));
  }

  /** Whether the consumers find their topics and groups. Nothing is received. @throws as {@link start} */
  async check(plans: readonly PlannedConsumer[], signal: AbortSignal): Promise<void> {
    // The group of an instance is created by its start.
    const shared = plans.filter((plan) => !plan.ofInstance && !this.consumers.has(plan));
    const made = shared.map((plan) => this.starts.make(plan));
    const options = { ...this.starts.startOptions(), waitForTopics: false, signal };
    await whenAllHaveEnded(made.map((consumer) => consumer.check(options)));
  }

  /** Stops receiving and waits for running handlers. Repeated calls wait for the same end. */
  async close(plans: readonly PlannedConsumer[] = [...this.consumers.keys()]): Promise<void> {
    await Promise.all(plans.map((plan) => this.closeOne(plan)));
  }

  private async startOne(plan: PlannedConsumer, consumer: PushConsumer, signal: AbortSignal): Promise<void> {
    const { groups } = this.starts;
    try {
      if (plan.ofInstance) {
        const { consumerGroup, requireFifo: fifo, subscriptions, starts } = plan;
        const topics = subscriptions.map(({ topic }) => topic);
        await groups?.make({ consumerGroup, fifo, topics, starts }, signal);
      } else if (plan.mode === 'shared') await this.starts.beforeStart(plan, signal);
      await consumer.start({ ...this.starts.startOptions(), signal });
      this.started.add(plan);
      this.starts.onStarted(plan);
    } catch (error) {
      this.consumers.delete(plan);
      await consumer.close({ shutdownGraceMs: 0 });
      throw error;
    }
  }

  private closeOne(plan: PlannedConsumer): Promise<void> {
    const consumer = this.consumers.get(plan);
    if (consumer === undefined) return Promise.resolve();
    const closing = this.closing.get(plan) ?? this.end(plan, consumer);
    this.closing.set(plan, closing);
    return closing;
  }

  private async end(plan: PlannedConsumer, consumer: PushConsumer): Promise<void> {
    await consumer.close({ shutdownGraceMs: this.starts.shutdownGraceMs });
    if (this.started.has(plan)) this.starts.onEnded(plan);
    if (plan.ofInstance) await this.starts.groups?.remove(plan.consumerGroup);
  }
}

async function whenAllHaveEnded(parts: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(parts);
  await everyPart(parts);
}
