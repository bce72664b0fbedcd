// Polls the assigned queues of one topic on one broker and hands over the messages: when, how often and how many at once. One poll is in
// receive-polls.ts.
// Over 300 lines: first and extra pollers share the room, the pauses and the shutdown of one loop.

import type { Endpoint } from '../../client/endpoint.js';
import type { Queue } from '../../client/route.js';
import { StatusError } from '../../protocol/grpc/status.js';
import { type Abortable, AbortSource } from '../../support/abort-source.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../../support/backoff.js';
import { SECOND_MS, sleep } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { ConsumerSettings } from '../model/settings.js';
import type { BufferRoom } from './buffer-room.js';
import type { GroupPauseWatch } from './group-pause-watch.js';
import { MissedMessages } from './missed-messages.js';
import type { Pauses } from './pauses.js';
import { PollPace, type RoundEnd } from './poll-pace.js';
import { type PollPort, type ReceivedBatch, ReceivePolls } from './receive-polls.js';

/** What the polls of a consumer ask for, and where their messages go. */
export interface ReceivePort extends PollPort {
  readonly pauses: Pauses;
  readonly groupPause: GroupPauseWatch;
  roomOf(topic: string): BufferRoom;
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

/** How often a paused group is polled. */
const PAUSED_POLL_MS = 2 * SECOND_MS;

const FAILED_POLL_BACKOFF: BackoffPolicy = { kind: 'exponential', initialMs: 100, maxMs: 5 * SECOND_MS, multiplier: 2 };

/**
 * Receives from {@link ReceiveLoop.start} until it has ended: one poll at a time, and more of them at once while they are
 * full. One loop serves all queues of a broker: the server pops from all of them whichever the request names. An ordered group has a poll
 * for each queue all the time: servers answer waiting polls in turn, and the other clients of a group have one for each queue. Their answers
 * need no order, because a server hands out nothing of a queue before all that it handed out is settled, or its lease is over.
 */
export class ReceiveLoop {
  private readonly stopping = new AbortSource();
  private readonly canceling = new AbortSource();
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
  private readonly receivePolls: ReceivePolls;

  /** @param queues at least one, all of one topic on one broker */
  constructor(
    private readonly context: ConsumerContext,
    private readonly port: ReceivePort,
    private queues: readonly [Queue, ...Queue[]],
  ) {
    this.receivePolls = new ReceivePolls(context, port, { stopping: this.stopping, canceling: this.canceling });
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
    void this.ended().then(() => {
      endWatch();
      this.port.groupPause.forget(this);
    });
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
    const { cancelsFreely } = client.connection.capabilities(this.server);
    const isFree = isFifo && (cancelsFreely || client.announces('cancelsFreely', this.server));
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
  private async run(poller: Poller, isWanted?: () => boolean): Promise<void> {
    const signal = this.stopping;
    const pace = new PollPace();
    for (let failures = 0; !signal.aborted && isWanted?.() !== false; ) {
      try {
        if (this.port.groupPause.pause !== undefined) {
          await sleep(this.context.ioClock, PAUSED_POLL_MS, signal);
          // One poller finds out for all.
          if ((this.port.groupPause.proberOf(this) ?? poller) !== poller) continue;
        }
        const beganAtMs = this.context.ioClock.monotonicMs();
        const end = await this.round(poller, signal);
        failures = 0;
        this.failure = undefined;
        if (end === 'full') this.addPoller();
        const waitMs = pace.waitMs(end, this.context.ioClock.monotonicMs() - beganAtMs);
        if (waitMs > 0) await sleep(this.context.ioClock, waitMs, signal).catch(() => {});
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof StatusError && error.code === 'GROUP_PAUSED') {
          this.failure = undefined;
          this.lastReceiveAtMs = this.context.ioClock.monotonicMs();
          this.port.groupPause.rejected(this, poller);
          continue;
        }
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

  private addPoller(): void {
    const { extraPollers, stopping } = this;
    const { isFifo, receiveBatchSize } = this.settings;
    const most = Math.min(MAX_POLLS, Math.floor(this.port.loopShareOf(this.topic) / receiveBatchSize));
    if (isFifo || 1 + extraPollers.size >= most || stopping.aborted) return;
    this.add(this.runExtra(stopping));
  }

  private add(poller: Promise<void>): void {
    const ended = poller.then(() => void this.extraPollers.delete(ended));
    this.extraPollers.add(ended);
  }

  /** How many polls this loop has open while there are no messages. */
  private get idlePolls(): number {
    const { isFifo, isLite } = this.settings;
    if (!isFifo || isLite) return 1;
    return Math.min(this.queues.length, MAX_ORDERED_POLLS, Math.max(1, this.port.loopShareOf(this.topic)));
  }

  /** The number of queues changes, and that a group is ordered is known once the settings are. */
  private fitOrderedPollers(): void {
    while (1 + this.orderedPollers < this.idlePolls && !this.stopping.aborted) {
      const number = ++this.orderedPollers;
      const poller = this.newPoller(false);
      const isWanted = (): boolean => number < this.idlePolls || this.port.groupPause.proberOf(this) === poller;
      this.add(this.run(poller, isWanted).finally(() => void this.orderedPollers--));
    }
  }

  private newPoller(isExtra: boolean): Poller {
    return { attemptId: this.newAttemptId(), isExtra, expectsMessages: true };
  }

  /** Polls until a poll is not full. The first poller meets and reports the same failures. */
  private async runExtra(signal: Abortable): Promise<void> {
    const poller = this.newPoller(true);
    let end: RoundEnd = 'full';
    while (end === 'full' && !signal.aborted) end = await this.round(poller, signal).catch(() => 'stopped' as const);
  }

  private async round(poller: Poller, signal: Abortable): Promise<RoundEnd> {
    const { context, port, topic } = this;
    await port.groupPause.mayPoll(this, topic, signal);
    const share = Math.floor(port.loopShareOf(topic) / this.idlePolls);
    const most = Math.max(1, Math.min(this.settings.receiveBatchSize, share));
    const room = port.roomOf(topic);
    const reservation =
      port.groupPause.proberOf(this) === poller ? room.reserveOne() : await room.reserve(most, signal);
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
      // One that finds out whether the group is still paused holds up the others until it is answered.
      const isShort = poller.isExtra || port.groupPause.pause !== undefined;
      const poll = { attemptId: poller.attemptId, isShort, queue: this.nextQueue(), reservation };
      const askedAtMs = context.ioClock.monotonicMs();
      open.endsByMs = askedAtMs + this.receivePolls.serverPollsForMs(poll);
      const batch = await this.receivePolls.poll(poll, () => {
        open.answerByMs = context.ioClock.monotonicMs() + ANSWER_MS;
      });
      this.lastReceiveAtMs = context.ioClock.monotonicMs();
      port.groupPause.answered(this, askedAtMs);
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

  private logFailure(error: unknown, failures: number, isNews: boolean): void {
    const { consumerGroup, logger } = this.context;
    const fields = { consumerGroup, topic: this.topic, failures, error: describeError(error) };
    logger[isNews ? 'warn' : 'debug']('receiving failed; it is retried', fields);
  }

  private get topic(): string {
    return this.queues[0].topic;
  }

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
