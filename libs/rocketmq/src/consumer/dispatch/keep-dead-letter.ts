// Stores a dead letter and calls the hooks before: in the place of the listener's choice, or in the broker's dead letter queue.

import {
  FORWARDED_PROPERTIES,
  forwarded,
  forwardedWithLess,
  isForwardable,
} from '../../protocol/model/forwarded-message.js';
import type { MessageView } from '../../protocol/model/message.js';
import { type Abortable, onAbort, reasonOf } from '../../support/abort-source.js';
import { type BackoffPolicy, backoffMs } from '../../support/backoff.js';
import { SECOND_MS } from '../../support/clock.js';
import { RocketMQError, TransportError, UsageError } from '../../support/errors.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { DeadLetter, FailurePolicy, FailureSettlement, Settlement } from '../model/failure-policy.js';
import type { ConsumerSettings } from '../model/settings.js';

/** A hook holds a turn of its listener. Longer than a send of a dead letter takes with all its attempts, by default. */
const DEAD_LETTER_HOOK_MS = 30 * SECOND_MS;

/** The listener's policy for dead letters. */
interface KeepOptions {
  readonly policy: FailurePolicy;
  readonly backoff: BackoffPolicy;
  /** Fires when the consumer no longer waits for hooks. */
  readonly abandonSignal: Abortable;
}

/** What is needed of the consumer. Hooks are timed in real time, since they wait for I/O. */
interface KeepContext extends Pick<ConsumerContext, 'report' | 'ioClock'> {
  /** Those of the server that the message came from. */
  settings(): ConsumerSettings;
  /** The body as it is stored, if that is compressed. */
  readonly packedBody?: Buffer | undefined;
}

/** Calls the hooks and, where the policy requires it, stores the message elsewhere; returns how to settle it then. */
export async function keepDeadLetter(
  deadLetter: DeadLetter,
  context: KeepContext,
  options: KeepOptions,
): Promise<Settlement> {
  const { policy, backoff } = options;
  const { report } = context;
  const { message, reason } = deadLetter;
  const { isLite, maxAttempts } = context.settings();
  const deadLetterTo = reason === 'corrupt-body' && !isLite ? undefined : policy.deadLetterTo;
  await report.deadLetter(
    deadLetter,
    deadLetterTo !== undefined,
    policy.onDeadLetter && (() => policy.onDeadLetter?.(deadLetter)),
    (hook) => inTime('onDeadLetter', hook, context, options),
  );
  if (deadLetterTo === undefined) return { kind: 'deadLetter', reason };
  try {
    await store(deadLetterTo, deadLetter, context, options);
    return { kind: 'ack' };
  } catch (failure) {
    const isHopeless = failure instanceof UsageError || message.deliveryAttempt >= maxAttempts;
    // Apache RocketMQ 5.5.0 damages a lite topic when it moves one of its messages to the dead letter queue (docs/protocol-notes.md).
    const settlement: FailureSettlement =
      isHopeless && !isLite
        ? { kind: 'deadLetter', reason }
        : { kind: 'retry', delayMs: backoffMs(backoff, message.deliveryAttempt) };
    report.deadLetterNotKept(message, failure, settlement);
    return settlement;
  }
}

/** Calls the hook, and again with other copies of the message while it is the message that the hook fails for. */
async function store(
  deadLetterTo: NonNullable<FailurePolicy['deadLetterTo']>,
  deadLetter: DeadLetter,
  context: KeepContext,
  options: KeepOptions,
): Promise<void> {
  const copies = new Copies(deadLetter.message, context.packedBody);
  let given = deadLetter;
  for (;;) {
    try {
      const attempt = given;
      return await inTime('deadLetterTo', () => deadLetterTo(attempt), context, options);
    } catch (failure) {
      const message = copies.after(failure);
      if (message === undefined) throw failure;
      given = { ...deadLetter, message };
    }
  }
}

/**
 * A hook that sends the message on fails for labels that no send accepts, for a body that fits compressed only (other clients can store both), and
 * for labels that are too large or too many with what the hook and interceptors add.
 */
class Copies {
  private left: ReturnType<typeof forwardedWithLess> | undefined;
  private isPacked = false;

  constructor(
    private readonly message: MessageView,
    private readonly packedBody: Buffer | undefined,
  ) {}

  /** What to offer after this failure; undefined if no copy would help. */
  after(failure: unknown): MessageView | undefined {
    const { message, packedBody } = this;
    const code = RocketMQError.is(failure) ? failure.code : undefined;
    if (code === 'MESSAGE_BODY_TOO_LARGE' && packedBody !== undefined && !this.isPacked) {
      this.isPacked = true;
      const [packed, story] = [{ ...message, body: packedBody }, { [FORWARDED_PROPERTIES.body]: 'compressed' }];
      this.left = [forwarded(packed, story), ...forwardedWithLess(packed, story)];
      return this.next();
    }
    // A server can have smaller limits than this client knows.
    const isTooLarge = code === 'MESSAGE_PROPERTIES_TOO_LARGE';
    if (!isTooLarge && (this.left !== undefined || !(failure instanceof UsageError))) return undefined;
    const isSendable = isForwardable(message);
    if (!isTooLarge && isSendable) return undefined;
    // The first copy of a message that can be sent would be the message itself.
    this.left ??= [...(isSendable ? [] : [forwarded(message)]), ...forwardedWithLess(message)];
    return this.next();
  }

  private next(): MessageView | undefined {
    const copy = this.left?.shift();
    return copy && ({ ...this.message, tag: undefined, ...copy } as MessageView);
  }
}

/** As the hook ends; a rejection once it has taken too long. What it does afterwards is ignored. */
function inTime(
  name: string,
  hook: () => unknown,
  { ioClock }: KeepContext,
  { abandonSignal }: KeepOptions,
): Promise<void> {
  if (abandonSignal.aborted) return Promise.reject(reasonOf(abandonSignal));
  return new Promise((resolve, reject) => {
    const text = `${name} did not end within ${DEAD_LETTER_HOOK_MS} ms; it is no longer waited for`;
    const timer = ioClock.schedule(DEAD_LETTER_HOOK_MS, () => {
      end(() => reject(new TransportError('DEADLINE_EXCEEDED', text, 'unknown', true)));
    });
    const unlisten = onAbort(abandonSignal, () => end(() => reject(reasonOf(abandonSignal))));
    const end = (settle: () => void): void => {
      timer.cancel();
      unlisten();
      settle();
    };
    // A hook that throws synchronously rejects as well.
    Promise.resolve()
      .then(hook)
      .then(
        () => end(resolve),
        (error: unknown) => end(() => reject(error)),
      );
  });
}
