// Interceptors, which an application puts around every handler: context, measurements, rejections. The failure policy judges the
// outcome.

import type { MessageView } from '../../protocol/model/message.js';
import { StateError, UsageError } from '../../support/errors.js';
import type { HandlerContext, MessageHandler } from './handler.js';

/**
 * Called around the handler at each attempt: before it, `await next()`, after it. `next()` rejects with the handler's error.
 * If the interceptor throws another error, that is the failure, also a RetryLaterError or DeadLetterError; when it throws nothing,
 * the handler's failure stands: an interceptor cannot acknowledge a failed message.
 *
 * `next` must be called once. An interceptor that ends without having called it has failed (`NEXT_NOT_CALLED`): a message that
 * no handler has processed is not acknowledged. A second call rejects (`NEXT_CALLED_TWICE`) and runs nothing.
 */
export type ConsumeInterceptor = (
  message: MessageView,
  context: HandlerContext,
  next: () => Promise<void>,
) => Promise<void>;

/** The handler with the interceptors around it, the first one outermost. */
export function intercepted(handler: MessageHandler, interceptors: readonly ConsumeInterceptor[]): MessageHandler {
  return [...interceptors].reduceRight<MessageHandler>((inner, interceptor) => around(interceptor, inner), handler);
}

function around(interceptor: ConsumeInterceptor, inner: MessageHandler): MessageHandler {
  return async (message, context) => {
    let handled: Promise<void> | undefined;
    const next = (): Promise<void> => {
      if (handled !== undefined) return looked(Promise.reject(calledTwice(message)));
      handled = looked(run(inner, message, context));
      return handled;
    };
    await interceptor(message, context, next);
    if (handled === undefined) throw notCalled(message);
    // The handler's result stands whatever the interceptor returns, even if it did not wait for the handler.
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
  const text = `an interceptor ended without calling next() for message ${messageId} from "${topic}"; the handler was not called`;
  return new StateError('NEXT_NOT_CALLED', `${text}; call next() to handle a message, or throw to reject it`);
}
