// Errors of administration beyond those of a single request: what exists already, and changes that were made in part.

import { RocketMQError } from '../support/errors.js';

/** A topic or consumer group exists with other settings than those that were given. Nothing was changed. */
export class AlreadyExistsError extends RocketMQError {
  constructor(
    /** What exists: `topic "orders"`. */
    readonly what: string,
    /** In which settings it differs; a sentence for each setting and broker. */
    readonly differences: readonly string[],
  ) {
    const found = `${what} already exists with other settings: ${differences.join('; ')}`;
    super('ALREADY_EXISTS', `${found}; nothing was changed; pass ifExists: 'update' to change it`, 'not-sent', false);
  }
}

/** A change was made on some brokers (or name servers) and then failed. `cause` is the failure. Repeating the call is safe and completes the change. */
export class PartlyDoneError extends RocketMQError {
  /** @param what the name of the operation: "create topic order-created" */
  constructor(
    what: string,
    /** The brokers that have the change, by name; for an order configuration, the addresses of name servers. */
    readonly doneOn: readonly string[],
    cause: Error,
  ) {
    const message = `${what}: done on ${doneOn.join(', ')}, then failed: ${cause.message}; the others are unchanged; repeat the call to complete it, which is safe`;
    super('PARTLY_DONE', message, 'unknown', RocketMQError.is(cause) && cause.retryable, { cause });
  }
}
