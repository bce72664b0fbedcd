// The receives of a simple consumer: a poll of one broker each, what they return, and the release of what arrives and is not returned.

import type { Client } from '../../client/client.js';
import { type Endpoint, endpointKey } from '../../client/endpoint.js';
import { type Queue, resource } from '../../client/route.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import type { Message as WireMessage } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { DEFAULT_BUFFERED_BYTES, DEFAULT_MAX_UNPACKED_BYTES, LIMITS } from '../../protocol/model/limits.js';
import type { MessageView } from '../../protocol/model/message.js';
import { withAnySignal } from '../../support/abort.js';
import { AnswerAges, LoopWatch } from '../../support/answer-age.js';
import { SECOND_MS, SystemClock } from '../../support/clock.js';
import { type Deadline, waitWithin, withDeadline } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { ReceiptCalls } from '../lease/receipt-calls.js';
import { RECEIVED_TOO_LATE } from '../model/consumer-events.js';
import type { ObservedPoll, SimpleConsumerTelemetry } from '../model/consumer-telemetry.js';
import type { GroupSettings } from '../model/group-settings.js';
import { type Subscription, toWireFilter } from '../model/subscription.js';
import { ExpectedSize } from '../receive/buffer-room.js';
import { incomingMessage, unpackedMessage } from '../receive/incoming-message.js';
import { MissedMessages } from '../receive/missed-messages.js';
import { isStale, PollAnswers } from '../receive/poll-answers.js';
import type { ReceiveLimits, SimpleConsumerOptions } from './simple-consumer-options.js';

/** A received message, to be settled by the consumer that received it. */
export interface ReceivedMessage extends MessageView {
  /** Why the body is not what was sent (digest, compression); undefined when it is. Dead-letter such a message. */
  readonly bodyProblem: string | undefined;
}

/** What the receives need of their consumer. */
interface ReceivesPort {
  readonly client: Client;
  readonly calls: ReceiptCalls;
  readonly settings: GroupSettings;
  readonly options: SimpleConsumerOptions;
  readonly telemetry: SimpleConsumerTelemetry | undefined;
  /** Aborts when the consumer is closing. */
  readonly closing: AbortSignal;
}

/** What a receive has got from a server. */
interface Arrived {
  readonly endpoint: Endpoint;
  readonly wires: readonly WireMessage[];
}

/** How long a close waits for the end of its receives, and then for releases of what they brought. */
const LAST_RELEASES_MS = 3_000;
/** A delivered batch must still be received when the event loop was blocked. */
const POLL_MARGIN_MS = 10 * SECOND_MS;

export class SimpleReceives {
  private readonly endpoints = new WeakMap<ReceivedMessage, Endpoint>();
  private readonly maxBufferedBytes: number;
  private readonly expected = new ExpectedSize();
  private readonly loopWatch = new LoopWatch(new SystemClock());
  /** By broker. */
  private readonly ages = new Map<string, AnswerAges>();
  private readonly missed: MissedMessages;
  /** How often each topic was received from. */
  private readonly turns = new Map<string, number>();
  /** Receives, and releases of messages that are not returned. */
  private readonly open = new Set<Promise<unknown>>();

  constructor(private readonly port: ReceivesPort) {
    this.maxBufferedBytes = port.options.maxBufferedBytes ?? DEFAULT_BUFFERED_BYTES;
    this.missed = new MissedMessages(new SystemClock(), () => port.client.refreshSettings());
  }

  /** The server of a message that was returned; undefined for any other. */
  endpointOf(message: ReceivedMessage): Endpoint | undefined {
    return this.endpoints.get(message);
  }

  /** Failures as of `SimpleConsumer.receive`. */
  receive(
    subscription: Subscription,
    limits: ReceiveLimits,
    signal: AbortSignal | undefined,
  ): Promise<ReceivedMessage[]> {
    const { maxMessages, invisibleMs, longPollingTimeoutMs } = limits;
    const what = `receive from ${subscription.topic} for "${this.port.options.consumerGroup}"`;
    const timeoutMs = Math.max(longPollingTimeoutMs, LIMITS.longPollingMinMs) + POLL_MARGIN_MS;
    const arrived: Arrived[] = [];
    const poll = async (deadline: Deadline, onPoll?: (poll: ObservedPoll) => void): Promise<ReceivedMessage[]> => {
      const queue = await this.nextQueue(subscription.topic, deadline);
      await this.port.client.session(queue.endpoint).synced(deadline.signal);
      const { expected, maxBufferedBytes } = this;
      const count = Math.min(maxMessages, expected.countIn(maxBufferedBytes));
      const request = {
        ...this.receiveRequest(queue, subscription, invisibleMs, longPollingTimeoutMs),
        batchSize: count,
      };
      const call = { what, timeoutMs, signal: deadline.signal };
      let [leftBytes, came] = [maxBufferedBytes, 0];
      const answers = new PollAnswers(what, (bodyBytes) => {
        leftBytes -= bodyBytes;
        came++;
        return leftBytes >= 0 || came === count;
      });
      const here: Arrived = { endpoint: queue.endpoint, wires: answers.messages };
      arrived.push(here);
      const { clock } = this.port.client.connection;
      const [askedAtMs, watchedFromMs] = [clock.monotonicMs(), this.loopWatch.now()];
      let read: { readonly readAtMs: number; readonly unreadForMs: number } | undefined;
      const endWatch = this.loopWatch.begin();
      try {
        await this.port.client.receive(queue.endpoint, request, call, (answer) => {
          read ??= { readAtMs: clock.monotonicMs(), unreadForMs: this.loopWatch.unreadForMs(watchedFromMs, clock) };
          answers.take(answer);
        });
      } catch (error) {
        if (!answers.wasFull(error)) throw error;
      } finally {
        endWatch();
      }
      answers.assertUsable();
      if (answers.wereFiltered) this.missed.noticed(subscription.filter);
      const receivedAtMs = this.port.client.connection.clock.nowMs();
      if (read === undefined || answers.messages.length === 0) return [];
      const { poppedAtMs: answeredAtMs } = answers;
      const leasedAtMs = read.readAtMs - this.agesOf(queue).ageMs({ ...read, askedAtMs, answeredAtMs });
      /** Others may have handled these messages: not even a release may be sent. */
      const areStale = (): boolean => {
        const ageMs = clock.monotonicMs() - leasedAtMs;
        if (!isStale(ageMs, invisibleMs)) return false;
        arrived.splice(arrived.indexOf(here), 1);
        this.reportStale(queue.topic, answers.messages, ageMs);
        return true;
      };
      if (areStale()) return [];
      const messages = await this.received(queue, answers.messages);
      // The rest of the answer, and the bodies, may have taken long.
      if (areStale()) return [];
      onPoll?.({ messages, deliveredAtMs: answers.deliveredAtMs, receivedAtMs });
      return messages;
    };
    const { telemetry } = this.port;
    const work = (deadline: Deadline): Promise<ReceivedMessage[]> =>
      telemetry === undefined
        ? poll(deadline)
        : telemetry.receive(subscription.topic, (onPoll) => poll(deadline, onPoll));
    const receiving = withAnySignal([this.port.closing, signal], (ended) => withDeadline(what, timeoutMs, ended, work));
    return this.tracked(this.returned(receiving, arrived));
  }

  private agesOf({ brokerName, endpoint }: Queue): AnswerAges {
    const key = `${brokerName} ${endpointKey(endpoint)}`;
    const ages = this.ages.get(key) ?? new AnswerAges();
    this.ages.set(key, ages);
    return ages;
  }

  private reportStale(topic: string, wires: readonly WireMessage[], ageMs: number): void {
    const { consumerGroup } = this.port.options;
    const messageIds = wires.map(({ systemProperties }) => systemProperties?.messageId);
    const fields = { consumerGroup, topic, messages: wires.length, messageIds, ageMs: Math.round(ageMs) };
    this.port.client.connection.logger.warn(RECEIVED_TOO_LATE, fields);
    for (const _ of wires) this.port.telemetry?.leaseLost(topic);
  }

  /** What a receive returns: nothing once the consumer is closing, because nobody could settle it. What has arrived and is not returned is released. */
  private async returned(
    receiving: Promise<ReceivedMessage[]>,
    arrived: readonly Arrived[],
  ): Promise<ReceivedMessage[]> {
    let messages: ReceivedMessage[] = [];
    try {
      const received = await receiving;
      if (this.port.closing.aborted) throw closedError();
      messages = received;
      return messages;
    } catch (error) {
      throw this.port.closing.aborted ? closedError() : error;
    } finally {
      const handles = new Set(messages.map(({ receiptHandle }) => receiptHandle));
      for (const { endpoint, wires } of arrived) {
        for (const wire of wires) {
          if (!handles.has(wire.systemProperties?.receiptHandle ?? '')) this.release(wire, endpoint);
        }
      }
    }
  }

  /** Resolves when the receives and their releases have ended, or after some seconds. */
  async ended(): Promise<void> {
    const ended = (): Promise<unknown> =>
      waitWithin('end of open receives', LAST_RELEASES_MS, undefined, Promise.all(this.open)).catch(() => {});
    await ended();
    // The receives may have begun releases.
    await ended();
  }

  private tracked<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => void this.open.delete(ended),
      () => void this.open.delete(ended),
    );
    this.open.add(ended);
    return work;
  }

  private receiveRequest(queue: Queue, subscription: Subscription, invisibleMs: number, longPollingTimeoutMs: number) {
    return {
      group: resource(this.port.client.connection.namespace, this.port.options.consumerGroup),
      messageQueue: queue.wire,
      filterExpression: toWireFilter(subscription.filter),
      autoRenew: false,
      invisibleDuration: toDuration(invisibleMs),
      longPollingTimeout: toDuration(longPollingTimeoutMs),
    };
  }

  /** One after another: together they could decompress to many times the limit. */
  private async received({ endpoint, brokerName }: Queue, wires: readonly WireMessage[]): Promise<ReceivedMessage[]> {
    const { maxUnpackedBytes = DEFAULT_MAX_UNPACKED_BYTES } = this.port.options;
    const messages: ReceivedMessage[] = [];
    let [heldBytes, largestBytes] = [0, 0];
    for (const wire of wires) {
      if (heldBytes > this.maxBufferedBytes || this.port.closing.aborted) break;
      const incoming = incomingMessage(wire, brokerName);
      const { message, bodyProblem } = incoming.isPacked
        ? await unpackedMessage(incoming.message, maxUnpackedBytes)
        : incoming;
      heldBytes += message.body.length;
      largestBytes = Math.max(largestBytes, message.body.length);
      const received = { ...message, bodyProblem };
      this.endpoints.set(received, endpoint);
      messages.push(received);
    }
    if (messages.length > 0) this.expected.learn(largestBytes);
    return messages;
  }

  /** Makes a message that is not returned visible at once. When that fails, it is visible when its invisible duration is over. */
  private release(wire: WireMessage, endpoint: Endpoint): void {
    const { messageId = '', receiptHandle: handle = '' } = wire.systemProperties ?? {};
    const topic = wire.topic?.name ?? '';
    const receipt = { topic, messageId, handle, endpoint };
    const suspend = !this.port.settings.isOrdered(endpoint) && this.port.client.announces('suspends', endpoint);
    const postponement = { invisibleDurationMs: 0, suspend };
    const released = this.port.calls.changeInvisibleDuration(receipt, postponement).catch((error) => {
      const fields = { topic, messageId, error: describeError(error) };
      this.port.client.connection.logger.debug('a message that was not returned could not be released', fields);
    });
    void this.tracked(released);
  }

  /** One queue of each broker: the server pops from all queues of a broker, whichever is named. */
  private async nextQueue(topic: string, deadline: Deadline): Promise<Queue> {
    const { queues } = await this.port.client.route(topic, deadline);
    const brokers = new Map<string, Queue>();
    for (const queue of queues) {
      const key = `${queue.brokerName} ${endpointKey(queue.endpoint)}`;
      if (queue.readable && queue.brokerId === 0 && !brokers.has(key)) brokers.set(key, queue);
    }
    const candidates = [...brokers.values()];
    const turn = this.turns.get(topic) ?? 0;
    this.turns.set(topic, turn + 1);
    const queue = candidates[turn % candidates.length];
    if (queue === undefined) {
      throw new StateError('NO_READABLE_QUEUE', `topic "${topic}" has no readable queue; nothing was received`);
    }
    return queue;
  }
}

export function closedError(): StateError {
  return new StateError('CLOSED', 'the consumer is closed; nothing was sent');
}
