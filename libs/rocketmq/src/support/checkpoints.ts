// Named points of the library at which a crash test can stop the process. Only tests set a hook, so it is no option: it travels with the
// options object under a symbol.

/** A named point of the library. */
export type Checkpoint =
  | 'half-sent'
  | 'local-transaction-done'
  | 'transaction-ended'
  | 'handled-before-ack'
  | 'claimed'
  | 'sent-before-mark'
  | 'marked';

/** Called and awaited at each checkpoint, with the message that has reached it. */
export type CheckpointHook = (
  point: Checkpoint,
  message: { readonly topic: string; readonly messageId: string },
) => Promise<void> | void;

/** Registered, because ESM and CommonJS may both be loaded. */
const HOOK = Symbol.for('nestjs-rocketmq.checkpoints');

/**
 * Adds a hook to the options of a `RocketMQModule`, a `Connection` or an `OutboxRelay`, for crash tests. Producers and
 * consumers use the hook of their connection. A transaction has the
 * checkpoints `half-sent`, `local-transaction-done` and `transaction-ended`, a push consumer has `handled-before-ack`, and an outbox relay
 * has `claimed`, `sent-before-mark` and `marked`.
 * @returns a copy of the options
 */
export function withCheckpoints<Options extends object>(options: Options, hook: CheckpointHook): Options {
  return { ...options, [HOOK]: hook };
}

/** The hook that {@link withCheckpoints} has added; undefined without one. */
export function checkpointsOf(options: object): CheckpointHook | undefined {
  return (options as { readonly [HOOK]?: CheckpointHook })[HOOK];
}
