// Polls the assigned queues of one topic on one broker and hands over the messages. Nothing is handed over before its stream has
// ended.
// Over 300 lines: first and extra pollers share the room, the pauses and the shutdown of one loop.

import type { Endpoint } from '../../client/endpoint.js';
import { type Queue, resource } from '../../client/route.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import type { Message as WireMessage } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Filter } from '../../protocol/model/filter.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { AnswerAges, type LoopWatch } from '../../support/answer-age.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../../support/backoff.js';
import { SECOND_MS, sleep } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { ConsumerSettings } from '../model/settings.js';
import { toWireFilter } from '../model/subscription.js';
import type { BufferRoom, Reservation } from './buffer-room.js';
import { MissedMessages } from './missed-messages.js';
import type { Pauses } from './pauses.js';
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

/** What the polls of a consumer ask for, and where their messages go. */
export interface ReceivePort {
  readonly invisibleDurationMs: number;
  /** Default: as the server decides. */
  readonly longPollingTimeoutMs: number | undefined;
  readonly pauses: Pauses;
  readonly loopWatch: LoopWatch;
  roomOf(topic: string): BufferRoom;
  /** The subscription of a topic; called at each poll. Default: everything. */
  filterOf(topic: string): Filter | undefined;
  /** The most messages that the polls of one loop of a topic may ask for together. */
  loopShareOf(topic: string): number;
  deliver(batch: ReceivedBatch): void;
}

/** The state of a loop's polls. */
export interface LoopHealth {
  readonly assigned: number;
  /** When a poll was last answered, with messages or without, in milliseconds since the epoch; undefined before the first. */
  readonly lastReceiveAtMs: number | undefined;
  /** When the longest open poll began, in milliseconds since the epoch; undefined while none is open. */
  readonly pollingSinceMs: number | undefined;
  /** Why the last poll failed. */
  readonly error: unknown;
}

/** A poll that has lasted longer than this since the last failure counts as healthy: failures occur after 5 s at the latest. */
const FAILURE_FRESH_MS = 10 * SECOND_MS;

/** The server polls for the whole long-polling time; a delivered batch must still be received when the event loop was blocked. */
const POLL_MARGIN_MS = 10 * SECOND_MS;
/** A server looks for polls whose time is over, and for messages for them a last time, a moment later. */
const POLL_END_MARGIN_MS = SECOND_MS;
/** From a server with two cores, four polls at once fetch a sixth more messages than two, for 8 % less CPU time; more gain nothing. */
const MAX_POLLS = 4;
/** Of an ordered group: as many as there are queues, as other clients have, and no more than this. */
const MAX_ORDERED_POLLS = 32;
/** A server that has messages answers within this time, or is overloaded. */
const ANSWER_MS = 300;
/** In a process that was blocked, the time is over before the answer is read: the event loop gets so many more rounds to read it. */
const MAX_LATE_READS = 10;
const LOOK_EVERY_MS = 5;

/** The result of one round. `full`: there is likely more to fetch at once; `stopped`: it did not poll. */
type RoundEnd = 'full' | 'some' | 'empty' | 'filtered' | 'stopped';

const isEmpty = (end: RoundEnd): boolean => end === 'empty' || end === 'filtered';

/** Polls one after another. */
interface Poller {
  attemptId: string;
  /** It exists only while there is more than one poller can fetch. */
  readonly isExtra: boolean;
  /** Whether the server is likely to answer its next poll at once: it is the first one, or the last one brought all that it asked for. */
  expectsMessages: boolean;
}

/** Times are those of the monotonic real clock. */
interface OpenPoll {
  readonly openedAtMs: number;
  /** Until when an answer with messages is likely to arrive; undefined while the server is likely to have none. */
  answerByMs: number | undefined;
  /** Until when the server may keep it open, also after it was canceled; undefined before the server is asked. */
  endsByMs: number | undefined;
}

/** A server waits for messages before it answers that there are none, for 5 s at least. One that does not wait is polled at growing intervals. */
const EARLY_MS = SECOND_MS;
/** The first of these polls may follow at once: a poll whose messages were all filtered out or dead-lettered also ends early. */
const MAX_UNDELAYED_EARLY_POLLS = 16;
const EARLY_POLL_BACKOFF: BackoffPolicy = { kind: 'exponential', initialMs: 1, maxMs: 200, multiplier: 2 };
/** A backlog of messages that the filter skips needs more polls. */
const FILTERED_POLL_BACKOFF: BackoffPolicy = { kind: 'exponential', initialMs: 1, maxMs: 10, multiplier: 2 };

const FAILED_POLL_BACKOFF: BackoffPolicy = { kind: 'exponential', initialMs: 100, maxMs: 5 * SECOND_MS, multiplier: 2 };

/**
 * Receives from {@link ReceiveLoop.start} until it has ended: one poll at a time, and more of them at once while they are
 * full. One loop serves all queues of a broker: the server pops from all of them whichever the request names. An ordered group has a poll
 * for each queue all the time: servers answer waiting polls in turn, and the other clients of a group have one for each queue. Their answers
 * need no order, because a server hands out nothing of a queue before all that it handed out is settled, or its lease is over.
 */
export class ReceiveLoop {
  private readonly stopping = new AbortController();
  private readonly canceling = new AbortController();
  private running: Promise<void> | undefined;
  private readonly extraPollers = new Set<Promise<void>>();
  /** Pollers of an ordered group beside the first. */
  private orderedPollers = 0;
  private polls = 0;
  /** Measured by the monotonic real clock, like all times here. */
  private lastReceiveAtMs: number | undefined;
  /** Oldest first. */
  private readonly polling = new Map<Poller, OpenPoll>();
  private readonly missed: MissedMessages;
  private failure: { readonly error: unknown; readonly atMs: number } | undefined;
  private readonly ages = new AnswerAges();

  /** @param queues at least one, all of one topic on one broker */
  constructor(
    private readonly context: ConsumerContext,
    private readonly port: ReceivePort,
    private queues: readonly [Queue, ...Queue[]],
  ) {
    this.missed = new MissedMessages(context.ioClock, () => context.client.refreshSettings());
  }

  /** Sets the queues of the same topic and broker from the next poll on. */
  assign(queues: readonly [Queue, ...Queue[]]): void {
    this.queues = queues;
  }

  get health(): LoopHealth {
    const { failure } = this;
    const { ioClock } = this.context;
    const isFresh = failure !== undefined && ioClock.monotonicMs() - failure.atMs < FAILURE_FRESH_MS;
    const [oldest] = this.polling.values();
    // As dates relative to now: their distance from the present is the true age, even if the wall clock was changed.
    const asDate = (atMs: number | undefined): number | undefined =>
      atMs === undefined ? undefined : Math.round(ioClock.nowMs() - (ioClock.monotonicMs() - atMs));
    return {
      assigned: this.queues.length,
      lastReceiveAtMs: asDate(this.lastReceiveAtMs),
      pollingSinceMs: asDate(oldest?.openedAtMs),
      error: isFresh ? failure.error : undefined,
    };
  }

  start(): void {
    if (this.running !== undefined) return;
    const endWatch = this.port.loopWatch.begin();
    this.running = this.run(this.newPoller(false));
    void this.ended().then(endWatch);
  }

  /** Starts no further poll; the open one continues. */
  stop(): void {
    this.stopping.abort(new StateError('CLOSED', 'the consumer receives no more'));
  }

  /**
   * The end of the consumer: starts no further poll, and cancels open ones where no messages are on their way. The server does not learn
   * of that before it has popped messages for the poll, and hides them for a second or more. In an ordered group that counts as an
   * attempt, as does a release: its polls have `graceMs` to end by themselves, or are canceled at once where that is free for idle ones. Resolves as
   * {@link ended}.
   * @returns until when canceled polls of an ordered group may still take messages on the server, by monotonic real time; 0 without any
   */
  async end(graceMs: number): Promise<number> {
    this.stop();
    const { client } = this.context;
    const { isFifo } = this.settings;
    const isFree = isFifo && client.connection.capabilities(this.server).cancelsFreely;
    if (!isFree) await this.waitForAnswers(graceMs);
    const outliving = isFifo && !isFree ? [...this.polling.values()] : [];
    const endByMs = outliving.flatMap(({ endsByMs }) =>
      endsByMs === undefined ? [] : [endsByMs + POLL_END_MARGIN_MS],
    );
    this.canceling.abort(new StateError('CLOSED', 'the consumer is closing'));
    await this.ended();
    return Math.max(0, ...endByMs);
  }

  /** Resolves when no poll is open that is worth waiting for. */
  private async waitForAnswers(graceMs: number): Promise<void> {
    const { ioClock } = this.context;
    const { isFifo } = this.settings;
    // What the polls bring is released within the grace period, too; in an ordered group that would cost an attempt as well.
    const untilMs = ioClock.monotonicMs() + (isFifo ? graceMs : graceMs / 2);
    for (let lateReads = 0; lateReads < MAX_LATE_READS; lateReads++) {
      const nowMs = ioClock.monotonicMs();
      const answersByMs = [...this.polling.values()].flatMap(({ answerByMs }) =>
        isFifo ? untilMs : (answerByMs ?? []),
      );
      if (answersByMs.length === 0 || nowMs >= untilMs) return;
      if (Math.max(...answersByMs) > nowMs) lateReads = 0;
      await sleep(ioClock, LOOK_EVERY_MS);
    }
  }

  /** Resolves when the last poll has ended and its messages are handed over. */
  async ended(): Promise<void> {
    await this.running;
    await Promise.all(this.extraPollers);
  }

  /** @param isWanted whether to go on after a poll, for pollers beside the first. Default: always */
  private async run(poller: Poller, isWanted = (): boolean => true): Promise<void> {
    const { signal } = this.stopping;
    let earlyPolls = 0;
    for (let failures = 0; !signal.aborted && isWanted(); ) {
      try {
        const beganAtMs = this.context.ioClock.monotonicMs();
        const end = await this.round(poller, signal);
        failures = 0;
        this.failure = undefined;
        if (end === 'full') this.addPoller();
        const endedEarly = isEmpty(end) && this.context.ioClock.monotonicMs() - beganAtMs < EARLY_MS;
        earlyPolls = endedEarly ? earlyPolls + 1 : 0;
        await this.pace(end, earlyPolls - MAX_UNDELAYED_EARLY_POLLS, signal);
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        // The pollers of an ordered group fail together, and a server that is unreachable for long is logged once.
        const isNews = this.failure === undefined;
        this.failure = { error, atMs: this.context.ioClock.monotonicMs() };
        this.logFailure(error, failures, isNews);
        const waitMs = withJitter(backoffMs(FAILED_POLL_BACKOFF, failures), () => this.context.random.next());
        await sleep(this.context.ioClock, waitMs, signal).catch(() => {});
      }
    }
  }

  private async pace(end: RoundEnd, earlyPolls: number, signal: AbortSignal): Promise<void> {
    if (earlyPolls <= 0) return;
    const waitMs = backoffMs(end === 'filtered' ? FILTERED_POLL_BACKOFF : EARLY_POLL_BACKOFF, earlyPolls);
    await sleep(this.context.ioClock, waitMs, signal).catch(() => {});
  }

  private addPoller(): void {
    const { extraPollers, stopping } = this;
    const { isFifo, receiveBatchSize } = this.settings;
    const most = Math.min(MAX_POLLS, Math.floor(this.port.loopShareOf(this.topic) / receiveBatchSize));
    if (isFifo || 1 + extraPollers.size >= most || stopping.signal.aborted) return;
    this.add(this.runExtra(stopping.signal));
  }

  private add(poller: Promise<void>): void {
    const ended = poller.then(() => void this.extraPollers.delete(ended));
    this.extraPollers.add(ended);
  }

  /** How many polls this loop has open while there are no messages. */
  private get idlePolls(): number {
    const { isFifo, isLite } = this.settings;
    if (!isFifo || isLite) return 1;
    const room = Math.max(1, this.port.loopShareOf(this.topic));
    return Math.min(this.queues.length, MAX_ORDERED_POLLS, room);
  }

  /** The number of queues changes, and that a group is ordered is known once the settings are. */
  private fitOrderedPollers(): void {
    while (1 + this.orderedPollers < this.idlePolls && !this.stopping.signal.aborted) {
      const number = ++this.orderedPollers;
      const isWanted = (): boolean => number < this.idlePolls;
      this.add(this.run(this.newPoller(false), isWanted).finally(() => void this.orderedPollers--));
    }
  }

  private newPoller(isExtra: boolean): Poller {
    return { attemptId: this.newAttemptId(), isExtra, expectsMessages: true };
  }

  /** Polls until a poll is not full. The first poller meets and reports the same failures. */
  private async runExtra(signal: AbortSignal): Promise<void> {
    const poller = this.newPoller(true);
    let end: RoundEnd = 'full';
    while (end === 'full' && !signal.aborted) end = await this.round(poller, signal).catch(() => 'stopped' as const);
  }

  private async round(poller: Poller, signal: AbortSignal): Promise<RoundEnd> {
    const { context, port, topic } = this;
    await port.pauses.opened(topic, signal);
    const share = Math.floor(port.loopShareOf(topic) / this.idlePolls);
    const most = Math.max(1, Math.min(this.settings.receiveBatchSize, share));
    const reservation = await port.roomOf(topic).reserve(most, signal);
    let endPoll: (() => void) | undefined;
    try {
      const openedAtMs = context.ioClock.monotonicMs();
      const open: OpenPoll = { openedAtMs, answerByMs: undefined, endsByMs: undefined };
      this.polling.set(poller, open);
      // A poll before the settings are known fails inside the server.
      await context.client.session(this.server).synced(signal);
      if (signal.aborted) return 'stopped';
      this.fitOrderedPollers();
      endPoll = port.pauses.beginPoll(topic);
      if (endPoll === undefined) return 'stopped';
      if (poller.expectsMessages) open.answerByMs = context.ioClock.monotonicMs() + ANSWER_MS;
      poller.expectsMessages = false;
      open.endsByMs = context.ioClock.monotonicMs() + this.serverPollsForMs(poller);
      const batch = await this.poll(poller, reservation, this.nextQueue());
      reservation.close();
      this.polling.delete(poller);
      this.handOn(poller, batch);
      if (batch.wereFiltered) this.missed.noticed(this.port.filterOf(this.topic));
      if (batch.messages.length === 0) return batch.wereFiltered ? 'filtered' : 'empty';
      poller.expectsMessages = batch.messages.length === reservation.count;
      return batch.messages.length === most ? 'full' : 'some';
    } finally {
      this.polling.delete(poller);
      reservation.close();
      endPoll?.();
    }
  }

  private handOn(poller: Poller, batch: ReceivedBatch): void {
    // Only a new id asks for new messages; the old one would return a completed batch of an ordered group again.
    if (batch.messages.length === 0) return;
    poller.attemptId = this.newAttemptId();
    this.port.deliver(batch);
  }

  /** Each in turn, for a server that would go by the queue's id. */
  private nextQueue(): Queue {
    return this.queues[this.polls++ % this.queues.length] ?? this.queues[0];
  }

  private async poll(poller: Poller, reservation: Reservation, queue: Queue): Promise<ReceivedBatch> {
    const { client, clock, consumerGroup } = this.context;
    const what = `receive from ${queue.topic} for "${consumerGroup}"`;
    const answers = new PollAnswers(what, reservation.add);
    const { messages } = answers;
    const open = this.polling.get(poller);
    const { loopWatch } = this.port;
    const [askedAtMs, watchedFromMs] = [clock.monotonicMs(), loopWatch.now()];
    const arrivalNow = () => ({
      readAtMs: clock.monotonicMs(),
      unreadForMs: loopWatch.unreadForMs(watchedFromMs, clock),
    });
    let arrival: ReturnType<typeof arrivalNow> | undefined;
    let untrack: (() => void) | undefined;
    try {
      const request = this.request(poller, reservation, queue);
      await client.receive(queue.endpoint, request, this.options(poller, what), (answer) => {
        arrival ??= arrivalNow();
        answers.take(answer);
        if (messages.length === 0) return;
        untrack ??= clock.track(what);
        if (open !== undefined && messages.length === 1)
          open.answerByMs = this.context.ioClock.monotonicMs() + ANSWER_MS;
      });
    } catch (error) {
      if (answers.wasFull(error)) this.logFull(messages.length);
      else if (this.keepsAfterBreak(messages))
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
    this.lastReceiveAtMs = this.context.ioClock.monotonicMs();
    const { deliveredAtMs, poppedAtMs: answeredAtMs, wereFiltered } = answers;
    const read = arrival ?? arrivalNow();
    const ageMs = messages.length === 0 ? 0 : this.ages.ageMs({ ...read, askedAtMs, answeredAtMs });
    return { queue, messages, receivedAtMs: read.readAtMs, ageMs, deliveredAtMs, wereFiltered };
  }

  /**
   * Messages that arrived before a stream broke are leased to this consumer. An ordered group asks for the whole batch again with the
   * same attempt id, so that no message arrives twice or before an earlier one that was lost on the way.
   */
  private keepsAfterBreak(messages: readonly WireMessage[]): boolean {
    return messages.length > 0 && (!this.settings.isFifo || this.stopping.signal.aborted);
  }

  private request(poller: Poller, { count }: Reservation, queue: Queue) {
    const { client, consumerGroup } = this.context;
    return {
      group: resource(client.connection.namespace, consumerGroup),
      messageQueue: queue.wire,
      filterExpression: toWireFilter(this.port.filterOf(this.topic)),
      batchSize: count,
      // The server's own renewal would hide a lost lease, and keep the messages of a dead process for minutes.
      autoRenew: false,
      invisibleDuration: toDuration(this.port.invisibleDurationMs),
      longPollingTimeout: toDuration(this.longPollingTimeoutMs(poller)),
      attemptId: poller.attemptId,
    };
  }

  private options(poller: Poller, what: string) {
    return { what, timeoutMs: this.longPollingTimeoutMs(poller) + POLL_MARGIN_MS, signal: this.canceling.signal };
  }

  private longPollingTimeoutMs({ isExtra }: Poller): number {
    const { isFifo, longPollingTimeoutMs } = this.settings;
    // Closing a consumer of an ordered group waits for its polls, so they are short. Other polls hold room that is needed.
    const isShort = isFifo || isExtra;
    return this.port.longPollingTimeoutMs ?? (isShort ? LIMITS.longPollingMinMs : longPollingTimeoutMs);
  }

  /** Servers raise a short polling time, and lower one that is longer than what they announce. */
  private serverPollsForMs(poller: Poller): number {
    const askedMs = Math.max(this.longPollingTimeoutMs(poller), LIMITS.longPollingMinMs);
    return Math.min(askedMs, this.settings.longPollingTimeoutMs);
  }

  private logFull(messages: number): void {
    const { consumerGroup, logger } = this.context;
    const text =
      'a poll received more bytes than maxBufferedBytes leaves room for; messages that did not fit are redelivered when their leases end. ' +
      'Raise maxBufferedBytes if this happens repeatedly';
    logger.warn(text, { consumerGroup, topic: this.topic, messages });
  }

  private logFailure(error: unknown, failures: number, isNews: boolean): void {
    const { consumerGroup, logger } = this.context;
    const fields = { consumerGroup, topic: this.topic, failures, error: describeError(error) };
    logger[isNews ? 'warn' : 'debug']('receiving failed; it is retried', fields);
  }

  private get topic(): string {
    return this.queues[0].topic;
  }

  /** All queues are on one broker. */
  private get server(): Endpoint {
    return this.queues[0].endpoint;
  }

  private get settings(): ConsumerSettings {
    return this.context.settings(this.server);
  }

  private newAttemptId(): string {
    return this.context.random.uuid();
  }
}
