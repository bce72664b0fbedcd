// The subscriptions of a running consumer, and the one way to change them.

import type { Client } from '../../client/client.js';
import { raceAbort, withAnySignal } from '../../support/abort.js';
import { SECOND_MS } from '../../support/clock.js';
import { type CallOptions, type Deadline, withNotedEffects } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import type { GroupSubscription, Subscription } from '../model/subscription.js';

/** The timeout of a change, and the signal that cancels it. Both also apply while the change waits. */
interface ChangeOptions extends CallOptions {
  /** The start of the consumer, which every change waits for. */
  readonly started: Promise<void>;
  /** Fires when the consumer closes. */
  readonly closing: AbortSignal;
}

const DEFAULT_CHANGE_MS = 10 * SECOND_MS;

/** The topics of a consumer, each once. */
export class SubscriptionSet implements GroupSubscription {
  readonly consumerGroup: string;
  /** The subscriptions as the servers get them. */
  private readonly announced: Map<string, Subscription>;
  /** The subscriptions in force: a change applies once every server knows it. A filter skips messages for the whole group. */
  private readonly inForce: Map<string, Subscription>;
  private lastChange: Promise<unknown> = Promise.resolve();

  constructor({ consumerGroup, subscriptions }: GroupSubscription) {
    this.consumerGroup = consumerGroup;
    this.announced = new Map(subscriptions.map((subscription) => [subscription.topic, subscription]));
    this.inForce = new Map(this.announced);
  }

  /** For the settings of the client. */
  get subscriptions(): readonly Subscription[] {
    return [...this.announced.values()];
  }

  /** The topics to receive from. */
  get topics(): readonly string[] {
    return [...this.inForce.keys()];
  }

  /** The subscription of a topic; undefined: none. */
  of(topic: string): Subscription | undefined {
    return this.inForce.get(topic);
  }

  /** Makes changes one after another: each is sent to the servers before the next one begins. */
  inTurn(what: string, options: ChangeOptions, work: (deadline: Deadline) => Promise<void>): Promise<void> {
    const { timeoutMs = DEFAULT_CHANGE_MS, signal, closing, started } = options;
    const before = Promise.all([started, this.lastChange]);
    const turn = withAnySignal([closing, signal], (either) =>
      withNotedEffects(`${what} for "${this.consumerGroup}"`, timeoutMs, either, async (deadline) => {
        await raceAbort(before, deadline.signal);
        deadline.noteEffect();
        await work(deadline);
      }),
    );
    // A change that gives up while it waits leaves those behind it waiting for the earlier ones.
    this.lastChange = Promise.allSettled([before, turn]);
    return turn;
  }

  /**
   * Adds a topic, or changes its filter, and sends that to every server of the client; then it is in force. On failure the
   * set has not changed.
   * @returns a function that undoes the change
   * @throws ResourceError when the topic does not exist
   */
  async add(client: Client, subscription: Subscription, deadline: Deadline): Promise<() => void> {
    const { topic } = subscription;
    await client.route(topic, deadline);
    const before = this.inForce.get(topic);
    const undo = (): void => {
      for (const map of [this.announced, this.inForce]) {
        if (before === undefined) map.delete(topic);
        else map.set(topic, before);
      }
    };
    this.announced.set(topic, subscription);
    try {
      await client.syncSettings(deadline);
    } catch (error) {
      undo();
      throw error;
    }
    this.inForce.set(topic, subscription);
    return undo;
  }

  /** Removes a topic at once. @returns whether it was subscribed to. @throws UsageError when it is the last one */
  remove(topic: string): boolean {
    if (!this.announced.has(topic)) return false;
    if (this.announced.size === 1) {
      const problem = `"${topic}" is the last topic of the consumer of "${this.consumerGroup}"; close the consumer instead`;
      throw new UsageError('NO_SUBSCRIPTION', problem, 'topic');
    }
    this.inForce.delete(topic);
    return this.announced.delete(topic);
  }
}
