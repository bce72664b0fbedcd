// A method as Nest calls it: with its guards, pipes, interceptors and filters. What Nest's own creator does not do for messages is
// put right here; it leans on its members, the same on Nest 10.4, 11 and 12.

import { type ArgumentsHost, ForbiddenException, HttpException } from '@nestjs/common';
import type { ContextId, ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import { RpcException } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { StateError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import { type HandlerMethod, methodLabel } from '../common/handler-host.js';
import { CONTEXT_PARAMETER, PAYLOAD_PARAMETER, ROUTE_ARGUMENTS_METADATA } from '../common/rocketmq.constants.js';
import { InvalidBodyError } from '../messages/message-body.js';

/** Runs the method once. */
export type NestCall = (...bodyAndContext: unknown[]) => Promise<unknown>;

/** What is to be called, and how. */
export interface CallTarget {
  readonly method: HandlerMethod;
  readonly globalEnhancers: boolean;
  /** What `context.getType()` says. */
  readonly contextType: string;
}

/** Nest's handler of exceptions outside of HTTP: its custom filters, then a log line and a throw. */
interface ExceptionsHandler {
  next(error: unknown, host: ArgumentsHost): unknown;
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}

type CreateProxy = (target: unknown, handler: Pick<ExceptionsHandler, 'next'>, type: string) => unknown;
type TryActivate = (guards: readonly object[], ...call: readonly unknown[]) => Promise<boolean>;

type ApplyPipes = (value: unknown, metadata: { readonly type: unknown }, pipes: readonly object[]) => Promise<unknown>;

/** Nest's finder of one kind of enhancers. */
interface EnhancerFinder {
  getGlobalMetadata?(...context: unknown[]): readonly object[];
}

const FINDERS = [
  'guardsContextCreator',
  'pipesContextCreator',
  'interceptorsContextCreator',
  'filtersContextCreator',
] as const;

/** What is replaced of Nest's creator. */
type CreatorInternals = {
  -readonly [Finder in (typeof FINDERS)[number]]?: EnhancerFinder;
} & {
  externalErrorProxy?: { readonly createProxy: CreateProxy };
  guardsConsumer?: { readonly tryActivate: TryActivate };
  pipesConsumer?: { readonly apply: ApplyPipes };
  getContextModuleKey?: () => string;
  getContextModuleName?: () => string;
  transformToResult?: (result: unknown) => Promise<unknown>;
};

const paramsFactory = {
  exchangeKeyForValue(type: number, field: unknown, [body, context]: readonly unknown[]): unknown {
    if (type === CONTEXT_PARAMETER) return context;
    if (type !== PAYLOAD_PARAMETER) return undefined;
    return typeof field === 'string' ? (body as Record<string, unknown> | null | undefined)?.[field] : body;
  },
};

/** Makes calls of methods. */
export class NestCalls {
  private readonly aboutBody = new WeakSet<object>();

  constructor(
    private readonly creator: ExternalContextCreator,
    private readonly modules: ModulesContainer,
    private readonly logger: Logger,
  ) {}

  /** The method on this instance. Global enhancers that are set later do not count. */
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

  /** Whether a pipe of the body has thrown this to say that the body is wrong. */
  isAboutBody(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.aboutBody.has(error);
  }

  /** Nest's creator, told what it does not find out by itself. */
  private creatorFor({ method, globalEnhancers, contextType }: CallTarget): ExternalContextCreator {
    const { host } = method;
    const moduleKey = [...this.modules].find(([, module]) => module === host.wrapper.host)?.[0] ?? '';
    const creator = Object.create(this.creator) as CreatorInternals;
    const errorProxy = creator.externalErrorProxy;
    if (typeof errorProxy?.createProxy !== 'function' || FINDERS.some((name) => creator[name] === undefined)) {
      const text = `this version of @nestjs/core is not supported: ${methodLabel(method)} cannot be called with its enhancers`;
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

  /** A guard that was made for HTTP denies every message; whoever wonders why learns which, and what to do. */
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

/** A pipe may also fail for other reasons, a database for instance, which a retry can help. */
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
    `global guard ${guard.constructor.name} ${what} before ${label}; if it is made for HTTP only, let it pass what has ` +
    `context.getType() === '${contextType}', or give the listener globalEnhancers: false`;
}
