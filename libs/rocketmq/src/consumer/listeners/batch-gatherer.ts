// Gathers the messages of a batch listener. The consumer handles each on its own, so that leases, settlement and failure
// policy stay those of single messages; here they wait for each other and share one call.

import { setMaxListeners } from 'node:events';
import type { MessageView } from '../../protocol/model/message.js';
import { abortReason, listenTo } from '../../support/abort.js';
import type { Clock, ScheduledTask } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import type { BatchContext, BatchListening, MessageHandler } from '../model/handler.js';
import { runHandler } from './handler-run.js';

/** What batches need of their listener. */
export interface BatchRunOptions {
  /** One for each concurrent batch. */
  readonly places: { acquire(): Promise<() => void> };
  /** How long one batch may be handled. */
  readonly timeoutMs: number | undefined;
  /** Real time, as for all handlers. */
  readonly ioClock: Clock;
}

interface Entry {
  readonly message: MessageView;
  readonly signal: AbortSignal;
  /** Makes it leave its batch where it is too late to begin. */
  checkLease(): void;
  /** The handler gets it now. */
  begin(): void;
  /** Reports the failure of a message; the batch continues. */
  decide(error: unknown): void;
  succeed(): void;
  fail(error: unknown): void;
}

/** A batch that still accepts messages, until it is full, or until its waiting time is over and a slot is free. */
interface OpenBatch {
  readonly entries: Set<Entry>;
  /** The bytes of their bodies. */
  bytes: number;
  timer: ScheduledTask | undefined;
  /** It waits for a slot, and accepts messages meanwhile. */
  isDue: boolean;
}

/** Gathers single calls into batches. */
export class BatchGatherer {
  private open: OpenBatch | undefined;

  constructor(
    private readonly batch: BatchListening,
    private readonly options: BatchRunOptions,
  ) {}

  /** Handles a message as a part of a batch: it ends with the batch, with an outcome of its own. */
  readonly handler: MessageHandler = (message, context) =>
    new Promise<void>((resolve, reject) => {
      const { signal } = context;
      if (signal.aborted) return reject(abortReason(signal));
      const bytes = message.body.byteLength;
      const batch = this.batchFor(bytes);
      const leave = (): void => {
        // A message whose lease is lost before its batch has begun is no longer handled.
        if (!batch.entries.delete(entry)) return;
        batch.bytes -= bytes;
        reject(abortReason(signal));
      };
      const ended = (end: () => void): void => {
        signal.removeEventListener('abort', leave);
        end();
      };
      const entry: Entry = {
        message,
        signal,
        checkLease: () => context.checkLease?.(),
        begin: () => context.turn?.begin(),
        decide: (error) => void context.decide?.(error),
        succeed: () => ended(resolve),
        fail: (error) => ended(() => reject(error)),
      };
      signal.addEventListener('abort', leave, { once: true });
      batch.entries.add(entry);
      batch.bytes += bytes;
      if (batch.entries.size >= this.batch.maxSize || batch.bytes >= this.maxBytes) this.close(batch);
      // With a rate limit, those that it waits for could be as late as the next ones that may begin.
      else if (context.turn?.isLastForNow) void this.due(batch);
    });

  private get maxBytes(): number {
    return this.batch.maxBytes ?? Number.POSITIVE_INFINITY;
  }

  /** The open batch, unless the message would make it too large. */
  private batchFor(bytes: number): OpenBatch {
    const { open } = this;
    if (open === undefined) return this.begin();
    if (open.entries.size === 0 || open.bytes + bytes <= this.maxBytes) return open;
    this.close(open);
    return this.begin();
  }

  private begin(): OpenBatch {
    const batch: OpenBatch = { entries: new Set(), bytes: 0, timer: undefined, isDue: false };
    batch.timer = this.options.ioClock.schedule(this.batch.maxWaitMs, () => void this.due(batch));
    this.open = batch;
    return batch;
  }

  /** Accepts no more; later messages start another batch. */
  private close(batch: OpenBatch): void {
    if (this.open === batch) this.open = undefined;
    void this.due(batch);
  }

  private async due(batch: OpenBatch): Promise<void> {
    if (batch.isDue) return;
    batch.isDue = true;
    batch.timer?.cancel();
    const leave = await this.options.places.acquire();
    if (this.open === batch) this.open = undefined;
    for (const entry of [...batch.entries]) entry.checkLease();
    const entries = [...batch.entries];
    batch.entries.clear();
    for (const entry of entries) entry.begin();
    try {
      if (entries.length > 0) await this.run(entries);
    } finally {
      leave();
    }
  }

  private async run(entries: readonly Entry[]): Promise<void> {
    const failures = new Map<MessageView, unknown>();
    const gone = allGone(entries);
    const [{ message }] = entries as readonly [Entry];
    const result = await runHandler(message, {
      handler: (_first, { signal }) => {
        const messages = entries.map((entry) => entry.message);
        return this.batch.handler(messages, contextOf(entries, signal, failures));
      },
      timeoutMs: this.options.timeoutMs,
      ioClock: this.options.ioClock,
      lostSignal: gone.signal,
      forceSignal: undefined,
      // Each message of the batch is reported by its own run.
      onIgnoredSignal: () => {},
    });
    gone.forget();
    for (const entry of entries) {
      if (failures.has(entry.message)) entry.fail(failures.get(entry.message));
      else if (result.kind === 'failed') entry.fail(result.error);
      else entry.succeed();
    }
  }
}

function contextOf(entries: readonly Entry[], signal: AbortSignal, failures: Map<MessageView, unknown>): BatchContext {
  const entryOf = (message: MessageView): Entry => {
    const entry = entries.find((one) => one.message === message);
    if (entry !== undefined) return entry;
    const text = 'the message does not belong to this batch; pass one of the messages that the handler received';
    throw new UsageError('NOT_IN_BATCH', text, 'message');
  };
  return {
    signal,
    signalOf: (message) => entryOf(message).signal,
    fail: (message, error) => {
      const entry = entryOf(message);
      if (failures.has(message)) return;
      failures.set(message, error);
      // Undefined would be a success.
      entry.decide(error === undefined ? new Error('the handler has marked the message as failed') : error);
    },
  };
}

/** Aborts when the signals of all entries have. */
function allGone(entries: readonly Entry[]): { readonly signal: AbortSignal; forget(): void } {
  const controller = new AbortController();
  // A handler may pass it to something of its own for each message.
  setMaxListeners(0, controller.signal);
  let left = entries.length;
  const stops = entries.map(({ signal }) => {
    const onAbort = (): void => {
      left--;
      if (left === 0) controller.abort(abortReason(signal));
    };
    return listenTo(signal, onAbort);
  });
  return {
    signal: controller.signal,
    forget: () => {
      for (const stop of stops) stop();
    },
  };
}
