// The methods that an application writes for messages: one by one, or in batches.

import type { MessageView } from '../../protocol/model/message.js';

/** What a handler gets beside the message. */
export interface HandlerContext {
  /** Fires when the handler runs out of time, when the lease is lost, and at the end of the shutdown's grace period. */
  readonly signal: AbortSignal;
  /**
   * The handler has decided how the message ends, and goes on: if it does not end in time, this counts and not the time-out.
   * @internal
   * @param failure what it would throw; undefined for a success
   * @returns false when the message has ended otherwise or is lost: it is too late to decide
   */
  decide?(failure: unknown): boolean;
  /**
   * Runs work that is bounded by itself and does not count against the handler's time: its time-out and the end of the shutdown's
   * grace wait for it.
   * @internal
   * @returns undefined, and the work does not begin, when the message has ended otherwise: what the handler has done does not count
   */
  untimed?<T>(work: () => Promise<T>): Promise<T> | undefined;
}

/** Handles one message. A promise is awaited; a throw or rejection means that it failed. */
export type MessageHandler = (message: MessageView, context: HandlerContext) => Promise<unknown> | unknown;

/** What a batch handler gets beside the messages. */
export interface BatchContext {
  /** Fires when the handler runs out of time, and when no message of the batch is to be handled any more (lost, shutdown). */
  readonly signal: AbortSignal;
  /** Fires when this message is lost: another consumer may have it. */
  signalOf(message: MessageView): AbortSignal;
  /**
   * Says that this message has failed; what follows is decided by the failure policy, as if a handler had thrown the error.
   * The others are acked when the handler succeeds. The first error of a message counts.
   * @throws UsageError when the message is not of this batch
   */
  fail(message: MessageView, error: unknown): void;
}

/** Handles several messages at once. A throw or rejection fails all that were not failed by themselves. */
export type BatchHandler = (messages: readonly MessageView[], context: BatchContext) => Promise<unknown> | unknown;

/** How messages become batches. */
export interface BatchListening {
  /** Awaited for each batch. */
  readonly handler: BatchHandler;
  /** The most messages of a batch; at least 1. */
  readonly maxSize: number;
  /** How long the first message of a batch may wait for others, in real time. 0: for those that came with it only. */
  readonly maxWaitMs: number;
}
