// One poll of a server: what it asks for, and its answers. Nothing is returned before its stream has ended. When to poll is decided in
// receive-loop.ts.

import { type Queue, resource } from '../../client/route.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import type { Message as WireMessage } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Filter } from '../../protocol/model/filter.js';
import { LIMITS } from '../../protocol/model/limits.js';
import type { Abortable } from '../../support/abort-source.js';
import { AnswerAges, type LoopWatch } from '../../support/answer-age.js';
import { SECOND_MS } from '../../support/clock.js';
import { describeError } from '../../support/logger.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import { toWireFilter } from '../model/subscription.js';
import type { Reservation } from './buffer-room.js';
import { PollAnswers } from './poll-answers.js';

/** The result of one poll. */
export interface ReceivedBatch {
  readonly queue: Queue;
  readonly messages: readonly WireMessage[];
  /** When the answer began to arrive, by monotonic business time. */
  readonly receivedAtMs: number;
  /** How long the answer had waited then: the leases began so much earlier. */
  readonly ageMs: number;
  /** When the server sent it, by its clock; undefined when it does not report that. */
  readonly deliveredAtMs: number | undefined;
  /** Whether it is empty because of the filter. */
  readonly wereFiltered: boolean;
}

/** What the polls of a consumer ask for. */
export interface PollPort {
  readonly invisibleDurationMs: number;
  /** Default: as the server decides. */
  readonly longPollingTimeoutMs: number | undefined;
  readonly loopWatch: LoopWatch;
  /** The subscription of a topic; called at each poll. Default: everything. */
  filterOf(topic: string): Filter | undefined;
}

interface Poll {
  readonly queue: Queue;
  readonly reservation: Reservation;
  readonly attemptId: string;
  /** Whether it holds room that other polls need. */
  readonly isShort: boolean;
}

/** The server polls for the whole long-polling time; a delivered batch must still be received when the event loop was blocked. */
const POLL_MARGIN_MS = 10 * SECOND_MS;

/** The polls of one loop, all to the same server. */
export class ReceivePolls {
  private readonly ages = new AnswerAges();

  /** @param signals `stopping`: no further poll follows; `canceling` ends open ones */
  constructor(
    private readonly context: ConsumerContext,
    private readonly port: PollPort,
    private readonly signals: { readonly stopping: Abortable; readonly canceling: Abortable },
  ) {}

  /** @param onArriving called when messages are on their way @throws StatusError or TransportError; no message was received then */
  async poll(poll: Poll, onArriving: () => void): Promise<ReceivedBatch> {
    const { queue, reservation } = poll;
    const { client, clock, consumerGroup } = this.context;
    const what = `receive from ${queue.topic} for "${consumerGroup}"`;
    const answers = new PollAnswers(what, reservation.add);
    const { messages } = answers;
    const { loopWatch } = this.port;
    const [askedAtMs, watchedFromMs] = [clock.monotonicMs(), loopWatch.now()];
    const arrivalNow = () => ({
      readAtMs: clock.monotonicMs(),
      unreadForMs: loopWatch.unreadForMs(watchedFromMs, clock),
    });
    let arrival: ReturnType<typeof arrivalNow> | undefined;
    let untrack: (() => void) | undefined;
    try {
      await client.receive(queue.endpoint, this.request(poll), this.options(poll, what), (answer) => {
        arrival ??= arrivalNow();
        answers.take(answer);
        if (messages.length === 0) return;
        untrack ??= clock.track(what);
        if (messages.length === 1) onArriving();
      });
    } catch (error) {
      if (answers.wasFull(error)) this.logFull(queue, messages.length);
      else if (this.keepsAfterBreak(queue, messages))
        this.context.logger.info('a poll failed after it had received some messages', {
          error: describeError(error),
        });
      else {
        reservation.drop();
        throw error;
      }
    } finally {
      untrack?.();
    }
    answers.assertUsable();
    const { deliveredAtMs, poppedAtMs: answeredAtMs, wereFiltered } = answers;
    const read = arrival ?? arrivalNow();
    const ageMs = messages.length === 0 ? 0 : this.ages.ageMs({ ...read, askedAtMs, answeredAtMs });
    return { queue, messages, receivedAtMs: read.readAtMs, ageMs, deliveredAtMs, wereFiltered };
  }

  /** Servers raise a short polling time, and lower one that is longer than what they announce. */
  serverPollsForMs(poll: Pick<Poll, 'queue' | 'isShort'>): number {
    const askedMs = Math.max(this.longPollingTimeoutMs(poll), LIMITS.longPollingMinMs);
    return Math.min(askedMs, this.context.settings(poll.queue.endpoint).longPollingTimeoutMs);
  }

  /**
   * Messages that arrived before a stream broke are leased to this consumer. An ordered group asks for the whole batch again with the
   * same attempt id, so that no message arrives twice or before an earlier one that was lost on the way.
   */
  private keepsAfterBreak({ endpoint }: Queue, messages: readonly WireMessage[]): boolean {
    return messages.length > 0 && (!this.context.settings(endpoint).isFifo || this.signals.stopping.aborted);
  }

  private request({ queue, reservation, attemptId, ...poll }: Poll) {
    const { client, consumerGroup } = this.context;
    return {
      group: resource(client.connection.namespace, consumerGroup),
      messageQueue: queue.wire,
      filterExpression: toWireFilter(this.port.filterOf(queue.topic)),
      batchSize: reservation.count,
      // The server's own renewal would hide a lost lease, and keep the messages of a dead process for minutes.
      autoRenew: false,
      invisibleDuration: toDuration(this.port.invisibleDurationMs),
      longPollingTimeout: toDuration(this.longPollingTimeoutMs({ queue, ...poll })),
      attemptId,
    };
  }

  private options(poll: Poll, what: string) {
    return { what, timeoutMs: this.longPollingTimeoutMs(poll) + POLL_MARGIN_MS, signal: this.signals.canceling };
  }

  private longPollingTimeoutMs({ queue, isShort }: Pick<Poll, 'queue' | 'isShort'>): number {
    const { isFifo, longPollingTimeoutMs } = this.context.settings(queue.endpoint);
    // Closing a consumer of an ordered group waits for its polls, so they are short.
    return this.port.longPollingTimeoutMs ?? (isFifo || isShort ? LIMITS.longPollingMinMs : longPollingTimeoutMs);
  }

  private logFull({ topic }: Queue, messages: number): void {
    const { consumerGroup, logger } = this.context;
    const text =
      'a poll received more bytes than maxBufferedBytes leaves room for; messages that did not fit are redelivered when their leases end. ' +
      'Raise maxBufferedBytes if this happens repeatedly';
    logger.warn(text, { consumerGroup, topic, messages });
  }
}
