// What becomes of pulled messages: settled here, or stored again by the broker as a retry or a dead letter. Only offsets go to the broker otherwise.

import { Code, type Status } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { messageIdOf } from '../../protocol/remoting/stored-message.js';
import type { RemotingClient } from '../../remoting/remoting-client.js';
import { SECOND_MS } from '../../support/clock.js';
import { type Deadline, monotonicMs } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import type { DelayLevels } from '../delay-levels.js';
import type { GroupSettings } from '../group-settings.js';
import { OK, rejection, statusOf } from '../statuses.js';
import type { HandedOut } from './owned-queue.js';
import { decodePullHandle, encodePullHandle } from './pull-handle.js';
import type { QueuePuller } from './queue-puller.js';

interface PulledSettlingPort {
  readonly clientId: string;
  readonly client: RemotingClient;
  readonly delayLevels: DelayLevels;
  readonly logger: Logger;
  /** Whether nothing is sent back: a copy would be for all members. */
  readonly isBroadcast: boolean;
  consumerGroup(): string;
  /** Of the broker of the queue. */
  addressOf(puller: QueuePuller): string;
  groupOf(puller: QueuePuller): GroupSettings | undefined;
  pullerOf(ownership: number): QueuePuller | undefined;
  /** Called with the time, by the monotonic clock, when a message becomes ready again. */
  onPostponed(atMs: number): void;
  /** Called when there may be messages to hand out. */
  onReady(): void;
}

/** What becomes of a message whose lease is changed. */
interface LeaseChange {
  readonly invisibleMs: number;
  /** Not to count the delivery as an attempt. */
  readonly suspend: boolean;
  /** Whether it is a failure that is retried later, as opposed to a lease that goes on. */
  readonly isRetry: boolean;
}

/** What a broker makes of a message that is sent back. */
interface Copy {
  /** How long until it is delivered: at least, if the broker has so long a delay. Undefined for a dead letter. */
  readonly delayMs: number | undefined;
  /** Once it was retried this often, it is a dead letter. */
  readonly maxReconsumeTimes: number;
}

const DEAD_LETTER: Copy = { delayMs: undefined, maxReconsumeTimes: 0 };
const AS_LATE_AS_POSSIBLE = Number.POSITIVE_INFINITY;
/** A shorter retry waits in memory: a broker has no shorter delay by default. */
const MIN_SENT_BACK_MS = SECOND_MS;
/** How a dead letter is marked. */
const DEAD_LETTER_LEVEL = -1;
const LOST = rejection(
  Code.INVALID_RECEIPT_HANDLE,
  'the delivery is over: its time has ended, or another consumer has its queue now',
);

export class PulledSettling {
  constructor(private readonly port: PulledSettlingPort) {}

  handleOf({ ownership }: QueuePuller, offset: number, delivery: number): string {
    return encodePullHandle({ clientId: this.port.clientId, ownership, offset, delivery });
  }

  ack(handle: string): Status {
    const found = this.delivery(handle);
    if (found === undefined) return LOST;
    const { puller, offset, isHeld } = found;
    if (isHeld) this.settle(puller, offset);
    return isHeld || puller.queue?.isSettled(offset) ? OK : LOST;
  }

  /** @returns the new handle with an OK; none when the delivery is over */
  async change(
    text: string,
    { invisibleMs, suspend, isRetry }: LeaseChange,
    deadline: Deadline,
  ): Promise<{ readonly status: Status; readonly receiptHandle: string }> {
    const found = this.delivery(text);
    const queue = found?.puller.queue;
    if (found?.isHeld !== true || queue === undefined) return { status: LOST, receiptHandle: '' };
    const { puller, offset } = found;
    const isSentBack = isRetry && !suspend && !queue.isOrdered && !this.port.isBroadcast;
    if (isSentBack && invisibleMs >= MIN_SENT_BACK_MS) {
      const maxReconsumeTimes = Math.max(0, (this.port.groupOf(puller)?.maxAttempts ?? 1) - 1);
      const copy = { delayMs: invisibleMs, maxReconsumeTimes };
      return { status: await this.sendBack(puller, offset, copy, deadline), receiptHandle: text };
    }
    const untilMs = monotonicMs() + invisibleMs;
    this.port.onPostponed(untilMs);
    if (isRetry || suspend || invisibleMs === 0) {
      queue.postpone(offset, untilMs, !suspend);
      return { status: OK, receiptHandle: text };
    }
    const delivery = queue.renew(offset, untilMs);
    if (delivery === undefined) return { status: LOST, receiptHandle: '' };
    return { status: OK, receiptHandle: this.handleOf(puller, offset, delivery) };
  }

  async deadLetter(handle: string, deadline: Deadline): Promise<Status> {
    const found = this.delivery(handle);
    if (found?.isHeld !== true) return LOST;
    return this.bury(found.puller, found.offset, deadline);
  }

  /** Stores a message as a dead letter; then it is settled. One of a broadcast is dropped: nobody would look for it in the dead letters of others. */
  async bury(puller: QueuePuller, offset: number, deadline: Deadline): Promise<Status> {
    if (this.port.isBroadcast) return this.drop(puller, offset);
    return this.sendBack(puller, offset, DEAD_LETTER, deadline);
  }

  /** Has a message delivered again as late as possible, without a limit of attempts; then it is settled. */
  putOff(puller: QueuePuller, { offset, stored }: HandedOut, deadline: Deadline): Promise<Status> {
    const copy = { delayMs: AS_LATE_AS_POSSIBLE, maxReconsumeTimes: stored.reconsumeTimes + 1 };
    return this.sendBack(puller, offset, copy, deadline);
  }

  /** What was settled above an unsettled message would be repeated by the next owner, so that one is sent back. Never throws. */
  async closeGaps(puller: QueuePuller, deadline: Deadline): Promise<void> {
    if (this.port.isBroadcast) return;
    for (const { queueOffset, reconsumeTimes } of puller.queue?.gaps ?? []) {
      // Nothing has failed: not to become a dead letter for it.
      const copy = { delayMs: 0, maxReconsumeTimes: reconsumeTimes + 1 };
      await this.sendBack(puller, queueOffset, copy, deadline).catch(() => LOST);
    }
  }

  private drop(puller: QueuePuller, offset: number): Status {
    const stored = puller.queue?.storedAt(offset);
    if (stored === undefined) return LOST;
    const text =
      'a dead letter of a broadcast is dropped, because broadcasts have no dead letter queue; set deadLetterTopic (deadLetterTo) to keep them';
    const { topic } = stored;
    const fields = { consumerGroup: this.port.consumerGroup(), topic, messageId: messageIdOf(stored) };
    this.port.logger.warn(text, fields);
    this.settle(puller, offset);
    return OK;
  }

  private settle(puller: QueuePuller, offset: number): void {
    puller.queue?.settle(offset);
    puller.changed();
    if (puller.queue?.isOrdered) this.port.onReady();
  }

  private delivery(
    text: string,
  ): { readonly puller: QueuePuller; readonly offset: number; readonly isHeld: boolean } | undefined {
    const handle = decodePullHandle(text);
    if (handle === undefined || handle.clientId !== this.port.clientId) return undefined;
    const puller = this.port.pullerOf(handle.ownership);
    if (puller?.queue === undefined) return undefined;
    return { puller, offset: handle.offset, isHeld: puller.queue.holds(handle.offset, handle.delivery) };
  }

  /** Stores a copy that is delivered later, or is a dead letter; then the message is settled. */
  private async sendBack(puller: QueuePuller, offset: number, copy: Copy, deadline: Deadline): Promise<Status> {
    const { queue } = puller;
    const stored = queue?.storedAt(offset);
    if (stored === undefined) return LOST;
    const address = this.port.addressOf(puller);
    const { delayMs, maxReconsumeTimes } = copy;
    const level =
      delayMs === undefined ? DEAD_LETTER_LEVEL : levelOf(delayMs, await this.port.delayLevels.at(address, deadline));
    // The broker copies what it has at this offset now.
    if (!puller.isIntact) throw notCompared(address);
    const fields = {
      offset: String(stored.commitLogOffset),
      group: this.port.consumerGroup(),
      delayLevel: String(level),
      originMsgId: messageIdOf(stored),
      originTopic: stored.topic,
      unitMode: 'false',
      maxReconsumeTimes: String(maxReconsumeTimes),
    };
    const request = { code: REQUEST_CODES.consumerSendMessageBack, fields };
    const status = statusOf(await this.port.client.ask(address, request, deadline), address);
    if (status.code === Code.OK && puller.queue === queue) this.settle(puller, offset);
    return status;
  }
}

function notCompared(address: string): TransportError {
  const text = `${address}: it is not known yet whether the broker has lost messages; nothing took effect`;
  return new TransportError('UNAVAILABLE', text, 'not-sent', true);
}

/** The level with the shortest delay that is not too early; the longest one for what is longer than all. */
function levelOf(delayMs: number, levelsMs: readonly number[]): number {
  const long = levelsMs.filter((levelMs) => levelMs >= delayMs);
  return levelsMs.indexOf(long.length > 0 ? Math.min(...long) : Math.max(...levelsMs)) + 1;
}
