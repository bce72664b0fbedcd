// The three requests that settle or postpone a received message. The callers decide when to send them, and whether to repeat
// them.

import type { Client } from '../../client/client.js';
import type { Endpoint } from '../../client/endpoint.js';
import { resource } from '../../client/route.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import { Code, type Resource } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcResponse } from '../../protocol/grpc/rpc.js';
import { requireOk, StatusError } from '../../protocol/grpc/status.js';
import { postponedHandle } from './postponed-handle.js';

/** What identifies a delivery on the server. It must be settled where it was received. */
export interface Receipt {
  readonly topic: string;
  readonly messageId: string;
  readonly handle: string;
  readonly endpoint: Endpoint;
  /** Set for a message of a lite topic. */
  readonly liteTopic?: string | undefined;
}

/** Receipts that one request can settle: of one topic, from one endpoint. */
export type AckGroup = readonly [Receipt, ...Receipt[]];

/** For how long a message stays invisible. */
export interface Postponement {
  readonly invisibleDurationMs: number;
  /** Do not count the delivery as an attempt. Servers before 5.5, and ordered groups, count it nevertheless. */
  readonly suspend: boolean;
  /** See {@link RequestOptions.isRetry}. Default: false. */
  readonly isRetry?: boolean;
}

/** How often a message was tried. */
export interface Attempts {
  readonly attempt: number;
  readonly maxAttempts: number;
}

function areAllOk({ entries, status }: RpcResponse<'ackMessage'>, count: number): boolean {
  return (
    status?.code === Code.OK && entries.length === count && entries.every((entry) => entry.status?.code === Code.OK)
  );
}

/** Sends the requests of one consumer group. Each throws a StatusError or TransportError unless the server answered OK. */
export class ReceiptCalls {
  constructor(
    private readonly client: Client,
    private readonly consumerGroup: string,
    /** Whether receipts name their lite topics: servers require that of a group of lite topics, and reject it elsewhere. */
    private readonly isLite = false,
  ) {}

  /** Acknowledges a message. Repeating it is harmless. */
  async ack(receipt: Receipt, signal?: AbortSignal): Promise<void> {
    const [error] = await this.ackTogether([receipt], signal);
    if (error !== undefined) throw error;
  }

  /**
   * Acks messages of one topic and one endpoint in one request, each message id at most once.
   * @returns for each of them, in their order, the error that {@link ack} would have thrown
   * @throws the error of the request as a whole
   */
  async ackTogether(receipts: AckGroup, signal?: AbortSignal): Promise<(Error | undefined)[]> {
    const [first] = receipts;
    const messages = receipts.length === 1 ? `message ${first.messageId}` : `${receipts.length} messages`;
    const what = `ack of ${messages} from "${first.topic}"`;
    const entries = receipts.map((receipt) => {
      return { messageId: receipt.messageId, receiptHandle: receipt.handle, liteTopic: this.liteTopicOf(receipt) };
    });
    const request = { ...this.resources(first), entries };
    const response = await this.client.unary(first.endpoint, 'ackMessage', request, this.options(what, signal));
    if (areAllOk(response, receipts.length)) return receipts.map(() => undefined);
    // By id: a server with `enableBatchAck` answers in another order and with renewed handles.
    const results = new Map(response.entries.map(({ messageId, status }) => [messageId, status]));
    return receipts.map(({ messageId, topic }) => {
      // A server that rejects the whole request answers without entries.
      const status = results.get(messageId) ?? response.status;
      return status?.code === Code.OK
        ? undefined
        : new StatusError(`ack of message ${messageId} from "${topic}"`, status);
    });
  }

  /**
   * Makes the message visible again after a delay from now.
   * @returns the new handle; the old one is void
   */
  async changeInvisibleDuration(receipt: Receipt, postponement: Postponement, signal?: AbortSignal): Promise<string> {
    const { invisibleDurationMs, suspend, isRetry = false } = postponement;
    const what = `change of the invisible duration of message ${receipt.messageId}`;
    const request = {
      ...this.resources(receipt),
      receiptHandle: receipt.handle,
      messageId: receipt.messageId,
      invisibleDuration: toDuration(Math.round(invisibleDurationMs)),
      liteTopic: this.liteTopicOf(receipt),
      suspend: suspend ? true : undefined,
    };
    const options = { ...this.options(what, signal), isRetry };
    const response = await this.client.unary(receipt.endpoint, 'changeInvisibleDuration', request, options);
    requireOk(what, response.status);
    return postponedHandle(response.receiptHandle);
  }

  /** Moves the message to the dead letter queue of the group. A repetition may move it twice. */
  async forwardToDeadLetterQueue(receipt: Receipt, attempts: Attempts, signal?: AbortSignal): Promise<void> {
    const what = `move of message ${receipt.messageId} to the dead letter queue of "${this.consumerGroup}"`;
    const request = {
      ...this.resources(receipt),
      receiptHandle: receipt.handle,
      messageId: receipt.messageId,
      liteTopic: this.liteTopicOf(receipt),
      deliveryAttempt: attempts.attempt,
      maxDeliveryAttempts: attempts.maxAttempts,
    };
    const options = this.options(what, signal);
    const { endpoint } = receipt;
    const { status } = await this.client.unary(endpoint, 'forwardMessageToDeadLetterQueue', request, options);
    requireOk(what, status);
  }

  private liteTopicOf({ liteTopic }: Receipt): string | undefined {
    return this.isLite ? liteTopic : undefined;
  }

  private resources({ topic }: Receipt): { group: Resource; topic: Resource } {
    const { namespace } = this.client.connection;
    return { group: resource(namespace, this.consumerGroup), topic: resource(namespace, topic) };
  }

  private options(what: string, signal: AbortSignal | undefined) {
    return { what, timeoutMs: this.client.connection.requestTimeoutMs, ...(signal === undefined ? {} : { signal }) };
  }
}
