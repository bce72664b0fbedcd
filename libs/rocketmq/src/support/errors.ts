// The base class of every error this library throws, and the three kinds that do not come from a server. A server's rejection is a
// StatusError (protocol/grpc/status.ts).

/**
 * Whether the operation took effect.
 * - `not-sent`: nothing was sent that could take effect; safe to repeat. A failed read has this outcome
 * - `rejected`: the server rejected it; nothing took effect
 * - `unknown`: the server may have done it; repeating it may do it twice
 * - `stored`: the server has stored the message, less safely than its broker is configured to; repeating it stores it twice. Only with
 *   `requireDurable` of the producer
 */
export type Outcome = 'not-sent' | 'rejected' | 'unknown' | 'stored';

const BRAND = Symbol.for('nestjs-rocketmq.error');

/** The base class of this library's errors. The message starts with the code and never contains a message body or a secret. */
export abstract class RocketMQError extends Error {
  protected constructor(
    /** A stable name for the cause, for example `TOPIC_NOT_FOUND`. */
    readonly code: string,
    message: string,
    /** Whether the operation took effect. */
    readonly outcome: Outcome,
    /** Whether the same call may succeed later without a change. Check `outcome` first. */
    readonly retryable: boolean,
    options?: ErrorOptions,
  ) {
    super(`[${code}] ${message}`, options);
    this.name = new.target.name;
  }

  /** Not a field: Node prints the fields of an error that nobody catches. @internal */
  get [BRAND](): true {
    return true;
  }

  /** For `JSON.stringify`, which leaves the message of an Error out. */
  toJSON(): Record<string, unknown> {
    return errorJson(this);
  }

  /** Like `instanceof`, but also true for an error from another copy of this package, such as one in a bundle. */
  static is(error: unknown): error is RocketMQError {
    return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[BRAND] === true;
  }
}

/** An error as JSON: name, message and its fields, but neither its stack nor its cause, which are for logs. */
export function errorJson(error: Error): Record<string, unknown> {
  const { name, message, stack: _stack, cause: _cause, ...fields } = error;
  return { name, message, ...fields };
}

/**
 * What was thrown; an error in its place if it cannot be looked at: a getter of the application may throw, and a revoked proxy does. What decides
 * about a message must not fail at that.
 */
export function readable(thrown: unknown): unknown {
  try {
    const { name } = Object(thrown) as { readonly name?: unknown };
    if (!(thrown instanceof Error) || typeof name === 'string') return thrown;
  } catch {
    // It is replaced.
  }
  return new Error('an error that cannot be described');
}

/** What an error says of an outcome that is `unknown`. */
export const MAY_HAVE_TAKEN_EFFECT = 'it may have taken effect';
export const NOTHING_TOOK_EFFECT = 'nothing took effect';

/** The failure of something that has no effect, such as a read: it is `not-sent` where it would be `unknown`. */
export function withoutEffect<E>(error: E): E {
  if (!RocketMQError.is(error) || error.outcome !== 'unknown') return error;
  const said = error.message.replaceAll(MAY_HAVE_TAKEN_EFFECT, NOTHING_TOOK_EFFECT);
  const text = said.includes(NOTHING_TOOK_EFFECT) ? said : `${said}; ${NOTHING_TOOK_EFFECT}`;
  // A copy, because other calls may have failed with the same error; of the same class, because code asks for it.
  const copy = Reflect.construct(Error, [text, { cause: error.cause }], error.constructor) as Error;
  return Object.assign(copy, error, { outcome: 'not-sent' });
}

/** A wrong argument or option, found before anything was sent. Fix the call; repeating it unchanged fails again. */
export class UsageError extends RocketMQError {
  constructor(
    code: string,
    message: string,
    /** The argument or option that is wrong, for example `messageGroup`. */
    readonly field?: string,
    options?: ErrorOptions,
  ) {
    super(code, message, 'not-sent', false, options);
  }
}

/** The object is in the wrong state for this call: not started, closing or closed. Nothing was sent, unless `outcome` is `unknown`. */
export class StateError extends RocketMQError {
  constructor(
    code: string,
    message: string,
    { outcome = 'not-sent', ...options }: ErrorOptions & { readonly outcome?: 'not-sent' | 'unknown' } = {},
  ) {
    super(code, message, outcome, false, options);
  }
}

/** The connection failed, the deadline passed or the caller aborted. `outcome` says whether the request may have reached the server. */
export class TransportError extends RocketMQError {
  constructor(
    code:
      | 'UNAVAILABLE'
      | 'DEADLINE_EXCEEDED'
      | 'ABORTED'
      | 'RPC_FAILED'
      /** The queue of a message group or lite topic cannot be reached now, and its messages may not go anywhere else. */
      | 'MESSAGE_GROUP_UNAVAILABLE'
      /** Client and server cannot establish a TLS connection. The message says why. */
      | 'TLS_FAILED'
      /** The server at the address is not a RocketMQ proxy. The message says what it is. */
      | 'NOT_A_PROXY'
      /** The server at the address is a proxy, not a name server. */
      | 'NOT_A_NAME_SERVER'
      /** The credentials provider failed, and there are no earlier credentials to use. */
      | 'CREDENTIALS_UNAVAILABLE'
      /** The package of the selected transport cannot be loaded. */
      | 'TRANSPORT_MISSING',
    message: string,
    outcome: 'not-sent' | 'unknown',
    retryable: boolean,
    options?: ErrorOptions,
  ) {
    super(code, message, outcome, retryable, options);
  }
}
