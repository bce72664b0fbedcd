// One listener's method as a consumer calls it: body decoded, Nest's enhancers around it, its outcome from the original error.

import type { ArgumentsHost } from '@nestjs/common';
import type { ContextId, ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import type { MessageHandler } from '../consumer/handler-run.js';
import { DeadLetterError } from '../consumer/outcome-errors.js';
import type { MessageView } from '../protocol/message.js';
import { StateError } from '../support/errors.js';
import { describeError, type Logger } from '../support/logger.js';
import type { BodyCodec } from './body-codec.js';
import { methodLabel } from './handler-host.js';
import type { PlannedListener } from './listener-plan.js';
import { decodeBody, InvalidBodyError } from './message-body.js';
import { CONTEXT_PARAMETER, CONTEXT_TYPE, PAYLOAD_PARAMETER, ROUTE_ARGUMENTS_METADATA } from './rocketmq.constants.js';
import { RocketMQContext } from './rocketmq-context.js';

type Call = (...bodyAndContext: unknown[]) => Promise<unknown>;

/** Nest's handler of exceptions outside of HTTP: its custom filters, then a log line and a throw. */
interface ExceptionsHandler {
  next(error: unknown, host: ArgumentsHost): unknown;
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}

type CreateProxy = (target: unknown, handler: Pick<ExceptionsHandler, 'next'>, type: string) => unknown;

/** What is replaced of Nest's creator; the same names on Nest 10.4, 11 and 12. */
interface CreatorInternals {
  externalErrorProxy?: { readonly createProxy: CreateProxy };
  getContextModuleKey?: () => string;
  getContextModuleName?: () => string;
  transformToResult?: (result: unknown) => Promise<unknown>;
}

const paramsFactory = {
  exchangeKeyForValue(type: number, field: unknown, [body, context]: readonly unknown[]): unknown {
    if (type === CONTEXT_PARAMETER) return context;
    if (type !== PAYLOAD_PARAMETER) return undefined;
    return typeof field === 'string' ? (body as Record<string, unknown> | null | undefined)?.[field] : body;
  },
};

/** Makes message handlers of listeners. */
export class HandlerInvoker {
  constructor(
    private readonly creator: ExternalContextCreator,
    private readonly modules: ModulesContainer,
    private readonly codec: BodyCodec,
    private readonly logger: Logger,
  ) {}

  /** The handler of a listener. Global enhancers that are set later do not count. */
  handlerOf(listener: PlannedListener): MessageHandler {
    const { host } = listener.method;
    const staticCall = host.isStatic ? this.bind(listener, host.wrapper.instance, undefined) : undefined;
    return async (message, { signal }) => {
      const body = await this.bodyOf(listener, message);
      const context = new RocketMQContext(message, signal, listener.name, listener.consumerGroup);
      const call = staticCall ?? (await this.bindForRequest(listener, context));
      try {
        await call(body, context);
      } catch (error) {
        if (!context.isHandled) throw error;
      }
    };
  }

  private async bodyOf({ topic, onInvalidBody }: PlannedListener, message: MessageView): Promise<unknown> {
    try {
      return await decodeBody(topic, message, this.codec);
    } catch (error) {
      if (onInvalidBody === 'retry' || !(error instanceof InvalidBodyError)) throw error;
      throw new DeadLetterError(error.message, { cause: error });
    }
  }

  private async bindForRequest(listener: PlannedListener, context: RocketMQContext): Promise<Call> {
    const { instance, contextId } = await listener.method.host.resolve(context);
    return this.bind(listener, instance, contextId);
  }

  private bind(listener: PlannedListener, instance: object, contextId: ContextId | undefined): Call {
    const { host, methodName } = listener.method;
    const method = (instance as Record<string, Call>)[methodName] as Call;
    const inquirerId = contextId === undefined ? undefined : host.wrapper.id;
    const enhancers = { guards: true, interceptors: true, filters: true };
    return this.creatorFor(listener).create(
      instance,
      method,
      methodName,
      ROUTE_ARGUMENTS_METADATA,
      paramsFactory,
      contextId,
      inquirerId,
      enhancers,
      CONTEXT_TYPE,
    ) as Call;
  }

  /** Nest's creator, told what it does not find out by itself. */
  private creatorFor(listener: PlannedListener): ExternalContextCreator {
    const { host } = listener.method;
    const moduleKey = [...this.modules].find(([, module]) => module === host.wrapper.host)?.[0] ?? '';
    const creator = Object.create(this.creator) as CreatorInternals;
    const errorProxy = creator.externalErrorProxy;
    if (typeof errorProxy?.createProxy !== 'function') {
      const text = `this version of @nestjs/core is not supported: ${methodLabel(listener.method)} cannot be called with its filters`;
      throw new StateError('UNSUPPORTED_NEST', text);
    }
    // It looks among providers only, so the enhancers of a controller's class would be left out.
    creator.getContextModuleKey = () => moduleKey;
    creator.getContextModuleName = () => moduleKey;
    // Its own fails for an observable that completes without a value.
    creator.transformToResult = async (result) =>
      isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
    // Its own takes what a filter returns for the result, which would ack the message.
    creator.externalErrorProxy = {
      createProxy: (target, handler, type) =>
        errorProxy.createProxy(
          target,
          { next: (error, host) => this.filter(handler as ExceptionsHandler, error, host) },
          type,
        ),
    };
    return creator as unknown as ExternalContextCreator;
  }

  /** Runs the filters for what they do, then throws the error whatever they return. */
  private async filter(handler: ExceptionsHandler, error: unknown, host: ArgumentsHost): Promise<never> {
    try {
      const result = await handler.invokeCustomFilters(error, host);
      // Filters for microservices return the error as an observable; others may do their work in one.
      if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined }).catch(() => {});
    } catch (failure) {
      if (failure !== error) {
        this.logger.warn('an exception filter threw; the first error counts', { error: describeError(failure) });
      }
    }
    throw error;
  }
}
