// Calls a method as Nest does: with its guards, pipes, interceptors and filters. Nest's own creator finds them. The call itself is made
// here, because that of Nest waits several times for each message, even where there is nothing to wait for.

import { type ArgumentsHost, ForbiddenException, HttpException } from '@nestjs/common';
import type { ContextId, ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import { RpcException } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { describeError, type Logger } from '../../support/logger.js';
import { continued, rescued } from '../../support/thenable.js';
import { type HandlerMethod, methodLabel } from '../common/handler-host.js';
import { CONTEXT_PARAMETER, PAYLOAD_PARAMETER, ROUTE_ARGUMENTS_METADATA } from '../common/rocketmq.constants.js';
import { InvalidBodyError } from '../messages/invalid-body.js';
import type { Answer } from './answering.js';
import { throughInterceptors } from './interceptor-chain.js';
import { type MethodParameter, methodArguments } from './method-arguments.js';
import {
  assertSupported,
  type CreatorInternals,
  type ExceptionsHandler,
  type FoundEnhancers,
  leaveOutGlobal,
  type NestCall,
  type SupportedCreator,
  watched,
} from './nest-creator.js';

/** The method to call, and how to call it. */
interface CallTarget {
  readonly method: HandlerMethod;
  readonly globalEnhancers: boolean;
  /** The value of `context.getType()`. */
  readonly contextType: string;
}

/** Where the context is among the arguments of a call. */
const CONTEXT_ARGUMENT = 1;

/** A part of the call, with body and context. */
type Step = (call: readonly unknown[]) => unknown;

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
  /** By context. */
  private readonly answers = new WeakMap<object, Answer>();

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
    return this.creatorFor(target, instance, method).create(
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

  /** What an exception filter returned for the call with this context; undefined where none returned anything. */
  answerOf(context: object): Answer | undefined {
    return this.answers.get(context);
  }

  /** Nest's creator, with the members that are replaced for this method: what it creates calls the method by `stepsOf`. */
  private creatorFor(target: CallTarget, instance: object, method: NestCall): ExternalContextCreator {
    const { globalEnhancers, contextType } = target;
    const { host } = target.method;
    const label = methodLabel(target.method);
    const moduleKey = [...this.modules].find(([, module]) => module === host.wrapper.host)?.[0] ?? '';
    const creator = Object.create(this.creator) as CreatorInternals;
    assertSupported(creator, label);
    // Nest's lookup covers providers only, so the enhancers of a controller class would be ignored.
    creator.getContextModuleKey = () => moduleKey;
    creator.getContextModuleName = () => moduleKey;
    if (globalEnhancers) this.nameGlobalGuards(creator, label, contextType);
    else leaveOutGlobal(creator);
    const found = watched(creator);
    const errorProxy = creator.externalErrorProxy;
    creator.externalErrorProxy = {
      createProxy: (_, handler, type) => {
        const run = this.stepsOf(found, creator, instance, method, contextType);
        // Nest's own version takes the return value of a filter as the result, which would ack the message.
        const next = (error: unknown, host: ArgumentsHost): unknown =>
          this.filter(handler as ExceptionsHandler, error, host);
        return (...call) =>
          rescued(
            // A copy, as in Nest: what enhancers put into the arguments is not what filters get.
            () => resultOf(run([...call])),
            (error) => errorProxy.createProxy(() => Promise.reject(error), { next }, type)(...call),
          );
      },
    };
    return creator as unknown as ExternalContextCreator;
  }

  /** What Nest does around a method, without what this method has none of. */
  private stepsOf(
    { canActivate, interceptors, pipes, parameters }: FoundEnhancers,
    { interceptorsConsumer, pipesConsumer }: SupportedCreator,
    instance: object,
    method: NestCall,
    contextType: string,
  ): Step {
    const rejected = ({ type }: MethodParameter, error: unknown): void => {
      if (type === PAYLOAD_PARAMETER && isRejection(error)) this.aboutBody.add(error);
    };
    const argumentsOf =
      parameters.length === 0 ? undefined : methodArguments(parameters, pipes, pipesConsumer, rejected);
    const handle: Step = (call) =>
      argumentsOf === undefined
        ? method.apply(instance, [...call])
        : continued(argumentsOf(call), (values) => method.apply(instance, values));
    const intercept: Step = (call) => {
      const context = interceptorsConsumer.createContext(call, instance, method);
      context.setType(contextType);
      // As on Nest's own transports: what an interceptor puts into `context.getArgs()` is what pipes and the method get.
      return throughInterceptors(interceptors, context, () => handle(call));
    };
    const activated = interceptors.length === 0 ? handle : intercept;
    return canActivate === null ? activated : (call) => continued(canActivate(call), () => activated(call));
  }

  /** A guard for HTTP denies every message; the error names the guard and the remedy. */
  private nameGlobalGuards(creator: SupportedCreator, label: string, contextType: string): void {
    const { guardsContextCreator, guardsConsumer } = creator;
    if (guardsContextCreator.getGlobalMetadata === undefined) return;
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

  /** Runs the filters, then throws the error: what they return is for a requester, and decides nothing about the message. */
  private async filter(handler: ExceptionsHandler, error: unknown, host: ArgumentsHost): Promise<never> {
    try {
      const answer = await answerIn(await handler.invokeCustomFilters(error, host));
      if (answer !== undefined) this.answers.set(host.getArgByIndex<object>(CONTEXT_ARGUMENT), answer);
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

/** Nest's `BaseRpcExceptionFilter` returns the error as an observable, and its error is what was given to RpcException. */
async function answerIn(result: unknown): Promise<Answer | undefined> {
  if (!isObservable(result))
    return result === undefined || result === null ? undefined : { kind: 'value', value: result };
  try {
    const value = await lastValueFrom(result, { defaultValue: undefined });
    return value === undefined ? undefined : { kind: 'value', value };
  } catch (given) {
    return { kind: 'error', error: given instanceof Error ? given : new RpcException(given as string | object) };
  }
}

/** The last value of an observable, undefined for one without a value, where Nest's own version fails. */
function resultOf(result: unknown): unknown {
  return continued(result, (value) =>
    isObservable(value) ? lastValueFrom(value, { defaultValue: undefined }) : value,
  );
}

/** A pipe may also fail for other reasons, for instance because of a database, where a retry can help. */
function isRejection(error: unknown): error is object {
  if (error instanceof HttpException) return error.getStatus() >= 400 && error.getStatus() < 500;
  return error instanceof RpcException || error instanceof InvalidBodyError;
}

function adviceAbout(guard: object, label: string, contextType: string): (what: string) => string {
  return (what) =>
    `global guard ${guard.constructor.name} ${what} before ${label}; if it is for HTTP only, let it return true when ` +
    `context.getType() === '${contextType}', or set globalEnhancers: false on the listener`;
}
