// One listener's method as a consumer calls it: bodies decoded, Nest's enhancers around it, its outcome from the original error.

import type { ContextId } from '@nestjs/core';
import type { BatchHandler } from '../consumer/batch-handler.js';
import type { MessageHandler } from '../consumer/handler-run.js';
import { DeadLetterError } from '../consumer/outcome-errors.js';
import type { MessageView } from '../protocol/message.js';
import { describeError, type Logger } from '../support/logger.js';
import type { BodyCodec } from './body-codec.js';
import type { PlannedListener } from './listener-plan.js';
import { ManualOutcome } from './manual-outcome.js';
import { decodeBody, InvalidBodyError } from './message-body.js';
import type { NestCall, NestCalls } from './nest-call.js';
import { RocketMQBatchContext } from './rocketmq-batch-context.js';
import { type ContextOrigin, RocketMQContext } from './rocketmq-context.js';

/** Runs a listener's method once. */
type Invoke = (body: unknown, context: RocketMQContext | RocketMQBatchContext) => Promise<void>;

/** Makes message handlers of listeners. */
export class HandlerInvoker {
  constructor(
    private readonly calls: NestCalls,
    private readonly codec: BodyCodec,
    private readonly logger: Logger,
  ) {}

  /** The handler of a listener that gets messages one by one. */
  handlerOf(listener: PlannedListener): MessageHandler {
    const invoke = this.invokerOf(listener);
    const origin = this.originOf(listener);
    return async (message, { signal }) => {
      const body = await this.bodyOf(listener, message);
      if (listener.settings.manual !== true) return invoke(body, new RocketMQContext(message, signal, origin));
      await this.untilSaid(signal, (outcome) => {
        const context = new RocketMQContext(message, signal, origin, outcome);
        return invoke(body, context).catch((error: unknown) => {
          if (!outcome.isSaid) throw error;
          context.logger.warn('a manual handler failed after its word; the word counts', {
            error: describeError(error),
          });
        });
      });
    };
  }

  /** The handler of a listener that gets several at once. */
  batchHandlerOf(listener: PlannedListener): BatchHandler {
    const invoke = this.invokerOf(listener);
    const origin = this.originOf(listener);
    return async (messages, batch) => {
      const decoded = await Promise.allSettled(messages.map((message) => this.bodyOf(listener, message)));
      const bodies: unknown[] = [];
      const valid = messages.filter((message, index) => {
        const result = decoded[index];
        if (result?.status === 'fulfilled') bodies.push(result.value);
        else batch.fail(message, result?.reason);
        return result?.status === 'fulfilled';
      });
      if (valid.length > 0) await invoke(bodies, new RocketMQBatchContext(valid, batch, origin));
    };
  }

  private async untilSaid(signal: AbortSignal, work: (outcome: ManualOutcome) => Promise<void>): Promise<void> {
    const outcome = new ManualOutcome();
    try {
      await work(outcome);
      await outcome.said(signal);
    } finally {
      outcome.close();
    }
  }

  private invokerOf(listener: PlannedListener): Invoke {
    const { host } = listener.method;
    const staticCall = host.isStatic ? this.bind(listener, host.wrapper.instance, undefined) : undefined;
    return async (body, context) => {
      const call = staticCall ?? (await this.bindForRequest(listener, context));
      try {
        await call(body, context);
      } catch (error) {
        if (!context.isHandled) throw error;
      }
    };
  }

  private async bodyOf({ topic, settings }: PlannedListener, message: MessageView): Promise<unknown> {
    try {
      return await decodeBody(topic, message, this.codec);
    } catch (error) {
      if (settings.onInvalidBody === 'retry' || !(error instanceof InvalidBodyError)) throw error;
      throw new DeadLetterError(error.message, { cause: error });
    }
  }

  private async bindForRequest(listener: PlannedListener, context: object): Promise<NestCall> {
    const { instance, contextId } = await listener.method.host.resolve(context);
    return this.bind(listener, instance, contextId);
  }

  private bind({ method, settings }: PlannedListener, instance: object, contextId: ContextId | undefined): NestCall {
    return this.calls.bind({ method, globalEnhancers: settings.globalEnhancers ?? true }, instance, contextId);
  }

  private originOf({ name, consumerGroup }: PlannedListener): ContextOrigin {
    return { name, consumerGroup, logger: this.logger };
  }
}
