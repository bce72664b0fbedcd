// The lite topics of a push consumer: what it subscribes to inside its topic, and how the servers learn it.

import type { Client } from '../../client/client.js';
import { type Endpoint, endpointKey } from '../../client/endpoint.js';
import { resource } from '../../client/route.js';
import { LiteSubscriptionAction } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { requireOk } from '../../protocol/grpc/status.js';
import { liteTopicProblem } from '../../protocol/model/names.js';
import { SECOND_MS, sleep } from '../../support/clock.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { RocketMQError, StateError, UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { ConsumerContext } from '../model/consumer-context.js';

/**
 * Servers forget the subscriptions of a client whose telemetry stream ends, and of one that has not repeated them for three minutes
 * (`liteSubscriptionCheckTimeoutMills`). The official clients use 30 s.
 */
const REPEAT_MS = 30 * SECOND_MS;

/** What the subscriptions need from their consumer. */
interface LiteParts {
  /** The topic of type `lite`. */
  readonly topic: string;
  /** Subscribed to from the start. */
  readonly initial: readonly string[];
  /** Runs changes one after another. */
  inTurn(what: string, options: CallOptions, work: (deadline: Deadline) => Promise<void>): Promise<void>;
}

/** Keeps the servers informed, in real time, from {@link LiteSubscriptions.start} to {@link LiteSubscriptions.stop}. */
export class LiteSubscriptions {
  private readonly subscribed = new Set<string>();
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly context: Pick<
      ConsumerContext,
      'client' | 'consumerGroup' | 'ioClock' | 'logger' | 'report' | 'settings'
    >,
    private readonly parts: LiteParts,
  ) {}

  /** The lite topics that it receives. */
  get names(): readonly string[] {
    return [...this.subscribed];
  }

  /**
   * Subscribes to the initial lite topics.
   * @throws UsageError beyond the quota; StatusError when the group is not bound to the topic
   */
  async start(deadline: Deadline): Promise<void> {
    const { initial } = this.parts;
    this.assertQuota(initial.length);
    // A complete set would not take lite topics over from other consumers of an exclusive group.
    if (initial.length === 0) await this.sync(LiteSubscriptionAction.COMPLETE_ADD, [], deadline);
    else await this.sync(LiteSubscriptionAction.PARTIAL_ADD, initial, deadline);
    for (const liteTopic of initial) this.subscribed.add(liteTopic);
    this.running = this.repeat();
  }

  async add(liteTopic: string, options: CallOptions): Promise<void> {
    assertLiteTopic(liteTopic, 'liteTopic', this.context.settings().maxLiteTopicLength);
    await this.parts.inTurn(`subscription to lite topic "${liteTopic}"`, options, async (deadline) => {
      // A repeated request would make an exclusive group drop the lite topic of this consumer.
      if (this.subscribed.has(liteTopic)) return;
      this.assertQuota(this.subscribed.size + 1);
      await this.sync(LiteSubscriptionAction.PARTIAL_ADD, [liteTopic], deadline);
      this.subscribed.add(liteTopic);
    });
  }

  async remove(liteTopic: string, options: CallOptions): Promise<void> {
    await this.parts.inTurn(`end of the subscription to lite topic "${liteTopic}"`, options, async (deadline) => {
      if (!this.subscribed.delete(liteTopic)) return;
      await this.sync(LiteSubscriptionAction.PARTIAL_REMOVE, [liteTopic], deadline);
    });
  }

  /** The server has ended a subscription. */
  lose(liteTopic: string): void {
    if (this.subscribed.delete(liteTopic)) this.context.report.liteTopicLost(this.parts.topic, liteTopic);
  }

  /** A server that answers settings may have lost the stream of this client before, and its subscriptions with it. */
  settingsAnswered(): void {
    if (this.running !== undefined && !this.stopping.signal.aborted) void this.refresh();
  }

  /** Sends the complete set again. */
  private async refresh(): Promise<void> {
    const { requestTimeoutMs: timeoutMs } = this.context.client.connection;
    const options = { timeoutMs, signal: this.stopping.signal };
    const { parts } = this;
    await parts
      .inTurn('refresh of lite topics', options, (deadline) =>
        this.sync(LiteSubscriptionAction.COMPLETE_ADD, this.names, deadline),
      )
      .catch((error: unknown) => {
        if (RocketMQError.is(error) && error.code === 'CLOSED') return;
        const fields = { consumerGroup: this.context.consumerGroup, topic: parts.topic, error: describeError(error) };
        this.context.logger.warn('the subscriptions to lite topics could not be refreshed; this is retried', fields);
      });
  }

  async stop(): Promise<void> {
    this.stopping.abort(new StateError('CLOSED', 'the consumer receives no more'));
    await this.running;
  }

  private async repeat(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await sleep(this.context.ioClock, REPEAT_MS, signal).catch(() => {});
      if (!signal.aborted) await this.refresh();
    }
  }

  private assertQuota(count: number): void {
    const { liteSubscriptionQuota: quota } = this.context.settings();
    if (count <= quota) return;
    const text =
      `a consumer of group "${this.context.consumerGroup}" may subscribe to ${quota} lite topics, not ${count}; nothing was changed; ` +
      'unsubscribe from others, or raise the subscriptionQuota of the group';
    throw new UsageError('LITE_SUBSCRIPTION_QUOTA_EXCEEDED', text, 'liteTopic');
  }

  private async sync(
    action: LiteSubscriptionAction,
    liteTopicSet: readonly string[],
    deadline: Deadline,
  ): Promise<void> {
    const { client, consumerGroup } = this.context;
    const { namespace } = client.connection;
    const request = {
      action,
      topic: resource(namespace, this.parts.topic),
      group: resource(namespace, consumerGroup),
      liteTopicSet: [...liteTopicSet],
    };
    const { what, signal } = deadline;
    const endpoints = await this.endpoints(client, deadline);
    await Promise.all(
      endpoints.map(async (endpoint) => {
        const options = { what, timeoutMs: client.attemptTimeoutMs(deadline), signal };
        const { status } = await client.unary(endpoint, 'syncLiteSubscription', request, options);
        requireOk(what, status);
      }),
    );
  }

  /** Those that the consumer receives from. */
  private async endpoints(client: Client, deadline: Deadline): Promise<Endpoint[]> {
    const { queues } = await client.route(this.parts.topic, deadline);
    return [...new Map(queues.map(({ endpoint }) => [endpointKey(endpoint), endpoint])).values()];
  }
}

/** @throws UsageError `ILLEGAL_LITE_TOPIC` */
export function assertLiteTopic(liteTopic: string, field: string, longest?: number): void {
  const isTooLong = longest !== undefined && liteTopic.length > longest;
  const problem = liteTopicProblem(liteTopic) ?? (isTooLong ? `is longer than ${longest} characters` : undefined);
  if (problem === undefined) return;
  throw new UsageError('ILLEGAL_LITE_TOPIC', `lite topic ${JSON.stringify(liteTopic)} ${problem}`, field);
}
