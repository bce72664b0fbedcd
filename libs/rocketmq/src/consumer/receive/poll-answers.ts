// Collects the answers to one poll, and decides when it is complete.

import {
  Code,
  type Status,
  type Message as WireMessage,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { hasPackedBody } from '../../protocol/grpc/message-mapping.js';
import type { RpcResponse } from '../../protocol/grpc/rpc.js';
import { StatusError } from '../../protocol/grpc/status.js';
import { SECOND_MS } from '../../support/clock.js';
import { TransportError } from '../../support/errors.js';

/** No server sends so many: it limits a poll to 32. */
const MAX_MESSAGES = 128;

/** `ReceiveMessageResponseStreamWriter` of the proxy (5.5.0), in place of "no new message". */
const FILTERED = 'no match message';

/** A handle of Apache RocketMQ begins with an offset, the time of the pop, and the invisible duration (`ReceiptHandle` of the server). */
const POP_TIME = /^\d+ (\d{13}) \d+ /;

/** A lease that ends sooner cannot be renewed in time. */
const MIN_LEASE_MS = SECOND_MS;

/** Whether the messages of an answer may be another consumer's by now. @param ageMs how long the answer had waited when it was read */
export function isStale(ageMs: number, invisibleDurationMs: number): boolean {
  return ageMs > invisibleDurationMs - MIN_LEASE_MS;
}

/** There is no room for more messages: the poll is canceled, and the messages that arrived are kept. */
class PollFull extends Error {
  constructor() {
    super('no room for more messages');
  }
}

/** Collects messages and the status. */
export class PollAnswers {
  readonly messages: WireMessage[] = [];
  private status: Status | undefined;
  private sentOffAtMs: number | undefined;
  private full: PollFull | undefined;

  /**
   * @param what names the poll in errors
   * @param add reserves room for a message; false when there is no room for another
   */
  constructor(
    private readonly what: string,
    private readonly add: (bodyBytes: number, isPacked: boolean) => boolean,
  ) {}

  /** Whether the server reports that none of the messages that it had passed the filter: more may follow at once. */
  get wereFiltered(): boolean {
    return this.messages.length === 0 && this.status?.message.startsWith(FILTERED) === true;
  }

  /** When the server sent the messages, by its clock; undefined when it did not report that. */
  get deliveredAtMs(): number | undefined {
    return this.sentOffAtMs;
  }

  /** When the server handed the messages out, by its clock: their leases began then. Undefined when it does not report that. */
  get poppedAtMs(): number | undefined {
    const handle = this.messages[0]?.systemProperties?.receiptHandle ?? '';
    const popTime = POP_TIME.exec(handle)?.[1];
    return popTime === undefined ? this.sentOffAtMs : Number(popTime);
  }

  /** Whether a poll was canceled because there was no room for more. @param error the error of the poll */
  wasFull(error: unknown): boolean {
    return this.full !== undefined && error === this.full;
  }

  /** @throws TransportError when the messages do not end; an error that {@link wasFull} recognizes */
  take({ content }: RpcResponse<'receiveMessage'>): void {
    if (content?.$case === 'status') this.status = content.value;
    if (content?.$case === 'deliveryTimestamp') this.sentOffAtMs = content.value.getTime();
    if (content?.$case !== 'message') return;
    if (this.messages.length === MAX_MESSAGES) {
      const text = `${this.what}: the server sends more than ${MAX_MESSAGES} messages for one poll`;
      throw new TransportError('RPC_FAILED', text, 'unknown', false);
    }
    const { value: message } = content;
    this.messages.push(message);
    if (this.add(message.body.length, hasPackedBody(message))) return;
    this.full = new PollFull();
    throw this.full;
  }

  /** @throws StatusError when there are no messages for another reason than an empty queue */
  assertUsable(): void {
    const { messages, status, what } = this;
    if (messages.length > 0 || status?.code === Code.MESSAGE_NOT_FOUND || status?.code === Code.OK) return;
    throw new StatusError(what, status);
  }
}
