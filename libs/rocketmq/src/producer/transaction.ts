// A half message on the server and the one request that ends it.

import type { Client } from '../client/client.js';
import { resource } from '../client/route.js';
import { TransactionResolution, TransactionSource } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import { fromWireMessage, type MessageView } from '../protocol/message.js';
import { requireOk } from '../protocol/status.js';
import { withDeadline } from '../support/deadline.js';
import { StateError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import type { StoredMessage } from './send-pipeline.js';

/** How a transaction ends. */
export type Resolution = 'commit' | 'rollback';

/**
 * What became of an end.
 * - `accepted`: the server took it; it does not tell more
 * - `left-to-check`: it was lost or came too late (the server forgets a transaction after 30 s); the server asks again, and
 *   the check answers as the transaction ended
 */
export type EndResult = 'accepted' | 'left-to-check';

/** What happened to transactions, for those who watch. */
export interface TransactionEvents {
  /** The answer to an end is missing or was an error. Not a failure: the server's check settles it. */
  onLeftToCheck(transaction: TransactionIdentity, resolution: Resolution, error: unknown): void;
  /** The server asked; `unknown` means that it will ask again. */
  onChecked(transaction: TransactionIdentity, resolution: Resolution | 'unknown'): void;
}

export interface TransactionIdentity {
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;
}

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'ended'; readonly resolution: Resolution; readonly result: Promise<EndResult> };

/** An open transaction: its half message is stored and seen by nobody. End it once, by commit or rollback. */
export class Transaction implements TransactionIdentity {
  private state: State = { kind: 'open' };
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;

  /** @internal made by the producer */
  constructor(
    private readonly client: Client,
    private readonly half: StoredMessage,
    private readonly onEnded: (transaction: Transaction, resolution: Resolution, error: unknown) => void,
  ) {
    this.topic = half.topic;
    this.messageId = half.messageId;
    this.transactionId = half.transactionId;
  }

  /** The half message as it was sent. */
  get message(): MessageView {
    return fromWireMessage(this.half.wire);
  }

  get isOpen(): boolean {
    return this.state.kind === 'open';
  }

  /** Makes the message visible. Never fails for the network's sake. Repeating it gives the first result. */
  commit(): Promise<EndResult> {
    return this.end('commit');
  }

  /** Drops the message. Never fails for the network's sake. Repeating it gives the first result. */
  rollback(): Promise<EndResult> {
    return this.end('rollback');
  }

  /** @throws StateError when it has ended the other way */
  private end(resolution: Resolution): Promise<EndResult> {
    if (this.state.kind === 'open') {
      this.state = { kind: 'ended', resolution, result: this.send(resolution) };
    } else if (this.state.resolution !== resolution) {
      const message = `transaction ${this.transactionId} has already ended by ${this.state.resolution}`;
      return Promise.reject(new StateError('TRANSACTION_ENDED', message));
    }
    return this.state.result;
  }

  private async send(resolution: Resolution): Promise<EndResult> {
    try {
      await endTransaction(this.client, this.half.endpoint, this, resolution, 'client');
      this.onEnded(this, resolution, undefined);
      return 'accepted';
    } catch (error) {
      const { transactionId, topic } = this;
      const fields = { topic, transactionId, resolution, error: describeError(error) };
      this.client.connection.logger.warn('the end of a transaction is left to the check', fields);
      this.onEnded(this, resolution, error);
      return 'left-to-check';
    }
  }
}

/** Tells the server how a transaction ended. An OK proves nothing: the server forwards it without waiting. */
export async function endTransaction(
  client: Client,
  endpoint: StoredMessage['endpoint'],
  { topic, messageId, transactionId }: TransactionIdentity,
  resolution: Resolution,
  source: 'client' | 'check',
): Promise<void> {
  const what = `${resolution} of transaction ${transactionId} on "${topic}"`;
  const request = {
    topic: resource(client.connection.namespace, topic),
    messageId,
    transactionId,
    resolution: resolution === 'commit' ? TransactionResolution.COMMIT : TransactionResolution.ROLLBACK,
    source: source === 'client' ? TransactionSource.SOURCE_CLIENT : TransactionSource.SOURCE_SERVER_CHECK,
    traceContext: '',
  };
  await withDeadline(what, client.connection.requestTimeoutMs, undefined, async ({ timeoutMs, signal }) => {
    const { status } = await client.unary(endpoint, 'endTransaction', request, { what, timeoutMs, signal });
    requireOk(what, status);
  });
}
