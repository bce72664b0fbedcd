// Runs the method of one listener for a consumer: decodes bodies, applies Nest's enhancers, and reports the outcome by the original error.

import type { ContextId } from '@nestjs/core';
import type { BatchHandler, HandlerContext } from '../../consumer/model/handler.js';
import type { MessageView } from '../../protocol/model/message.js';
import { describeError, type Logger } from '../../support/logger.js';
import { continued, rescued } from '../../support/thenable.js';
import { CONTEXT_TYPE, PATTERN_CONTEXT_TYPE } from '../common/rocketmq.constants.js';
import { newerVersion } from '../messages/body-version.js';
import { InvalidBodyError, settleInvalid } from '../messages/invalid-body.js';
import { type DecodedMessage, decodeMessage, type MessageWire } from '../messages/message-body.js';
import { replyAddressOf } from '../sending/reply-message.js';
import { type Answer, FilteredFailure, type ResultHandler } from './answering.js';
import type { PlannedListener } from './listener-plan.js';
import { ManualOutcome } from './manual-outcome.js';
import type { NestCalls } from './nest-call.js';
import type { NestCall } from './nest-creator.js';
import { RocketMQBatchContext } from './rocketmq-batch-context.js';
import { type ContextOrigin, RocketMQContext } from './rocketmq-context.js';

type ListenerContext = RocketMQContext | RocketMQBatchContext;

/** Runs a listener's method once and returns its result, a promise only where there is something to wait for. */
type Invoke = (body: unknown, context: ListenerContext) => unknown;

/** Creates the message handlers of listeners. */
export class HandlerInvoker {
  constructor(
    private readonly calls: Pick<NestCalls, 'bind' | 'isAboutBody' | 'answerOf'>,
    private readonly wire: MessageWire,
    private readonly logger: Logger,
  ) {}

  /** The handler of a listener that receives messages one by one. */
  handlerOf(listener: PlannedListener): ResultHandler {
    const invoke = this.invokerOf(listener);
    const origin = this.originOf(listener);
    const handle = (decoded: DecodedMessage | undefined, run: HandlerContext): unknown => {
      if (decoded === undefined) return undefined;
      const { body, message } = decoded;
      if (listener.settings.manual !== true) return invoke(body, RocketMQContext.of(message, run, origin));
      return this.untilDecided(run, async (outcome) => {
        const context = RocketMQContext.of(message, run, origin, outcome);
        try {
          await invoke(body, context);
        } catch (error) {
          if (!outcome.isSet) throw error;
          context.logger.warn('a manual handler failed after it had set the outcome; the outcome stands', {
            error: describeError(error),
          });
        }
      });
    };
    return (received, run) => continued(this.decoded(listener, received), (decoded) => handle(decoded, run));
  }

  /** The handler of a listener that receives several messages at once. */
  batchHandlerOf(listener: PlannedListener): BatchHandler {
    const invoke = this.invokerOf(listener);
    const origin = this.originOf(listener);
    return async (received, batch) => {
      const decoding = await Promise.allSettled(received.map((message) => this.decoded(listener, message)));
      const valid = decoding.flatMap((result, index) => {
        if (result.status === 'rejected') batch.fail(received[index] as MessageView, result.reason);
        if (result.status === 'rejected' || result.value === undefined) return [];
        return [{ ...result.value, received: received[index] as MessageView }];
      });
      if (valid.length === 0) return;
      const bodies = valid.map(({ body }) => body);
      await invoke(bodies, RocketMQBatchContext.of(valid, batch, origin));
    };
  }

  private async untilDecided(run: HandlerContext, work: (outcome: ManualOutcome) => Promise<unknown>): Promise<void> {
    const outcome = new ManualOutcome((error) => run.decide?.(error) ?? true);
    try {
      await work(outcome);
      await outcome.untilSet(run.signal);
    } finally {
      outcome.close();
    }
  }

  private invokerOf(listener: PlannedListener): Invoke {
    const { pattern, method } = listener;
    const { host } = method;
    const staticCall = host.isStatic ? this.bind(listener, host.wrapper.instance, undefined) : undefined;
    const called = (call: NestCall, body: unknown, context: ListenerContext): unknown =>
      pattern === undefined ? call(body, context) : pattern.around(context, async () => call(body, context));
    return (body, context) =>
      rescued(
        () =>
          staticCall === undefined
            ? this.bindForRequest(listener, context).then((call) => called(call, body, context))
            : called(staticCall, body, context),
        (error) => this.failed(listener, context, error),
      );
  }

  /** Resolves when the message is handled in spite of the error. @throws the error that decides about the message; FilteredFailure */
  private async failed(listener: PlannedListener, context: ListenerContext, error: unknown): Promise<void> {
    const deciding = this.decided(listener, context, error);
    const answer = this.answerOf(listener, context);
    if (answer === undefined) return deciding;
    const failure = await deciding.then(
      () => undefined,
      (decisive: unknown) => ({ error: decisive }),
    );
    throw new FilteredFailure(answer, failure);
  }

  /** What an exception filter has made for a requester. */
  private answerOf(listener: PlannedListener, context: ListenerContext): Answer | undefined {
    const isRequest = !(context instanceof RocketMQBatchContext) && isAnswered(listener, context.message);
    return isRequest ? this.calls.answerOf(context) : undefined;
  }

  private async decided(listener: PlannedListener, context: ListenerContext, error: unknown): Promise<void> {
    if (context.isHandled) return;
    if (!this.calls.isAboutBody(error) || context instanceof RocketMQBatchContext) throw error;
    const { message } = context;
    const problem = `is rejected by a pipe (${describeError(error)})`;
    const newer = newerVersion(listener.topic, message);
    const invalid = new InvalidBodyError(message.topic, message.messageId, problem, { cause: error, newer });
    await settle(invalid, message, listener);
  }

  /** Undefined for a message that is already handled. */
  private decoded(
    listener: PlannedListener,
    message: MessageView,
  ): DecodedMessage | undefined | PromiseLike<DecodedMessage | undefined> {
    const { topic, consumerGroup } = listener;
    return rescued(
      () => decodeMessage(topic, message, this.wire, consumerGroup),
      async (error) => {
        if (!(error instanceof InvalidBodyError)) throw error;
        await settle(error, message, listener);
        return undefined;
      },
    );
  }

  private async bindForRequest(listener: PlannedListener, context: object): Promise<NestCall> {
    const { instance, contextId } = await listener.method.host.resolve(context);
    return this.bind(listener, instance, contextId);
  }

  private bind(listener: PlannedListener, instance: object, contextId: ContextId | undefined): NestCall {
    const { method, settings, pattern } = listener;
    const globalEnhancers = settings.globalEnhancers ?? pattern?.globalEnhancers ?? true;
    const contextType = pattern === undefined ? CONTEXT_TYPE : PATTERN_CONTEXT_TYPE;
    return this.calls.bind({ method, globalEnhancers, contextType }, instance, contextId);
  }

  private originOf({ name, consumerGroup }: PlannedListener): ContextOrigin {
    return { name, consumerGroup, logger: this.logger };
  }
}

/** As `onInvalid` says. Even when that is `ack`, a requester gets the error, which settles its request. */
async function settle(error: InvalidBodyError, message: MessageView, listener: PlannedListener): Promise<void> {
  await settleInvalid(error, message, listener.settings.onInvalid);
  if (isAnswered(listener, message)) throw error;
}

function isAnswered({ pattern }: PlannedListener, message: MessageView): boolean {
  const address = pattern?.kind === 'message' ? replyAddressOf(message) : undefined;
  return address !== undefined && address !== 'rejected';
}
