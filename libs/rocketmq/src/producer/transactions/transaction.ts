// A transaction as its owner holds it: a half message that is stored, and how it ends. The request is in end-transaction.ts.

import { fromWireMessage } from '../../protocol/grpc/message-mapping.js';
import { type MessageView } from '../../protocol/model/message.js';
import { StateError } from '../../support/errors.js';
import type { StoredMessage } from '../sending/send-receipt.js';

/** How a transaction ends. */
export type Resolution = 'commit' | 'rollback';

/**
 * What became of an end.
 * - `accepted`: the server took it; it does not tell more
 * - `left-to-check`: it was lost or came too late (the server forgets a transaction after 30 s); the server asks again, and
 *   the check answers as the transaction ended
 */
export type EndResult = 'accepted' | 'left-to-check';

/** Who told the server of an end: `client`, when the local transaction was over; `check`, in answer to the server's question. */
export type EndSource = 'client' | 'check';

/** What happened to transactions, for those who watch. What a watcher throws is logged and changes nothing. */
export interface TransactionEvents {
  /**
   * The server took the end: the ordinary case. An OK proves no more than that (it does not say that the message is visible), and when
   * the server asks again all the same, it is told again.
   */
  onEnded(transaction: TransactionIdentity, resolution: Resolution, by: EndSource): void;
  /** The answer to an end is missing or was an error. Not a failure: the server's check settles it. */
  onLeftToCheck(transaction: TransactionIdentity, resolution: Resolution, error: unknown): void;
  /** The server asked; `unknown` means that it will ask again. */
  onChecked(transaction: TransactionIdentity, resolution: Resolution | 'unknown'): void;
}

/** By what a transaction is known to the server and in logs. */
export interface TransactionIdentity {
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;
}

/** A half message with what it carries. */
export interface ObservedHalf extends TransactionIdentity {
  readonly properties: MessageView['properties'];
}

/** What watches the transactions of one producer. None of it may throw anything but what it was given to run. */
export interface TransactionTelemetry {
  /** Runs a whole transaction. @param topic undefined where the message is decided on the way */
  transact<T>(topic: string | undefined, work: () => Promise<T>): Promise<T>;
  /** Runs the request that ends a transaction. */
  end(half: ObservedHalf, resolution: Resolution, request: () => Promise<EndResult>): Promise<EndResult>;
  /** A local transaction failed, and its checker cannot say how it ended: the server will ask. */
  leftOpen(transaction: TransactionIdentity): void;
  /** Runs what answers the server's check. */
  check(half: ObservedHalf, answer: () => Promise<Resolution | 'unknown'>): Promise<Resolution | 'unknown'>;
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

  /** @internal made by the producer; `onEnd` tells the server and never rejects */
  constructor(
    private readonly half: StoredMessage,
    private readonly onEnd: (resolution: Resolution) => Promise<EndResult>,
  ) {
    this.topic = half.topic;
    this.messageId = half.messageId;
    this.transactionId = half.transactionId;
  }

  /** The half message as it was sent; its body as it was given, not packed. */
  get message(): MessageView {
    return { ...fromWireMessage(this.half.wire), body: this.half.body };
  }

  /** Whether it still has to be ended. */
  get isOpen(): boolean {
    return this.state.kind === 'open';
  }

  /**
   * Makes the message visible. Never fails for the network's sake. Repeating it gives the first result.
   * @throws StateError `TRANSACTION_ENDED` after a rollback
   */
  commit(): Promise<EndResult> {
    return this.end('commit');
  }

  /**
   * Drops the message. Never fails for the network's sake. Repeating it gives the first result.
   * @throws StateError `TRANSACTION_ENDED` after a commit
   */
  rollback(): Promise<EndResult> {
    return this.end('rollback');
  }

  private end(resolution: Resolution): Promise<EndResult> {
    if (this.state.kind === 'open') {
      this.state = { kind: 'ended', resolution, result: this.onEnd(resolution) };
    } else if (this.state.resolution !== resolution) {
      const message = `transaction ${this.transactionId} has already ended by ${this.state.resolution}; end it once`;
      return Promise.reject(new StateError('TRANSACTION_ENDED', message));
    }
    return this.state.result;
  }
}
