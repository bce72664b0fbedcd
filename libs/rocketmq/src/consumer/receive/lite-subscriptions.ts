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
import { describe } from '../../support/options.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { LiteLimits } from '../model/settings.js';

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
  /** What all servers take. */
  limits(): LiteLimits;
  /** Runs changes one after another. */
  inTurn(what: string, options: CallOptions, work: (deadline: Deadline) => Promise<void>): Promise<void>;
}

/** Lite topics that are being subscribed to. */
interface Joining {
  readonly names: ReadonlySet<string>;
  /** The endpoints that have answered. */
  readonly answered: Set<string>;
  /** What another consumer has taken over from an endpoint that had answered. */
  readonly lost: Set<string>;
}

/** Keeps the servers informed, in real time, from {@link LiteSubscriptions.start} to {@link LiteSubscriptions.stop}. */
export class LiteSubscriptions {
  private readonly subscribed = new Set<string>();
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private joining: Joining | undefined;
  private isRefreshing = false;
  /** Whether what the servers know may be outdated again as soon as the change under way has ended. */
  private isOutdated = false;

  constructor(
    private readonly context: Pick<ConsumerContext, 'client' | 'consumerGroup' | 'ioClock' | 'logger' | 'report'>,
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
    else await this.join(initial, deadline);
    this.running = this.repeat();
    this.refreshIfOutdated();
  }

  async add(liteTopic: string, options: CallOptions): Promise<void> {
    await this.parts.inTurn(`subscription to lite topic "${liteTopic}"`, options, async (deadline) => {
      assertLiteTopic(liteTopic, 'liteTopic', this.parts.limits().maxLiteTopicLength);
      // A repeated request would make an exclusive group drop the lite topic of this consumer.
      if (this.subscribed.has(liteTopic)) return;
      this.assertQuota(this.subscribed.size + 1);
      await this.join([liteTopic], deadline);
    });
    this.refreshIfOutdated();
  }

  async remove(liteTopic: string, options: CallOptions): Promise<void> {
    await this.parts.inTurn(`end of the subscription to lite topic "${liteTopic}"`, options, async (deadline) => {
      if (!this.subscribed.delete(liteTopic)) return;
      await this.sync(LiteSubscriptionAction.PARTIAL_REMOVE, [liteTopic], deadline);
    });
  }

  /** The server has ended a subscription. */
  lose(liteTopic: string, endpoint: Endpoint): void {
    const { joining } = this;
    if (this.subscribed.delete(liteTopic)) {
      // The set that is being sent still holds it, and would share it with the consumer that has taken it over.
      if (this.isRefreshing) this.isOutdated = true;
      this.context.report.liteTopicLost(this.parts.topic, liteTopic);
      return;
    }
    // Before its answer, a server ends an earlier subscription of this consumer itself: one whose answer was lost.
    if (joining?.names.has(liteTopic) && joining.answered.has(endpointKey(endpoint))) joining.lost.add(liteTopic);
  }

  /** A server that answers settings may have lost the stream of this client before, and its subscriptions with it. */
  settingsAnswered(): void {
    if (this.stopping.signal.aborted) return;
    if (this.running !== undefined) void this.refresh();
    else if (this.joining !== undefined) this.isOutdated = true;
  }

  /** Subscribes to more lite topics. What another consumer takes over meanwhile is reported as lost once all servers have answered. */
  private async join(names: readonly string[], deadline: Deadline): Promise<void> {
    const joining: Joining = { names: new Set(names), answered: new Set(), lost: new Set() };
    this.joining = joining;
    try {
      await this.sync(LiteSubscriptionAction.PARTIAL_ADD, names, deadline, (endpoint) =>
        joining.answered.add(endpointKey(endpoint)),
      );
    } finally {
      this.joining = undefined;
    }
    const { lost } = joining;
    for (const liteTopic of names) if (!lost.has(liteTopic)) this.subscribed.add(liteTopic);
    // The servers that have not ended it are asked to.
    if (lost.size > 0) this.isOutdated = true;
    for (const liteTopic of lost) this.context.report.liteTopicLost(this.parts.topic, liteTopic);
  }

  private refreshIfOutdated(): void {
    if (!this.isOutdated) return;
    this.isOutdated = false;
    void this.refresh();
  }

  /** Sends the complete set again. */
  private async refresh(): Promise<void> {
    const { requestTimeoutMs: timeoutMs } = this.context.client.connection;
    // It waits for other changes until the next one is due, but those behind it wait for no more than a request.
    const options = { timeoutMs: REPEAT_MS, signal: this.stopping.signal };
    const { parts } = this;
    await parts
      .inTurn('refresh of lite topics', options, async (whole) => {
        this.isRefreshing = true;
        const sent = whole.part(timeoutMs, (deadline) =>
          this.sync(LiteSubscriptionAction.COMPLETE_ADD, this.names, deadline),
        );
        await sent.finally(() => {
          this.isRefreshing = false;
        });
      })
      .catch((error: unknown) => {
        if (RocketMQError.is(error) && error.code === 'CLOSED') return;
        const fields = { consumerGroup: this.context.consumerGroup, topic: parts.topic, error: describeError(error) };
        this.context.logger.warn('the subscriptions to lite topics could not be refreshed; this is retried', fields);
      });
    this.refreshIfOutdated();
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
    const { liteSubscriptionQuota: quota } = this.parts.limits();
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
    onAnswer: (endpoint: Endpoint) => unknown = () => {},
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
        onAnswer(endpoint);
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
  const isTooLong = (): boolean => longest !== undefined && liteTopic.length > longest;
  const problem = liteTopicProblem(liteTopic) ?? (isTooLong() ? `is longer than ${longest} characters` : undefined);
  if (problem === undefined) return;
  throw new UsageError('ILLEGAL_LITE_TOPIC', `lite topic ${describe(liteTopic)} ${problem}`, field);
}
