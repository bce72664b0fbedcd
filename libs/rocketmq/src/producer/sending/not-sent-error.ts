// Sends that the producer rejects for now. Wrong arguments are UsageErrors, a closed producer is a StateError.

import { RocketMQError } from '../../support/errors.js';

/**
 * The producer did not start a valid send. Nothing was sent, and the same call may succeed later.
 * - `TOO_MANY_IN_FLIGHT`: the limit of messages in flight is reached, and `whenFull` is `reject`
 * - `EARLIER_MESSAGE_FAILED`: an earlier message of its message group or lite topic failed (`cause`) in the same batch, or it may be stored or not
 *   and this one waited behind it; sending it would break the order
 * - `INTERCEPTOR_FAILED`: an interceptor threw before it called `next` (`cause`)
 */
export class NotSentError extends RocketMQError {
  constructor(
    code: 'TOO_MANY_IN_FLIGHT' | 'EARLIER_MESSAGE_FAILED' | 'INTERCEPTOR_FAILED',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, `${message}; nothing was sent`, 'not-sent', true, options);
  }
}
