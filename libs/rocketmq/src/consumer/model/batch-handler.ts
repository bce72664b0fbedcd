// What a batch listener is made of: its sizes, and what its handler gets.

import type { MessageView } from '../../protocol/model/message.js';

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
