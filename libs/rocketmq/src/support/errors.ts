// The root of every error this library throws, and the three kinds that need no server. What a server answered is a
// StatusError (protocol/grpc/status.ts).

/**
 * Whether the operation took effect.
 * - `not-sent`: nothing reached the server; safe to repeat
 * - `rejected`: the server refused it; nothing took effect
 * - `unknown`: the server may have done it; repeating may do it twice
 */
export type Outcome = 'not-sent' | 'rejected' | 'unknown';

const BRAND = Symbol.for('nestjs-rocketmq.error');

/** Anything that goes wrong in this library. The message starts with the code and never holds a body or a secret. */
export abstract class RocketMQError extends Error {
  /** @internal */
  readonly [BRAND] = true;

  protected constructor(
    /** A stable name for the cause, for instance `TOPIC_NOT_FOUND`. */
    readonly code: string,
    message: string,
    /** Whether it took effect. */
    readonly outcome: Outcome,
    /** Whether the same call may succeed later without a change. Look at `outcome` first. */
    readonly retryable: boolean,
    options?: ErrorOptions,
  ) {
    super(`[${code}] ${message}`, options);
    this.name = new.target.name;
  }

  /** Like `instanceof`, and also true for an error of another copy of this package (ESM and CommonJS side by side). */
  static is(error: unknown): error is RocketMQError {
    return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[BRAND] === true;
  }
}

/** A wrong argument or option, found before anything was sent. Mend the call; a repetition fails again. */
export class UsageError extends RocketMQError {
  constructor(
    code: string,
    message: string,
    /** The argument or option that is wrong, for instance `messageGroup`. */
    readonly field?: string,
    options?: ErrorOptions,
  ) {
    super(code, message, 'not-sent', false, options);
  }
}

/** The object is not in a state to do this: not started, closing, closed. Nothing was sent. */
export class StateError extends RocketMQError {
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(code, message, 'not-sent', false, options);
  }
}

/** The connection failed, the deadline passed or the caller aborted. `outcome` says whether the request may have got through. */
export class TransportError extends RocketMQError {
  constructor(
    code:
      | 'UNAVAILABLE'
      | 'DEADLINE_EXCEEDED'
      | 'ABORTED'
      | 'RPC_FAILED'
      /** Client and server do not come together over TLS. The message says what is wrong. */
      | 'TLS_FAILED'
      /** What listens at the address is no RocketMQ proxy. The message says what it is. */
      | 'NOT_A_PROXY'
      /** The provider of credentials failed, and there are none yet. */
      | 'CREDENTIALS_UNAVAILABLE',
    message: string,
    outcome: 'not-sent' | 'unknown',
    retryable: boolean,
    options?: ErrorOptions,
  ) {
    super(code, message, outcome, retryable, options);
  }
}
