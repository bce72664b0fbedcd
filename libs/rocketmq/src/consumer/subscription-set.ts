// The subscriptions of a running consumer: what they are now, and the one way to change them.

import type { Client } from '../client/client.js';
import { withAnySignal } from '../support/abort.js';
import { SECOND_MS } from '../support/clock.js';
import { type CallOptions, type Deadline, withDeadline } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import type { GroupSubscription, Subscription } from './subscription.js';

/** How long a change may take, and what ends it early. */
export interface ChangeOptions extends CallOptions {
  /** Fires when the consumer closes. */
  readonly closing: AbortSignal;
}

const DEFAULT_CHANGE_MS = 10 * SECOND_MS;

/** The topics of a consumer, each once. */
export class SubscriptionSet implements GroupSubscription {
  readonly consumerGroup: string;
  private readonly byTopic: Map<string, Subscription>;
  private lastChange: Promise<void> = Promise.resolve();

  constructor({ consumerGroup, subscriptions }: GroupSubscription) {
    this.consumerGroup = consumerGroup;
    this.byTopic = new Map(subscriptions.map((subscription) => [subscription.topic, subscription]));
  }

  get subscriptions(): readonly Subscription[] {
    return [...this.byTopic.values()];
  }

  get topics(): readonly string[] {
    return [...this.byTopic.keys()];
  }

  of(topic: string): Subscription | undefined {
    return this.byTopic.get(topic);
  }

  /** Makes one change after the other: each is told to the servers before the next begins. */
  inTurn(what: string, options: ChangeOptions, work: (deadline: Deadline) => Promise<void>): Promise<void> {
    const { timeoutMs = DEFAULT_CHANGE_MS, signal, closing } = options;
    const turn = this.lastChange.then(() =>
      withAnySignal([closing, signal], (either) =>
        withDeadline(`${what} for "${this.consumerGroup}"`, timeoutMs, either, work),
      ),
    );
    this.lastChange = turn.catch(() => {});
    return turn;
  }

  /**
   * Adds a topic, or changes its filter, and makes it known to every server of the client. On failure the set is as before.
   * @returns what takes it back
   * @throws ResourceError when the topic does not exist
   */
  async add(client: Client, subscription: Subscription, deadline: Deadline): Promise<() => void> {
    const { topic } = subscription;
    await client.route(topic, deadline);
    const before = this.byTopic.get(topic);
    this.byTopic.set(topic, subscription);
    const undo = (): void => {
      if (before === undefined) this.byTopic.delete(topic);
      else this.byTopic.set(topic, before);
    };
    try {
      await client.syncSettings(deadline);
    } catch (error) {
      undo();
      throw error;
    }
    return undo;
  }

  /** Takes a topic off at once. @returns whether it was there. @throws UsageError when it is the last one */
  remove(topic: string): boolean {
    if (!this.byTopic.has(topic)) return false;
    if (this.byTopic.size === 1) {
      const problem = `"${topic}" is the last topic of the consumer of "${this.consumerGroup}"; close the consumer instead`;
      throw new UsageError('NO_SUBSCRIPTION', problem, 'topic');
    }
    return this.byTopic.delete(topic);
  }
}
