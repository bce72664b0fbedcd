// A transaction: a stored half message, and how it ends. The request is in end-transaction.ts.

import { fromWireMessage } from '../../protocol/grpc/message-mapping.js';
import type { MessageView } from '../../protocol/model/message.js';
import { StateError } from '../../support/errors.js';
import type { Durability } from '../sending/durability.js';
import type { StoredMessage } from '../sending/send-request.js';

/** How a transaction ends. */
export type Resolution = 'commit' | 'rollback';

/**
 * The result of sending an end.
 * - `accepted`: the server accepted it; that does not prove that the message is visible
 * - `left-to-check`: it was lost or too late (the server forgets a transaction after 30 s); the server checks the transaction, and the
 *   answer is how it ended
 */
export type EndResult = 'accepted' | 'left-to-check';

/** How the server learned of an end: `client` from the producer after the local transaction; `check` from the answer to a check. */
export type EndSource = 'client' | 'check';

/** Event handlers for transactions. Errors that a handler throws are logged and have no other effect. */
export interface TransactionEvents {
  /**
   * The server accepted the end: the normal case. Its OK does not prove that the message is visible; if the server checks the transaction
   * nevertheless, the check is answered and this is called again.
   */
  onEnded(transaction: TransactionIdentity, resolution: Resolution, by: EndSource): void;
  /** The answer to an end was lost or was an error. Not a failure: the server's check resolves it. */
  onLeftToCheck(transaction: TransactionIdentity, resolution: Resolution, error: unknown): void;
  /** A transaction check was answered; `unknown` means that the server will check again. */
  onChecked(transaction: TransactionIdentity, resolution: Resolution | 'unknown'): void;
}

/** Identifies a transaction to the server and in logs. */
export interface TransactionIdentity {
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;
}

/** A half message with its content. */
export interface ObservedHalf extends TransactionIdentity {
  readonly properties: MessageView['properties'];
}

/** Telemetry of the transactions of one producer. Its methods must not throw, except for errors of the work that they run. */
export interface TransactionTelemetry {
  /** Runs a whole transaction. @param topic undefined if the message is determined while it runs */
  transact<T>(topic: string | undefined, work: () => Promise<T>): Promise<T>;
  /** Runs the request that ends a transaction. */
  end(half: ObservedHalf, resolution: Resolution, request: () => Promise<EndResult>): Promise<EndResult>;
  /** A local transaction failed, and its checker does not know how it ended: the server will check it. */
  leftOpen(transaction: TransactionIdentity): void;
  /** Runs the answer to a transaction check. */
  check(half: ObservedHalf, answer: () => Promise<Resolution | 'unknown'>): Promise<Resolution | 'unknown'>;
}

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'ended'; readonly resolution: Resolution; readonly result: Promise<EndResult> };

/** An open transaction: its half message is stored but not delivered. End it once, with commit or rollback. */
export class Transaction implements TransactionIdentity {
  private state: State = { kind: 'open' };
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;

  /** @internal created by the producer; `onEnd` sends the end to the server and never rejects */
  constructor(
    private readonly half: StoredMessage,
    private readonly onEnd: (resolution: Resolution) => Promise<EndResult>,
  ) {
    this.topic = half.topic;
    this.messageId = half.messageId;
    this.transactionId = half.transactionId;
  }

  /** The half message as it was sent; its body as it was passed, not compressed. */
  get message(): MessageView {
    return { ...fromWireMessage(this.half.wire), body: this.half.body };
  }

  /** How safe the half message is. */
  get durability(): Durability {
    return this.half.durability;
  }

  /** Whether it has not been ended yet. */
  get isOpen(): boolean {
    return this.state.kind === 'open';
  }

  /**
   * Makes the message visible. Never fails because of the network. Later calls return the first result.
   * @throws StateError `TRANSACTION_ENDED` after a rollback
   */
  commit(): Promise<EndResult> {
    return this.end('commit');
  }

  /**
   * Drops the message. Never fails because of the network. Later calls return the first result.
   * @throws StateError `TRANSACTION_ENDED` after a commit
   */
  rollback(): Promise<EndResult> {
    return this.end('rollback');
  }

  private end(resolution: Resolution): Promise<EndResult> {
    if (this.state.kind === 'open') {
      this.state = { kind: 'ended', resolution, result: this.onEnd(resolution) };
    } else if (this.state.resolution !== resolution) {
      const message = `transaction ${this.transactionId} has already ended with ${this.state.resolution}; a transaction ends only once`;
      return Promise.reject(new StateError('TRANSACTION_ENDED', message));
    }
    return this.state.result;
  }
}
