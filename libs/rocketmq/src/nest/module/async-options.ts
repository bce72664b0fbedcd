// The options of `forRoot` and `forRootAsync` beside those of the connection: their checks, and the providers that create the others.

import type { Provider } from '@nestjs/common';
import {
  anyFunction,
  anyObject,
  assertOptions,
  describe,
  type Fault,
  listWhere,
  nonEmptyString,
  type OptionChecks,
  rejected,
  trueOrFalse,
} from '../../support/options.js';
import { optionsToken } from '../common/rocketmq.constants.js';
import { type CheckedOptions, checkOptions } from '../runtime/module-options.js';
import type {
  RocketMQModuleAsyncOptions,
  RocketMQModuleScope,
  RocketMQOptionsFactory,
} from '../runtime/rocketmq.interfaces.js';

const SCOPE: OptionChecks<RocketMQModuleScope> = { isGlobal: trueOrFalse, name: nonEmptyString };

const ASYNC: OptionChecks<RocketMQModuleAsyncOptions> = {
  ...SCOPE,
  imports: listWhere('modules', () => true),
  useFactory: anyFunction,
  inject: listWhere('providers', () => true),
  useClass: (value) => (typeof value === 'function' ? undefined : `must be a class, not ${describe(value)}`),
  useExisting: (value) =>
    ['function', 'string', 'symbol'].includes(typeof value)
      ? undefined
      : `must be a class, a string or a symbol, not ${describe(value)}`,
};

const ASYNC_WHERE = 'RocketMQModule.forRootAsync(): ';
const SOURCES = ['useFactory', 'useClass', 'useExisting'] as const;

/** @throws UsageError that names the option */
export function assertScope(scope: RocketMQModuleScope): void {
  assertOptions(scope, { options: SCOPE }, 'RocketMQModule: ');
}

/** @throws UsageError that names the option: an unknown one, an invalid value, no source of the options or several */
export function assertAsyncOptions(options: RocketMQModuleAsyncOptions): void {
  assertOptions(options, { options: ASYNC, together: sourceFault }, ASYNC_WHERE);
}

function sourceFault(options: RocketMQModuleAsyncOptions): Fault | undefined {
  const [source, other] = SOURCES.filter((name) => options[name] !== undefined);
  if (source === undefined)
    return { field: 'useFactory', problem: 'is missing; set useFactory, useClass or useExisting' };
  if (other !== undefined) return { field: other, problem: `cannot be combined with ${source}; set one of them` };
  if (options.inject === undefined || source === 'useFactory') return undefined;
  return { field: 'inject', problem: `is for useFactory only; ${source} injects into its constructor` };
}

/** Provide the checked options of the connection. */
export function asyncProviders({
  name,
  useFactory,
  useClass,
  useExisting,
  inject = [],
}: RocketMQModuleAsyncOptions): Provider[] {
  const provide = optionsToken(name);
  if (useFactory !== undefined) {
    const created = async (...dependencies: unknown[]): Promise<CheckedOptions> =>
      returned(await useFactory(...dependencies), 'useFactory', name);
    return [{ provide, inject, useFactory: created }];
  }
  const source = useClass === undefined ? 'useExisting' : 'useClass';
  const token = useExisting ?? useClass;
  if (token === undefined) return [];
  const created = async (factory: RocketMQOptionsFactory | null | undefined): Promise<CheckedOptions> => {
    if (typeof factory?.createRocketMQOptions === 'function') {
      return returned(await factory.createRocketMQOptions(), source, name);
    }
    const which = typeof token === 'function' ? token.name : String(token);
    throw rejected(source, `${which} has no method createRocketMQOptions()`, ASYNC_WHERE);
  };
  const provider: Provider = { provide, inject: [token], useFactory: created };
  return useClass === undefined ? [provider] : [useClass, provider];
}

/** @throws UsageError that says what returned no options, and for which connection */
function returned(options: unknown, source: (typeof SOURCES)[number], name: string | undefined): CheckedOptions {
  if (anyObject(options) === undefined) return checkOptions(options as CheckedOptions);
  const connection = name === undefined ? 'the connection without a name' : `connection "${name}"`;
  const problem = `returned ${describe(options)} for ${connection}; it must return the options of RocketMQModule`;
  throw rejected(source, problem, ASYNC_WHERE);
}
