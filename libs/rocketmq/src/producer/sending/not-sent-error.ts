// What the producer itself refuses to send, for now. Wrong arguments are UsageErrors, a closed producer is a StateError.

import { RocketMQError } from '../../support/errors.js';

/**
 * The producer did not begin a send that is right in itself, so nothing was sent and the same call may succeed later.
 * - `TOO_MANY_IN_FLIGHT`: as much as the options allow is under way, and they say to refuse more
 * - `EARLIER_MESSAGE_FAILED`: a message before it in its message group failed (`cause`); order comes first
 * - `INTERCEPTOR_FAILED`: an interceptor threw before it handed the message on (`cause`)
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
