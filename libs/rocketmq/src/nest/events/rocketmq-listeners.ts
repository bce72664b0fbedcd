// Pauses, resumes and lists the listeners of a running application, by their names.

import type { PushConsumer } from '../../consumer/push-consumer.js';
import type { CallOptions } from '../../support/deadline.js';
import { StateError, UsageError } from '../../support/errors.js';
import { type PlannedConsumer, type PlannedListener, unknownListener } from '../listening/listener-plan.js';
import type { RocketMQEvents } from './rocketmq-events.js';

/**
 * - `idle`: the application has not started its listeners yet
 * - `listening`: its listeners run
 * - `paused`: they run, and this one starts no handler, in this process, until it is resumed
 * - `group-paused`: they run, and the servers deliver nothing, because the consumer group is paused over all instances
 * - `limited`: they run, and its `rateLimit` or `groupConcurrency` lets no message begin at this moment
 * - `closed`: its listeners have stopped, or are about to
 */
export type ListenerStatus = 'idle' | 'listening' | 'limited' | 'paused' | 'group-paused' | 'closed';

/** The state of a listener. */
export interface ListenerState {
  /** Its name, by default `Class.method`. */
  readonly name: string;
  readonly topic: string;
  readonly consumerGroup: string;
  /** The filter expression; `*` for every message. */
  readonly filter: string;
  /** The lite topics that it receives; undefined for a listener of a whole topic. */
  readonly liteTopics?: readonly string[];
  readonly status: ListenerStatus;
  /** How many handlers may run at once; for batches: how many batches. Undefined unless its consumer runs. */
  readonly concurrency: number | undefined;
  /** Its option `maxAttempts`; undefined where the deliveries that the server allows are the limit. */
  readonly maxAttempts?: number;
  /** How many messages its handlers have; those of a batch listener also wait there until their batch is complete. */
  readonly running: number;
}

/** Access to the listeners; the runtime implements it. */
export interface ListenersPort {
  /** The plan; undefined before startup. */
  readonly consumers: readonly PlannedConsumer[] | undefined;
  /** Handlers of patterns whose microservice is not connected, as `Class.method`. */
  readonly unconnectedHandlers: readonly string[];
  readonly phase: 'idle' | 'listening' | 'closed';
  consumerOf(plan: PlannedConsumer): PushConsumer | undefined;
}

/**
 * Pauses and resumes listeners, and returns their states. Disabled listeners are not included, nor handlers of patterns whose microservice is not
 * connected (`unconnectedHandlers` of the health). Those of one that is connected and not started are `idle`.
 */
export class RocketMQListeners {
  /** @internal provided by the module */
  constructor(
    private readonly port: ListenersPort,
    private readonly events: Pick<RocketMQEvents, 'report'>,
  ) {}

  /** All listeners of this application. */
  states(): ListenerState[] {
    return (this.port.consumers ?? []).flatMap((plan) => plan.listeners.map((one) => this.stateOf(plan, one)));
  }

  /** @throws UsageError `UNKNOWN_LISTENER` that names those that exist */
  state(name: string): ListenerState {
    const { plan, listener } = this.find(name);
    return this.stateOf(plan, listener);
  }

  /**
   * Starts no further handlers of this listener; running handlers continue. Other listeners continue: where they share its topic and
   * group, messages for the paused listener are released for 10 s at a time if that costs no attempt (Apache RocketMQ 5.5.0, groups
   * that are not ordered); otherwise they are kept in the buffer, and receiving from the topic stops when the buffer is full. Affects
   * this process only.
   * @throws UsageError `UNKNOWN_LISTENER`; StateError `NOT_LISTENING` before the application has started
   */
  pause(name: string): void {
    this.running(name).pauseListener(name);
    this.events.report({ type: 'paused', ...this.subjectOf(name) });
  }

  /** Continues after {@link pause}. @throws as {@link pause} */
  resume(name: string): void {
    this.running(name).resumeListener(name);
    this.events.report({ type: 'resumed', ...this.subjectOf(name) });
  }

  /**
   * Changes how many handlers of this listener run at once, in this process and until it ends. Running handlers continue, also when they are
   * more.
   * @throws UsageError `ILLEGAL_OPTION` when it is no positive integer or more than the listener has room for; otherwise as {@link pause}
   */
  setConcurrency(name: string, concurrency: number): void {
    this.running(name).setConcurrency(name, concurrency);
    this.events.report({ type: 'concurrency-changed', concurrency, ...this.subjectOf(name) });
  }

  /**
   * Subscribes a listener of lite topics to one more, in this process. The lite topic need not exist yet. Does nothing when it is
   * subscribed to. Resolves when the server knows it.
   * @param options `timeoutMs` in milliseconds, default 10 s
   * @throws as `PushConsumer.subscribeLite`; UsageError `UNKNOWN_LISTENER`; StateError `NOT_LISTENING` before the application has started
   */
  async subscribeLite(name: string, liteTopic: string, options?: CallOptions): Promise<void> {
    await this.running(name).subscribeLite(liteTopic, options);
  }

  /**
   * Unsubscribes a listener from a lite topic. Messages that were received before are still handled. Does nothing for one that is not
   * subscribed to.
   * @throws as `PushConsumer.unsubscribeLite`; otherwise as {@link subscribeLite}
   */
  async unsubscribeLite(name: string, liteTopic: string, options?: CallOptions): Promise<void> {
    await this.running(name).unsubscribeLite(liteTopic, options);
  }

  private subjectOf(name: string) {
    const { topic, consumerGroup } = this.find(name).listener;
    return { listener: name, topic: topic.name, consumerGroup };
  }

  private running(name: string): PushConsumer {
    const consumer = this.port.consumerOf(this.find(name).plan);
    if (consumer !== undefined) return consumer;
    const text = `listener ${name} is not listening: listeners start after every onApplicationBootstrap`;
    throw new StateError('NOT_LISTENING', text);
  }

  private find(name: string): { readonly plan: PlannedConsumer; readonly listener: PlannedListener } {
    for (const plan of this.port.consumers ?? []) {
      const listener = plan.listeners.find((one) => one.name === name);
      if (listener !== undefined) return { plan, listener };
    }
    const names = this.states().map((state) => state.name);
    const problem = unknownListener(name, names, this.port.unconnectedHandlers);
    throw new UsageError('UNKNOWN_LISTENER', names.length === 0 ? `${problem} (yet)` : problem, 'name');
  }

  private stateOf(
    plan: PlannedConsumer,
    { name, topic, consumerGroup, filter, settings: { maxAttempts } }: PlannedListener,
  ): ListenerState {
    const { phase } = this.port;
    const consumer = this.port.consumerOf(plan);
    const isPaused = phase === 'listening' && consumer?.isListenerPaused(name);
    const { isLimited, ...load } = consumer?.listenerLoad(name) ?? { concurrency: undefined, running: 0 };
    const working = isLimited ? 'limited' : 'listening';
    const isGroupPaused = consumer?.health.groupPause !== undefined;
    const running = consumer === undefined ? 'idle' : isGroupPaused ? 'group-paused' : working;
    const status = phase === 'listening' ? running : phase;
    return {
      name,
      topic: topic.name,
      consumerGroup,
      filter: filter.expression,
      ...(plan.liteTopics !== undefined && { liteTopics: consumer?.liteTopics ?? [] }),
      ...(maxAttempts !== undefined && { maxAttempts }),
      status: isPaused ? 'paused' : status,
      ...load,
    };
  }
}
