// Whether the servers have paused the group of a consumer: what its receive loops are answered, and why it is paused.

import { type GroupPause, UNEXPLAINED_PAUSE } from '../../protocol/model/group-pause.js';
import { type Abortable, AbortSource } from '../../support/abort-source.js';
import { SECOND_MS } from '../../support/clock.js';
import { withDeadline } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { Pauses } from './pauses.js';

/** Looks a group up by administration: `describeGroup` of `RocketMQAdmin`. */
export type DescribeGroup = (
  consumerGroup: string,
  options: { readonly signal: AbortSignal },
) => Promise<{ readonly pause: GroupPause | undefined } | undefined>;

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'paused'; readonly pause: GroupPause; readonly isReported: boolean };

/** How long people and log wait for the reason. */
const EXPLAIN_MS = 5 * SECOND_MS;
/** Another pause may have replaced this one. */
const EXPLAIN_EVERY_MS = 30 * SECOND_MS;

/** The last rejection of a loop. */
interface Rejection {
  /** In monotonic milliseconds. */
  readonly atMs: number;
  /** The poller that was rejected. It finds out for the others of its loop, which may wait for room. */
  readonly prober: object;
  /** Whether a pause in this process keeps the loop from finding out. */
  readonly isAside: boolean;
}

/** The group is paused as long as one loop was rejected and has not been answered since; one set aside does not count once another is answered. */
export class GroupPauseWatch {
  private state: State = { kind: 'open' };
  private readonly rejections = new Map<object, Rejection>();
  private explainedAtMs = Number.NEGATIVE_INFINITY;
  private readonly closing = new AbortSource();

  constructor(
    private readonly context: Pick<ConsumerContext, 'consumerGroup' | 'ioClock' | 'logger' | 'report'>,
    private readonly pauses: Pick<Pauses, 'pauseGroup' | 'resumeGroup' | 'isPaused' | 'opened'>,
    private readonly describe: DescribeGroup | undefined,
  ) {}

  /** Undefined while the group is not paused. */
  get pause(): GroupPause | undefined {
    return this.state.kind === 'paused' ? this.state.pause : undefined;
  }

  /** A poll of this loop was rejected because the group is paused. */
  rejected(loop: object, prober: object): void {
    const nowMs = this.context.ioClock.monotonicMs();
    this.rejections.set(loop, { atMs: nowMs, prober, isAside: false });
    if (this.closing.aborted) return;
    if (this.state.kind === 'open') {
      this.state = { kind: 'paused', pause: UNEXPLAINED_PAUSE, isReported: false };
      this.explainedAtMs = Number.NEGATIVE_INFINITY;
      this.pauses.pauseGroup();
    }
    if (nowMs - this.explainedAtMs < EXPLAIN_EVERY_MS) return;
    this.explainedAtMs = nowMs;
    void this.explain();
  }

  /** Undefined while the loop is not rejected. */
  proberOf(loop: object): object | undefined {
    return this.rejections.get(loop)?.prober;
  }

  /** Waits until no pause in this process keeps the loop from polling its topic. @throws the signal's reason */
  async mayPoll(loop: object, topic: string, signal: Abortable): Promise<void> {
    this.setAside(loop, this.pauses.isPaused(topic));
    await this.pauses.opened(topic, signal);
    this.setAside(loop, false);
  }

  /** A poll was answered. @param askedAtMs one that was open already when another was rejected says nothing */
  answered(loop: object, askedAtMs: number): void {
    if (askedAtMs < (this.rejections.get(loop)?.atMs ?? Number.NEGATIVE_INFINITY)) return;
    this.rejections.delete(loop);
    if ([...this.rejections.values()].every(({ isAside }) => isAside)) this.rejections.clear();
    this.look();
  }

  /** The loop polls no more. */
  forget(loop: object): void {
    this.rejections.delete(loop);
    this.look();
  }

  close(): void {
    this.closing.abort(new StateError('CLOSED', 'the consumer is closing'));
  }

  private setAside(loop: object, isAside: boolean): void {
    const rejection = this.rejections.get(loop);
    if (rejection !== undefined) this.rejections.set(loop, { ...rejection, isAside });
  }

  private look(): void {
    const { state } = this;
    if (state.kind === 'open' || this.rejections.size > 0) return;
    this.state = { kind: 'open' };
    this.pauses.resumeGroup();
    if (state.isReported && !this.closing.aborted) this.context.report.groupResumed();
  }

  private async explain(): Promise<void> {
    const { consumerGroup, logger, report } = this.context;
    let pause: GroupPause | undefined;
    try {
      const described = await withDeadline('look-up of a pause', EXPLAIN_MS, this.closing, async ({ signal }) =>
        this.describe?.(consumerGroup, { signal }),
      );
      pause = described?.pause;
    } catch (error) {
      logger.debug('the reason of a pause could not be looked up', { consumerGroup, error: describeError(error) });
    }
    const { state } = this;
    if (state.kind === 'open' || this.closing.aborted) return;
    this.state = { kind: 'paused', pause: pause ?? state.pause, isReported: true };
    if (!state.isReported) report.groupPaused(this.state.pause);
  }
}
