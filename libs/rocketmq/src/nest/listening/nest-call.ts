// Calls a method as Nest does: with its guards, pipes, interceptors and filters. Where Nest's own creator does not suit messages,
// members of it are replaced, which are the same on Nest 10.4, 11 and 12.

import { type ArgumentsHost, ForbiddenException, HttpException } from '@nestjs/common';
import type { ContextId, ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import { RpcException } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { StateError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import { type HandlerMethod, methodLabel } from '../common/handler-host.js';
import { CONTEXT_PARAMETER, PAYLOAD_PARAMETER, ROUTE_ARGUMENTS_METADATA } from '../common/rocketmq.constants.js';
import { InvalidBodyError } from '../messages/invalid-body.js';

/** Runs the method once. */
export type NestCall = (...bodyAndContext: unknown[]) => Promise<unknown>;

/** The method to call, and how to call it. */
interface CallTarget {
  readonly method: HandlerMethod;
  readonly globalEnhancers: boolean;
  /** The value of `context.getType()`. */
  readonly contextType: string;
}

/** Nest's exception handler outside of HTTP: its custom filters, then a log line and a throw. */
interface ExceptionsHandler {
  next(error: unknown, host: ArgumentsHost): unknown;
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}

type CreateProxy = (target: unknown, handler: Pick<ExceptionsHandler, 'next'>, type: string) => unknown;
type TryActivate = (guards: readonly object[], ...call: readonly unknown[]) => Promise<boolean>;

type ApplyPipes = (value: unknown, metadata: { readonly type: unknown }, pipes: readonly object[]) => Promise<unknown>;

/** Nest's lookup of one kind of enhancers. */
interface EnhancerFinder {
  getGlobalMetadata?(...context: unknown[]): readonly object[];
}

const FINDERS = [
  'guardsContextCreator',
  'pipesContextCreator',
  'interceptorsContextCreator',
  'filtersContextCreator',
] as const;

/** The members of Nest's creator that are replaced. */
type CreatorInternals = {
  -readonly [Finder in (typeof FINDERS)[number]]?: EnhancerFinder;
} & {
  externalErrorProxy?: { readonly createProxy: CreateProxy };
  guardsConsumer?: { readonly tryActivate: TryActivate };
  pipesConsumer?: { readonly apply: ApplyPipes };
  getContextModuleKey?: () => string;
  getContextModuleName?: () => string;
  transformToResult?: (result: unknown) => unknown;
};

const paramsFactory = {
  exchangeKeyForValue(type: number, field: unknown, [body, context]: readonly unknown[]): unknown {
    if (type === CONTEXT_PARAMETER) return context;
    if (type !== PAYLOAD_PARAMETER) return undefined;
    return typeof field === 'string' ? (body as Record<string, unknown> | null | undefined)?.[field] : body;
  },
};

/** Creates the calls of methods. */
export class NestCalls {
  private readonly aboutBody = new WeakSet<object>();

  constructor(
    private readonly creator: ExternalContextCreator,
    private readonly modules: ModulesContainer,
    private readonly logger: Logger,
  ) {}

  /** The call of the method on this instance. Global enhancers that are registered later do not apply. */
  bind(target: CallTarget, instance: object, contextId: ContextId | undefined): NestCall {
    const { host, methodName } = target.method;
    const method = (instance as Record<string, NestCall>)[methodName] as NestCall;
    const inquirerId = contextId === undefined ? undefined : host.wrapper.id;
    const enhancers = { guards: true, interceptors: true, filters: true };
    return this.creatorFor(target).create(
      instance,
      method,
      methodName,
      ROUTE_ARGUMENTS_METADATA,
      paramsFactory,
      contextId,
      inquirerId,
      enhancers,
      target.contextType,
    ) as NestCall;
  }

  /** Whether a pipe of the body threw this error because the body is invalid. */
  isAboutBody(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.aboutBody.has(error);
  }

  /** Nest's creator, with the members that are replaced for this method. */
  private creatorFor({ method, globalEnhancers, contextType }: CallTarget): ExternalContextCreator {
    const { host } = method;
    const moduleKey = [...this.modules].find(([, module]) => module === host.wrapper.host)?.[0] ?? '';
    const creator = Object.create(this.creator) as CreatorInternals;
    const errorProxy = creator.externalErrorProxy;
    if (typeof errorProxy?.createProxy !== 'function' || FINDERS.some((name) => creator[name] === undefined)) {
      const text = `this version of @nestjs/core is not supported: ${methodLabel(method)} cannot be called with its enhancers`;
      throw new StateError('UNSUPPORTED_NEST', text);
    }
    // Nest's lookup covers providers only, so the enhancers of a controller class would be ignored.
    creator.getContextModuleKey = () => moduleKey;
    creator.getContextModuleName = () => moduleKey;
    // Nest's own version fails for an observable that completes without a value.
    creator.transformToResult = (result) =>
      isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
    // Nest's own version takes the return value of a filter as the result, which would ack the message.
    creator.externalErrorProxy = {
      createProxy: (target, handler, type) =>
        errorProxy.createProxy(
          target,
          { next: (error, host) => this.filter(handler as ExceptionsHandler, error, host) },
          type,
        ),
    };
    this.watchPipesOfBody(creator);
    if (globalEnhancers) this.nameGlobalGuards(creator, methodLabel(method), contextType);
    else leaveOutGlobal(creator);
    return creator as unknown as ExternalContextCreator;
  }

  private watchPipesOfBody(creator: CreatorInternals): void {
    const { pipesConsumer } = creator;
    if (pipesConsumer === undefined) return;
    creator.pipesConsumer = {
      apply: async (value, metadata, pipes) => {
        try {
          return await pipesConsumer.apply(value, metadata, pipes);
        } catch (error) {
          if (metadata.type === PAYLOAD_PARAMETER && isRefusal(error)) this.aboutBody.add(error);
          throw error;
        }
      },
    };
  }

  /** A guard for HTTP denies every message; the error names the guard and the remedy. */
  private nameGlobalGuards(creator: CreatorInternals, label: string, contextType: string): void {
    const { guardsContextCreator, guardsConsumer } = creator;
    if (guardsContextCreator?.getGlobalMetadata === undefined || guardsConsumer === undefined) return;
    const global = new WeakSet<object>();
    creator.guardsContextCreator = Object.create(guardsContextCreator, {
      getGlobalMetadata: {
        value: (...context: unknown[]) => {
          const found = guardsContextCreator.getGlobalMetadata?.(...context) ?? [];
          for (const guard of found) global.add(guard);
          return found;
        },
      },
    });
    creator.guardsConsumer = {
      tryActivate: async (guards, ...call) => {
        for (const guard of guards) {
          const says = global.has(guard) ? adviceAbout(guard, label, contextType) : undefined;
          try {
            if (await guardsConsumer.tryActivate([guard], ...call)) continue;
          } catch (error) {
            if (says !== undefined) this.logger.warn(`${says('threw')}`, { error: describeError(error) });
            throw error;
          }
          if (says === undefined) return false;
          throw new ForbiddenException(says('denied the message'));
        }
        return true;
      },
    };
  }

  /** Runs the filters for their side effects, then throws the error whatever they return. */
  private async filter(handler: ExceptionsHandler, error: unknown, host: ArgumentsHost): Promise<never> {
    try {
      const result = await handler.invokeCustomFilters(error, host);
      // Filters for microservices return the error as an observable; others may do their work in one.
      if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined }).catch(() => {});
    } catch (failure) {
      if (failure !== error) {
        this.logger.warn('an exception filter threw; the outcome follows the original error', {
          error: describeError(failure),
        });
      }
    }
    throw error;
  }
}

/** A pipe may also fail for other reasons, for instance because of a database, where a retry can help. */
function isRefusal(error: unknown): error is object {
  if (error instanceof HttpException) return error.getStatus() >= 400 && error.getStatus() < 500;
  return error instanceof RpcException || error instanceof InvalidBodyError;
}

function leaveOutGlobal(creator: CreatorInternals): void {
  for (const name of FINDERS) {
    creator[name] = Object.create(creator[name] as EnhancerFinder, { getGlobalMetadata: { value: () => [] } });
  }
}

function adviceAbout(guard: object, label: string, contextType: string): (what: string) => string {
  return (what) =>
    `global guard ${guard.constructor.name} ${what} before ${label}; if it is for HTTP only, let it return true when ` +
    `context.getType() === '${contextType}', or set globalEnhancers: false on the listener`;
}
