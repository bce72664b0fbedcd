// Nest's ExternalContextCreator, which finds the enhancers of a method and what its parameters are made of: the members of it that are
// read, called or replaced here, the same on Nest 10.4, 11 and 12.

import type { ArgumentsHost, ExecutionContext, NestInterceptor, PipeTransform } from '@nestjs/common';
import { StateError } from '../../support/errors.js';
import type { MethodParameter, PipesConsumer } from './method-arguments.js';

/** Runs the method once: a promise of the result only where an enhancer or the method returns one. */
export type NestCall = (...bodyAndContext: unknown[]) => unknown;

/** Nest's exception handler outside of HTTP: its custom filters, then a log line and a throw. */
export interface ExceptionsHandler {
  next(error: unknown, host: ArgumentsHost): unknown;
  invokeCustomFilters(error: unknown, host: ArgumentsHost): unknown;
}

type CreateProxy = (target: NestCall, handler: Pick<ExceptionsHandler, 'next'>, type: string) => NestCall;
type TryActivate = (guards: readonly object[], ...call: readonly unknown[]) => Promise<boolean>;
type CanActivate = (call: readonly unknown[]) => unknown;

type CreateContext = (
  call: readonly unknown[],
  instance: object,
  method: NestCall,
) => ExecutionContext & {
  setType(type: string): void;
};

/** Nest's lookup of one kind of enhancers. */
interface EnhancerFinder {
  create(...of: readonly unknown[]): readonly NestInterceptor[];
  getGlobalMetadata?(...context: unknown[]): readonly object[];
}

const FINDERS = [
  'guardsContextCreator',
  'pipesContextCreator',
  'interceptorsContextCreator',
  'filtersContextCreator',
] as const;

/** The members of Nest's creator that are replaced. */
export type CreatorInternals = {
  -readonly [Finder in (typeof FINDERS)[number]]?: EnhancerFinder;
} & {
  externalErrorProxy?: { readonly createProxy: CreateProxy };
  guardsConsumer?: { readonly tryActivate: TryActivate };
  readonly pipesConsumer?: PipesConsumer;
  readonly interceptorsConsumer?: { readonly createContext: CreateContext };
  getContextModuleKey?: () => string;
  getContextModuleName?: () => string;
  createGuardsFn?: (...of: readonly unknown[]) => CanActivate | null;
  createPipesFn?: (pipes: readonly PipeTransform[], parameters: readonly MethodParameter[]) => unknown;
};

/** A creator of a supported version. */
export type SupportedCreator = CreatorInternals & Required<Pick<CreatorInternals, (typeof REQUIRED)[number]>>;

const REQUIRED = [
  ...FINDERS,
  'externalErrorProxy',
  'guardsConsumer',
  'pipesConsumer',
  'interceptorsConsumer',
  'createGuardsFn',
  'createPipesFn',
] as const;

/** The enhancers that Nest's creator found for a method; filters are part of its exception handler. */
export interface FoundEnhancers {
  canActivate: CanActivate | null;
  interceptors: readonly NestInterceptor[];
  pipes: readonly PipeTransform[];
  parameters: readonly MethodParameter[];
}

/** @throws StateError `UNSUPPORTED_NEST` when a member that is replaced or called is missing */
export function assertSupported(creator: CreatorInternals, label: string): asserts creator is SupportedCreator {
  if (REQUIRED.every((name) => creator[name] !== undefined)) return;
  const text = `this version of @nestjs/core is not supported: ${label} cannot be called with its enhancers`;
  throw new StateError('UNSUPPORTED_NEST', text);
}

/** What the creator finds from now on. */
export function watched(creator: SupportedCreator): FoundEnhancers {
  const found: FoundEnhancers = { canActivate: null, interceptors: [], pipes: [], parameters: [] };
  const { createGuardsFn, interceptorsContextCreator } = creator;
  creator.createGuardsFn = (...of) => {
    found.canActivate = createGuardsFn.call(creator, ...of);
    return found.canActivate;
  };
  creator.createPipesFn = (pipes, parameters) => {
    found.pipes = pipes;
    found.parameters = parameters;
  };
  creator.interceptorsContextCreator = Object.create(interceptorsContextCreator, {
    create: {
      value: (...of: readonly unknown[]) => {
        found.interceptors = interceptorsContextCreator.create(...of);
        return found.interceptors;
      },
    },
  });
  return found;
}

/** Lets the creator find no global enhancers. */
export function leaveOutGlobal(creator: SupportedCreator): void {
  for (const name of FINDERS) {
    creator[name] = Object.create(creator[name], { getGlobalMetadata: { value: () => [] } });
  }
}
