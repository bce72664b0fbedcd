// What the answers to one poll bring together, and when it is enough.

import {
  Code,
  type Status,
  type Message as WireMessage,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { hasPackedBody } from '../../protocol/grpc/message-mapping.js';
import type { RpcResponse } from '../../protocol/grpc/rpc.js';
import { StatusError } from '../../protocol/grpc/status.js';
import { TransportError } from '../../support/errors.js';

/** No server sends so many: it cuts a poll at 32. */
const MOST_MESSAGES = 128;

/** `ReceiveMessageResponseStreamWriter` of the proxy (5.5.0), in place of "no new message". */
const FILTERED = 'no match message';

/** There is no room for more messages: the poll is broken off, and what came is kept. */
class PollFull extends Error {
  constructor() {
    super('no room for more messages');
  }
}

/** Gathers messages and the status. */
export class PollAnswers {
  readonly messages: WireMessage[] = [];
  private status: Status | undefined;
  private sentOffAtMs: number | undefined;
  private full: PollFull | undefined;

  /**
   * @param what names the poll in errors
   * @param add books a message; false when there is no room for another
   */
  constructor(
    private readonly what: string,
    private readonly add: (bodyBytes: number, isPacked: boolean) => boolean,
  ) {}

  /** Whether the server says that it had messages, none of which passed the filter: more may come at once. */
  get wereFiltered(): boolean {
    return this.messages.length === 0 && this.status?.message.startsWith(FILTERED) === true;
  }

  /** When the server sent the messages off, by its clock; undefined when it has not told. */
  get deliveredAtMs(): number | undefined {
    return this.sentOffAtMs;
  }

  /** Whether a poll was broken off because there was no room for more. @param error what the poll ended with */
  wasFull(error: unknown): boolean {
    return this.full !== undefined && error === this.full;
  }

  /** @throws TransportError when there is no end of messages; an error that {@link wasFull} knows */
  take({ content }: RpcResponse<'receiveMessage'>): void {
    if (content?.$case === 'status') this.status = content.value;
    if (content?.$case === 'deliveryTimestamp') this.sentOffAtMs = content.value.getTime();
    if (content?.$case !== 'message') return;
    if (this.messages.length === MOST_MESSAGES) {
      const text = `${this.what}: the server sends more than ${MOST_MESSAGES} messages for one poll`;
      throw new TransportError('RPC_FAILED', text, 'unknown', false);
    }
    const { value: message } = content;
    this.messages.push(message);
    if (this.add(message.body.length, hasPackedBody(message))) return;
    this.full = new PollFull();
    throw this.full;
  }

  /** @throws StatusError when there are no messages, for another reason than that there are none */
  assertUsable(): void {
    const { messages, status, what } = this;
    if (messages.length > 0 || status?.code === Code.MESSAGE_NOT_FOUND || status?.code === Code.OK) return;
    throw new StatusError(what, status);
  }
}
