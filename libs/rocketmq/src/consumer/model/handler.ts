// The handlers that an application provides: for single messages, or for batches.

import type { MessageView } from '../../protocol/model/message.js';

/** What a handler gets in addition to the message. */
export interface HandlerContext {
  /**
   * Fires when the handler exceeds its timeout, when the lease is lost, or its slot of `groupConcurrency`, and at the end of the shutdown's grace
   * period.
   */
  readonly signal: AbortSignal;
  /**
   * The handler has decided the outcome and continues to run: if it exceeds its timeout, this outcome counts.
   * @internal
   * @param failure the error that it would throw; undefined for a success
   * @returns false when the delivery has already ended or its lease is lost: it is too late to decide
   */
  decide?(failure: unknown): boolean;
  /**
   * Runs work that has a limit of its own and does not count against the handler's timeout: the timeout and the end of the shutdown's
   * grace period wait for it.
   * @internal
   * @returns undefined, without starting the work, when the delivery has already ended: the handler's result does not count
   */
  untimed?<T>(work: () => Promise<T>): Promise<T> | undefined;
  /**
   * Fires the signal where it is too late to begin: the lease is over, or can no longer be renewed. A process that was suspended or blocked
   * has not noticed that when it continues.
   * @internal
   */
  checkLease?(): void;
  /**
   * For a handler that gathers messages: a message counts for the rate limit when its batch begins.
   * @internal
   */
  readonly turn?: { begin(): void; readonly isLastForNow: boolean } | undefined;
}

/** Handles one message. A promise is awaited; an exception or rejection means that it failed. */
export type MessageHandler = (message: MessageView, context: HandlerContext) => Promise<unknown> | unknown;

/** What a batch handler gets in addition to the messages. */
export interface BatchContext {
  /** Fires when the handler exceeds its timeout, and when no message of the batch is left to handle (lost leases or slot, shutdown). */
  readonly signal: AbortSignal;
  /** Fires when the lease of this message is lost: another consumer may have it. */
  signalOf(message: MessageView): AbortSignal;
  /**
   * Marks this message as failed; the failure policy decides about it, as if a handler had thrown the error.
   * The others are acknowledged when the handler succeeds. The first error of a message counts.
   * @throws UsageError when the message does not belong to this batch
   */
  fail(message: MessageView, error: unknown): void;
}

/** Handles several messages at once. An exception or rejection fails all messages that `fail` did not mark. */
export type BatchHandler = (messages: readonly MessageView[], context: BatchContext) => Promise<unknown> | unknown;

/** How messages are gathered into batches. */
export interface BatchListening {
  /** Called and awaited for each batch. */
  readonly handler: BatchHandler;
  /** The most messages of a batch; at least 1. */
  readonly maxSize: number;
  /**
   * The most bytes of bodies in a batch, as the handler gets them; at least 1. A message with a larger body comes alone.
   * Default: no limit but `maxSize`.
   */
  readonly maxBytes?: number;
  /** How long the first message of a batch may wait for others, in milliseconds of real time. 0: only messages of the same poll are gathered. */
  readonly maxWaitMs: number;
}
