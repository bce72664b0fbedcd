// What an application puts around every handler: context, measurements, refusals. How a handler's end is judged is decided
// elsewhere.

import type { MessageView } from '../../protocol/model/message.js';
import { StateError, UsageError } from '../../support/errors.js';
import type { HandlerContext, MessageHandler } from './handler.js';

/**
 * Called around the handler at each attempt: before it, `await next()`, after it. `next()` rejects with what the handler threw.
 * What the interceptor throws instead of that is the failure, a RetryLaterError or DeadLetterError too; when it throws nothing,
 * the handler's failure stands: an interceptor cannot have a failed message acked.
 *
 * `next` must be called once. An interceptor that ends without having called it has failed (`NEXT_NOT_CALLED`): a message that
 * no handler has seen is not acked. A second call rejects (`NEXT_CALLED_TWICE`) and runs nothing.
 */
export type ConsumeInterceptor = (
  message: MessageView,
  context: HandlerContext,
  next: () => Promise<void>,
) => Promise<void>;

/** The handler with the interceptors around it, the first one outermost. @throws UsageError when one is no function */
export function intercepted(handler: MessageHandler, interceptors: readonly ConsumeInterceptor[]): MessageHandler {
  return [...interceptors].reduceRight<MessageHandler>((inner, interceptor) => around(interceptor, inner), handler);
}

function around(interceptor: ConsumeInterceptor, inner: MessageHandler): MessageHandler {
  if (typeof interceptor !== 'function') {
    throw new UsageError('ILLEGAL_OPTION', 'option interceptors must hold functions only', 'interceptors');
  }
  return async (message, context) => {
    let handled: Promise<void> | undefined;
    const next = (): Promise<void> => {
      if (handled !== undefined) return looked(Promise.reject(calledTwice(message)));
      handled = looked(run(inner, message, context));
      return handled;
    };
    await interceptor(message, context, next);
    if (handled === undefined) throw notCalled(message);
    // Whatever the interceptor made of it: also of a handler that it did not wait for.
    await handled;
  };
}

async function run(handler: MessageHandler, message: MessageView, context: HandlerContext): Promise<void> {
  await handler(message, context);
}

/** The same promise, whose rejection is no longer "unhandled" when the interceptor drops it. */
function looked(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

function calledTwice({ messageId, topic }: MessageView): UsageError {
  const text = `an interceptor called next() twice for message ${messageId} from "${topic}"; the handler ran once`;
  return new UsageError('NEXT_CALLED_TWICE', text, 'interceptors');
}

function notCalled({ messageId, topic }: MessageView): StateError {
  const text = `an interceptor ended without calling next() for message ${messageId} from "${topic}"; no handler saw it`;
  return new StateError('NEXT_NOT_CALLED', `${text}; throw to refuse a message, call next() to have it handled`);
}
