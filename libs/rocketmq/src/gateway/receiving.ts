// Pops messages from one broker: asks, filters, moves those with too many attempts to the dead letters, and gives out receipt handles.
// @see ConsumerProcessor of the proxy

import { durationMs } from '../protocol/grpc/duration.js';
import {
  Code,
  type FilterExpression,
  FilterType,
  type Message as WireMessage,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import { tagMatcher } from '../protocol/model/filter.js';
import { LIMITS } from '../protocol/model/limits.js';
import { RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { messageIdOf, type StoredMessageFields } from '../protocol/remoting/stored-message.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import { AnswerAges, LoopWatch } from '../support/answer-age.js';
import { SystemClock } from '../support/clock.js';
import { type Deadline, realTimeIn, withDeadline } from '../support/deadline.js';
import { describeError, type Logger } from '../support/logger.js';
import { BrokerTimes, isTooOld } from './broker-times.js';
import { wireMessageOf } from './message-properties.js';
import { countOf, litePop, pollMsOf, pop } from './pop-requests.js';
import { type Poll, type PoppedMessage, poppedIn } from './popped-messages.js';
import type { PullConsumer } from './pull/pull-consumer.js';
import type { GatewaySession } from './session.js';
import type { Settling } from './settling.js';
import { OK, rejection, statusOf } from './statuses.js';

type Request = RpcRequest<'receiveMessage'>;
type OnAnswer = (answer: RpcResponse<'receiveMessage'>) => void;

/** Requests about messages that the application does not see have this much time. */
const ASIDE_MS = 3_000;
/** What was popped for a poll that nobody waits for becomes visible again after this time; the proxy does the same. */
const RELEASED_AFTER_MS = 1_000;

/** A request about a message that the application does not see. */
interface Aside {
  readonly what: string;
  work(deadline: Deadline): Promise<unknown>;
}

/** The answer to a poll. */
interface PollAnswer {
  readonly frame: RemotingFrame;
  /** How long it had waited when it was read. */
  readonly ageMs: number;
}

/** Which messages are for the consumer. */
interface Limits {
  readonly matches: (tag: string | undefined) => boolean;
  readonly maxAttempts: number;
}

/** The polls of one client. */
export class Receiving {
  /** What is being done about messages that the application does not see. */
  private readonly inFlight = new Set<Promise<void>>();
  private isClosing = false;
  private readonly clocks = new BrokerTimes();
  private readonly loopWatch = new LoopWatch(new SystemClock());
  /** By address. */
  private readonly ages = new Map<string, AnswerAges>();

  constructor(
    private readonly clientId: string,
    private readonly client: RemotingClient,
    private readonly settling: Settling,
    private readonly pulled: PullConsumer,
    private readonly session: (address: string) => GatewaySession | undefined,
    private readonly logger: Logger,
  ) {}

  async receive(address: string, request: Request, deadline: Deadline, onAnswer: OnAnswer): Promise<void> {
    const invisibleMs = request.invisibleDuration === undefined ? 0 : durationMs(request.invisibleDuration);
    if (invisibleMs < LIMITS.invisibleDurationMinMs || invisibleMs > LIMITS.invisibleDurationMaxMs) {
      const text = `the invisible duration of ${invisibleMs} ms is not from ${LIMITS.invisibleDurationMinMs} to ${LIMITS.invisibleDurationMaxMs}`;
      onAnswer({ content: { $case: 'status', value: rejection(Code.ILLEGAL_INVISIBLE_TIME, text) } });
      return;
    }
    const group = this.session(address)?.group;
    const poll: Poll = {
      address,
      topic: request.messageQueue?.topic?.name ?? '',
      brokerName: request.messageQueue?.broker?.name ?? '',
      consumerGroup: request.group?.name ?? '',
      filter: request.filterExpression,
      invisibleMs,
      isOrdered: group?.isOrdered === true,
      isLite: group?.lite !== undefined,
    };
    if (group?.abilities.pops === false) {
      await this.givePulled(poll, request, deadline, onAnswer);
      return;
    }
    const count = poll.isOrdered && group?.abilities.keepsPartialAcks === false ? 1 : request.batchSize;
    const ask = async (): Promise<PollAnswer> => {
      const bornTime = this.clocks.bornTime(address);
      const asked = poll.isLite ? litePop(this.clientId, poll, bornTime, request) : pop(poll, bornTime, request, count);
      const askedAtMs = this.loopWatch.now();
      const ageMs = (frame: RemotingFrame): number => this.ageMs(address, askedAtMs, frame);
      const onLate = (late: RemotingFrame): void => this.release(poll, { frame: late, ageMs: ageMs(late) });
      const frame = await this.client.ask(address, asked, deadline, { onLate });
      return { frame, ageMs: ageMs(frame) };
    };
    const endWatch = this.loopWatch.begin();
    try {
      const first = await ask();
      const answer = this.clocks.isToBeRepeated(address, first.frame) ? await ask() : first;
      this.clocks.learn(address, answer.frame);
      await this.give(poll, answer, deadline, onAnswer);
    } finally {
      endWatch();
    }
  }

  /** From what this process has pulled of the queues at the broker. */
  private async givePulled(poll: Poll, request: Request, { end }: Deadline, onAnswer: OnAnswer): Promise<void> {
    const waitMs = pollMsOf(request);
    const messages = await this.pulled.receive(poll, countOf(request.batchSize), waitMs, end);
    onAnswer({ content: { $case: 'deliveryTimestamp', value: realTimeIn(0) } });
    const none = () => this.pulled.problemAt(poll.brokerName) ?? rejection(Code.MESSAGE_NOT_FOUND, 'no new message');
    onAnswer({ content: { $case: 'status', value: messages.length > 0 ? OK : none() } });
    for (const message of messages) onAnswer({ content: { $case: 'message', value: message } });
  }

  /** How long the answer had waited when it was read, which is now. */
  private ageMs(address: string, askedAtMs: number, { code, fields }: RemotingFrame): number {
    if (code !== RESPONSE_CODES.success) return 0;
    const { loopWatch } = this;
    const ages = this.ages.get(address) ?? new AnswerAges();
    this.ages.set(address, ages);
    const popTimeMs = Number(fields.popTime);
    return ages.ageMs({
      askedAtMs,
      readAtMs: loopWatch.now(),
      unreadForMs: loopWatch.unreadForMs(askedAtMs),
      answeredAtMs: popTimeMs > 0 ? popTimeMs : undefined,
    });
  }

  private async give(
    poll: Poll,
    { frame: answer, ageMs }: PollAnswer,
    deadline: Deadline,
    onAnswer: OnAnswer,
  ): Promise<void> {
    if (answer.code !== RESPONSE_CODES.success) {
      onAnswer({ content: { $case: 'status', value: emptyStatus(answer, poll.address) } });
      return;
    }
    // At once: leases count from when the first part of an answer is read.
    const deliveredAt = new Date(Number(answer.fields.popTime ?? 0));
    onAnswer({ content: { $case: 'deliveryTimestamp', value: deliveredAt } });
    const popped = poppedIn(answer, poll, ageMs, (stored) => this.warnUnusable(poll, stored));
    const session = this.session(poll.address);
    if (popped.some(({ attempt }) => attempt > 1)) await session?.refreshGroup(deadline.signal);
    const { maxAttempts: most = 0 } = session?.group ?? {};
    // Nothing more is polled from a group without attempts, and what has been is for the handlers.
    const maxAttempts = most < 1 ? Number.POSITIVE_INFINITY : most;
    const limits = { matches: matcherOf(poll.filter), maxAttempts };
    const asides: Aside[] = [];
    const headed = new Set<number>();
    const messages = popped
      .map((one) => {
        // Behind the first message of an ordered queue may be acknowledged ones, which the broker hands out with it again.
        const isBehind = poll.isOrdered && headed.has(one.stored.queueId);
        headed.add(one.stored.queueId);
        return this.usable(poll, one, isBehind ? { ...limits, maxAttempts: Number.POSITIVE_INFINITY } : limits, asides);
      })
      .filter((message) => message !== undefined);
    this.begin(asides);
    const status = messages.length > 0 ? OK : rejection(Code.MESSAGE_NOT_FOUND, 'no match message');
    onAnswer({ content: { $case: 'status', value: status } });
    for (const message of messages) onAnswer({ content: { $case: 'message', value: message } });
  }

  /** Undefined when the message is not for the consumer: the broker compares hashes of tags, and counts attempts without a limit. */
  private usable(
    poll: Poll,
    popped: PoppedMessage,
    { matches, maxAttempts }: Limits,
    asides: Aside[],
  ): WireMessage | undefined {
    const { stored, attempt, handle } = popped;
    const message = wireMessageOf(stored, { topic: poll.topic, receiptHandle: handle, deliveryAttempt: attempt });
    const { address, consumerGroup, topic } = poll;
    const delivered = { topic, consumerGroup, handle, messageId: message.systemProperties?.messageId ?? '' };
    if (!matches(message.systemProperties?.tag)) {
      const what = 'ack of a message that the filter excludes';
      asides.push({ what, work: (deadline) => this.settling.ackOne(address, delivered, deadline) });
      return undefined;
    }
    // A dead letter would damage the lite topic, so those are for the consumer to keep.
    if (attempt <= maxAttempts || poll.isLite) return message;
    const what = 'move of a message with too many attempts to the dead letters';
    const move = async (deadline: Deadline): Promise<unknown> =>
      // Those before it may have taken long. A copy of this delivery, and one of the next, would be two dead letters.
      this.settling.hasEnded(handle) ? undefined : this.settling.deadLetter(address, delivered, deadline);
    asides.push({ what, work: move });
    return undefined;
  }

  /** The poll was given up, so nobody handles these messages before their time is over. */
  private release(poll: Poll, { frame: answer, ageMs }: PollAnswer): void {
    if (answer.code !== RESPONSE_CODES.success) return;
    const { address, topic, consumerGroup } = poll;
    let popped: PoppedMessage[];
    try {
      popped = poppedIn(answer, poll, ageMs, (stored) => this.warnUnusable(poll, stored));
    } catch (error) {
      // Nobody waits for this error, and it must not reach the socket. The messages are redelivered when their time is over.
      this.logger.warn('the late answer to a poll cannot be read', { address, topic, error: describeError(error) });
      return;
    }
    const asides = popped.map(({ handle }): Aside => {
      const change = { topic, consumerGroup, handle, suspend: true, isRetry: false, invisibleMs: RELEASED_AFTER_MS };
      const what = 'release of a message whose poll was given up';
      return { what, work: (deadline) => this.settling.change(address, change, deadline) };
    });
    this.begin(asides);
  }

  private warnUnusable({ topic, consumerGroup }: Poll, stored: StoredMessageFields): void {
    const text =
      'a message is stored in several lite topics by a client that names their queues itself; it cannot be acknowledged, so it blocks its lite topic';
    this.logger.error(text, { topic, consumerGroup, messageId: messageIdOf(stored) });
  }

  /** Begins no further request about an unseen message, and waits for those in flight: a dead letter is copied, then acknowledged. */
  async close(): Promise<void> {
    this.isClosing = true;
    await Promise.all(this.inFlight);
  }

  private begin(asides: readonly Aside[]): void {
    const working = this.inOrder(asides).finally(() => this.inFlight.delete(working));
    this.inFlight.add(working);
  }

  /** One after the other, so that dead letters keep their order. A failure leaves the message to the end of its invisible time. */
  private async inOrder(asides: readonly Aside[]): Promise<void> {
    for (const { what, work } of asides) {
      if (this.isClosing) return;
      await withDeadline(what, ASIDE_MS, undefined, work).catch((error) =>
        this.logger.debug(`${what} failed; it is repeated later`, { error: describeError(error) }),
      );
    }
  }
}

function emptyStatus(answer: RemotingFrame, address: string) {
  if (isTooOld(answer)) {
    const problem = `${address} takes the poll for an old one: its clock is ahead of that of this machine`;
    return rejection(Code.ILLEGAL_POLLING_TIME, `${problem}; nothing was received; set both clocks by a time server`);
  }
  const isEmpty = answer.code === RESPONSE_CODES.pollingTimeout || answer.code === RESPONSE_CODES.pullNotFound;
  return isEmpty ? rejection(Code.MESSAGE_NOT_FOUND, 'no new message') : statusOf(answer, address);
}

function matcherOf(filter: FilterExpression | undefined): Limits['matches'] {
  return filter === undefined || filter.type === FilterType.SQL ? () => true : tagMatcher(filter.expression);
}
