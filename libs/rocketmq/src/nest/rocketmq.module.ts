// The module: options in, producer out, and the hooks of the application's life.

import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import { UsageError } from '../support/errors.js';
import { HandlerInvoker } from './handler-invoker.js';
import { type CheckedOptions, checkOptions } from './module-options.js';
import { NestCalls } from './nest-call.js';
import { OPTIONS, TRANSACTIONS } from './rocketmq.constants.js';
import { explore } from './rocketmq.explorer.js';
import type {
  RocketMQModuleAsyncOptions,
  RocketMQModuleOptions,
  RocketMQModuleScope,
  RocketMQOptionsFactory,
} from './rocketmq.interfaces.js';
import { RocketMQListeners } from './rocketmq-listeners.js';
import { RocketMQProducer } from './rocketmq-producer.js';
import { RocketMQRuntime } from './rocketmq-runtime.js';

/** Nest calls the hooks of modules in the order of this number, which it reads once, before the first hook. */
function setDistance(modules: ModulesContainer, type: Type, distance: number): void {
  for (const module of modules.values()) {
    if (module.metatype === type) module.distance = distance;
  }
}

/**
 * Holds the producer. Its hooks come before those of all other modules at start, so that everybody can send in theirs; at
 * the end it closes what sends in the last phase of the shutdown.
 */
@Module({})
export class RocketMQCoreModule implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(RocketMQRuntime) private readonly runtime: RocketMQRuntime,
  ) {
    // Greater than that of every global module.
    setDistance(modules, RocketMQCoreModule, Number.POSITIVE_INFINITY);
  }

  async onModuleInit(): Promise<void> {
    const copies = [...this.modules.values()].filter(({ metatype }) => metatype === RocketMQCoreModule);
    if (copies.length > 1) {
      const text =
        'RocketMQModule.forRoot() or forRootAsync() is imported more than once; keep it in the root module only';
      throw new UsageError('MODULE_IMPORTED_TWICE', text);
    }
    await this.runtime.open();
  }

  /** Nest 10 destroys the module with the greatest distance first; on later versions the other module was here before. */
  async onModuleDestroy(): Promise<void> {
    await this.runtime.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.runtime.close();
  }
}

/**
 * Starts the listeners after the `onApplicationBootstrap` of all other modules. From Nest 11 on it is also destroyed first, so
 * that handlers end before anything that they use is closed.
 */
@Module({})
export class RocketMQListenersModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(RocketMQRuntime) private readonly runtime: RocketMQRuntime,
  ) {
    setDistance(modules, RocketMQListenersModule, -1);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.runtime.listen();
  }

  async onModuleDestroy(): Promise<void> {
    await this.runtime.drain();
  }
}

const SHARED_PROVIDERS: readonly Provider[] = [
  {
    provide: RocketMQRuntime,
    inject: [OPTIONS, DiscoveryService, ExternalContextCreator, ModulesContainer],
    useFactory: (
      options: CheckedOptions,
      discovery: DiscoveryService,
      creator: ExternalContextCreator,
      modules: ModulesContainer,
    ): RocketMQRuntime => {
      const { codec, logger } = options;
      const invoker = new HandlerInvoker(new NestCalls(creator, modules, logger), codec, logger);
      const runtime: RocketMQRuntime = new RocketMQRuntime(
        options,
        () => explore(discovery, new RocketMQProducer(() => runtime.producer, options)),
        invoker,
      );
      return runtime;
    },
  },
  {
    provide: RocketMQProducer,
    inject: [RocketMQRuntime, OPTIONS],
    useFactory: (runtime: RocketMQRuntime, options: CheckedOptions) =>
      new RocketMQProducer(() => runtime.producer, options),
  },
  {
    provide: RocketMQListeners,
    inject: [RocketMQRuntime],
    useFactory: (runtime: RocketMQRuntime) => new RocketMQListeners(runtime),
  },
  { provide: TRANSACTIONS, useExisting: RocketMQProducer },
];

/**
 * RocketMQ for a Nest application: `RocketMQProducer` to inject, and life for `@RocketMQListener`, `@TransactionalSend` and
 * `@TransactionChecker`. Import it once, in the root module. `Test…compile()` connects nothing; `app.init()` does.
 */
@Module({})
export class RocketMQModule {
  /** @throws UsageError that names the option */
  static forRoot({ isGlobal, ...options }: RocketMQModuleOptions & RocketMQModuleScope): DynamicModule {
    return assemble({ isGlobal }, [{ provide: OPTIONS, useValue: checkOptions(options) }]);
  }

  /** Like {@link forRoot}, with options that providers give. */
  static forRootAsync(options: RocketMQModuleAsyncOptions): DynamicModule {
    return assemble(options, asyncProviders(options));
  }
}

function asyncProviders({ useFactory, useClass, useExisting, inject }: RocketMQModuleAsyncOptions): Provider[] {
  if (useFactory !== undefined) {
    const checked = async (...dependencies: unknown[]): Promise<CheckedOptions> =>
      checkOptions(await useFactory(...dependencies));
    return [{ provide: OPTIONS, inject: inject ?? [], useFactory: checked }];
  }
  const token = useExisting ?? useClass;
  if (token === undefined) {
    const text = 'RocketMQModule.forRootAsync() needs useFactory, useClass or useExisting';
    throw new UsageError('ILLEGAL_OPTION', text, 'useFactory');
  }
  const made = async (factory: RocketMQOptionsFactory): Promise<CheckedOptions> =>
    checkOptions(await factory.createRocketMQOptions());
  const provider: Provider = { provide: OPTIONS, inject: [token], useFactory: made };
  return useExisting === undefined && useClass !== undefined ? [useClass, provider] : [provider];
}

function assemble(scope: Pick<RocketMQModuleAsyncOptions, 'isGlobal' | 'imports'>, options: Provider[]): DynamicModule {
  const core: DynamicModule = {
    module: RocketMQCoreModule,
    global: scope.isGlobal ?? true,
    imports: [DiscoveryModule, ...(scope.imports ?? [])],
    providers: [...options, ...SHARED_PROVIDERS],
    exports: [RocketMQProducer, RocketMQListeners, RocketMQRuntime, TRANSACTIONS],
  };
  const listeners: DynamicModule = { module: RocketMQListenersModule, imports: [core] };
  return { module: RocketMQModule, imports: [core, listeners], exports: [core] };
}
