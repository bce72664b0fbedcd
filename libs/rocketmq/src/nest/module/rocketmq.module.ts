// The module: takes the options, provides the producer, and runs the lifecycle hooks.
// Over 300 lines: `forRoot` and `forRootAsync` with the three modules that they assemble.

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
import { DiscoveryModule, DiscoveryService, ExternalContextCreator, ModuleRef, ModulesContainer } from '@nestjs/core';
import { AdminAccess, whoInjectsAdmin } from '../cluster/admin-access.js';
import {
  adminAccessToken,
  familyToken,
  OWN_EVENTS,
  OWN_NAME,
  OWN_RUNTIME,
  OWN_RUNTIME_FAMILY,
  optionsToken,
  runtimeToken,
  transactionsToken,
  wireToken,
} from '../common/rocketmq.constants.js';
import { RocketMQEvents } from '../events/rocketmq-events.js';
import { RocketMQListeners } from '../events/rocketmq-listeners.js';
import { RocketMQHealth } from '../health/rocketmq-health.js';
import { HandlerInvoker } from '../listening/handler-invoker.js';
import { NestCalls } from '../listening/nest-call.js';
import { controllerHosts, controllerPrototypes, explore, giveLogger } from '../listening/rocketmq.explorer.js';
import type { MessageWire } from '../messages/message-body.js';
import { MessageHooks } from '../messages/message-hooks.js';
import { type CheckedOptions, checkOptions } from '../runtime/module-options.js';
import type {
  RocketMQModuleAsyncOptions,
  RocketMQModuleOptions,
  RocketMQModuleScope,
} from '../runtime/rocketmq.interfaces.js';
import { RocketMQRuntime } from '../runtime/rocketmq-runtime.js';
import { RocketMQRequester } from '../sending/requester.js';
import { RocketMQProducer } from '../sending/rocketmq-producer.js';
import { familiesIn, onConnected, takenIn } from '../transport/adoption.js';
import { configOf, GlobalsWatch } from '../transport/globals-watch.js';
import { type Adopter, adoptedRuntime } from '../transport/own-server.js';
import { withPatterns, withUnconnected } from '../transport/pattern-handlers.js';
import { RuntimeFamily } from '../transport/runtime-family.js';
import { ServerRocketMQ } from '../transport/server-rocketmq.js';
import { assertAsyncOptions, assertScope, asyncProviders } from './async-options.js';
import {
  getRocketMQAdminToken,
  getRocketMQClientToken,
  getRocketMQEventsToken,
  getRocketMQHealthToken,
  getRocketMQListenersToken,
  getRocketMQProducerToken,
  getRocketMQRequesterToken,
  getRocketMQServerToken,
} from './injection.decorators.js';
import { RocketMQClient } from './rocketmq-client.js';

/** Nest calls the hooks of modules in the order of their distance, which it reads once, before the first hook. */
function setDistance(modules: ModulesContainer, type: Type, distance: number): void {
  for (const module of modules.values()) {
    if (module.metatype === type) module.distance = distance;
  }
}

/**
 * Holds the producer. At startup its hooks run before those of all other modules, so that those can already send. In the
 * last phase of the shutdown one of the two modules here runs after all others and closes the producer: this one from Nest 11 on.
 */
@Module({})
class RocketMQCoreModule implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  constructor(
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(OWN_RUNTIME) private readonly runtime: RocketMQRuntime,
    @Inject(OWN_RUNTIME_FAMILY) private readonly family: RuntimeFamily,
    @Inject(OWN_EVENTS) events: RocketMQEvents,
    @Inject(DiscoveryService) discovery: DiscoveryService,
    @Inject(ExternalContextCreator) creator: ExternalContextCreator,
    @Inject(ModuleRef) moduleRef: ModuleRef,
  ) {
    // Greater than the distance of every global module.
    setDistance(modules, RocketMQCoreModule, Number.POSITIVE_INFINITY);
    const findHook: Adopter['findHook'] = (type) => moduleRef.get(type, { strict: false });
    onConnected(
      modules,
      () => controllerPrototypes(discovery),
      (server) => {
        const { ownOptions } = server;
        // On Nest 10 the controller classes still refer to an application that has shut down.
        if (server.isAttached || this.runtime.phase === 'closed') return;
        if (ownOptions === undefined) {
          this.family.replace(server);
          return;
        }
        const calls = new NestCalls(creator, modules, ownOptions.logger);
        this.family.adopt(server, adoptedRuntime(server, ownOptions, { discovery, calls, findHook, events }));
      },
    );
  }

  async onModuleInit(): Promise<void> {
    await this.family.open();
  }

  /** Nest 10 destroys the module with the greatest distance first; on later versions the other module has drained before. */
  async onModuleDestroy(): Promise<void> {
    await this.family.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.family.closeWith('core');
  }
}

/**
 * Starts the listeners after the `onApplicationBootstrap` of all other modules. From Nest 11 on it is also destroyed first, so
 * that handlers end before anything that they use is closed.
 */
@Module({})
class RocketMQListenersModule implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  constructor(
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(OWN_RUNTIME_FAMILY) private readonly family: RuntimeFamily,
  ) {
    setDistance(modules, RocketMQListenersModule, -1);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.family.listen();
  }

  async onModuleDestroy(): Promise<void> {
    await this.family.drain();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.family.closeWith('listeners');
  }
}

/** The providers of every connection. */
function providersOf(name: string | undefined): Provider[] {
  return [
    { provide: OWN_NAME, useValue: name ?? null },
    { provide: OWN_RUNTIME, useExisting: runtimeToken(name) },
    { provide: OWN_RUNTIME_FAMILY, useExisting: familyToken(name) },
    { provide: OWN_EVENTS, useExisting: getRocketMQEventsToken(name) },
    {
      provide: wireToken(name),
      inject: [optionsToken(name), ModuleRef],
      useFactory: ({ codec, names, hooks = [] }: CheckedOptions, moduleRef: ModuleRef) => {
        return { codec, names, hooks: new MessageHooks(hooks, (type) => moduleRef.get(type, { strict: false })) };
      },
    },
    {
      provide: adminAccessToken(name),
      inject: [optionsToken(name)],
      useFactory: (options: CheckedOptions) => new AdminAccess(options),
    },
    {
      provide: getRocketMQServerToken(name),
      inject: [ExternalContextCreator],
      useFactory: (creator: ExternalContextCreator) =>
        ServerRocketMQ.ofConnection(name, new GlobalsWatch(configOf(creator))),
    },
    {
      provide: getRocketMQEventsToken(name),
      inject: [optionsToken(name)],
      useFactory: ({ logger }: CheckedOptions) => new RocketMQEvents(name, logger),
    },
    {
      provide: runtimeToken(name),
      inject: [
        optionsToken(name),
        wireToken(name),
        adminAccessToken(name),
        getRocketMQEventsToken(name),
        getRocketMQServerToken(name),
        DiscoveryService,
        ExternalContextCreator,
        ModulesContainer,
      ],
      useFactory: (
        options: CheckedOptions,
        wire: MessageWire & { readonly hooks: MessageHooks },
        admin: AdminAccess,
        events: RocketMQEvents,
        server: ServerRocketMQ,
        discovery: DiscoveryService,
        creator: ExternalContextCreator,
        modules: ModulesContainer,
      ) => {
        const { logger } = options;
        const invoker = new HandlerInvoker(new NestCalls(creator, modules, logger), wire, logger);
        const discover = () => {
          giveLogger(discovery, logger);
          const controllers = controllerHosts(discovery);
          const found = withPatterns(explore(discovery, name), controllers, server.actual);
          if (options.consumers === false) return found;
          return withUnconnected(found, controllers, name, takenIn(modules), options.defaults?.enabled !== false);
        };
        const runtime = new RocketMQRuntime({
          options,
          hooks: wire.hooks,
          admin,
          events,
          invoker,
          wire,
          discover,
          get server() {
            return server.actual;
          },
        });
        server.attach(runtime);
        return runtime;
      },
    },
    {
      provide: familyToken(name),
      inject: [runtimeToken(name), getRocketMQServerToken(name), getRocketMQProducerToken(name), ModulesContainer],
      useFactory: (
        head: RocketMQRuntime,
        server: ServerRocketMQ,
        producer: RocketMQProducer,
        modules: ModulesContainer,
      ) => new RuntimeFamily({ name, head, server, producer, connections: () => familiesIn(modules) }),
    },
    ...injectablesOf(name),
  ];
}

/** The providers that applications inject. */
function injectablesOf(name: string | undefined): Provider[] {
  const runtime = runtimeToken(name);
  return [
    {
      provide: getRocketMQProducerToken(name),
      inject: [runtime, wireToken(name), getRocketMQRequesterToken(name)],
      useFactory: (port: RocketMQRuntime, wire: MessageWire, requester: RocketMQRequester) =>
        new RocketMQProducer(() => port.sending(), wire, requester),
    },
    {
      provide: getRocketMQListenersToken(name),
      inject: [runtime, getRocketMQEventsToken(name)],
      useFactory: (port: RocketMQRuntime, events: RocketMQEvents) => new RocketMQListeners(port, events),
    },
    {
      provide: getRocketMQHealthToken(name),
      inject: [familyToken(name)],
      useFactory: (family: RuntimeFamily) => new RocketMQHealth(name, () => family.all()),
    },
    {
      provide: getRocketMQClientToken(name),
      inject: [runtime, optionsToken(name)],
      useFactory: (port: RocketMQRuntime, { target }: CheckedOptions) => new RocketMQClient(target.kind, port),
    },
    {
      provide: getRocketMQRequesterToken(name),
      inject: [runtime, wireToken(name), optionsToken(name)],
      useFactory: (port: RocketMQRuntime, wire: MessageWire, { logger }: CheckedOptions) =>
        new RocketMQRequester(port, wire, logger),
    },
    {
      provide: getRocketMQAdminToken(name),
      inject: [adminAccessToken(name), ModulesContainer],
      useFactory: (access: AdminAccess, modules: ModulesContainer) =>
        access.injected(whoInjectsAdmin(modules, name, getRocketMQAdminToken(name))),
    },
    { provide: transactionsToken(name), useExisting: getRocketMQProducerToken(name) },
  ];
}

/**
 * RocketMQ for a Nest application: provides `RocketMQProducer` and runs the methods with `@RocketMQListener`, `@TransactionalSend`
 * and `@TransactionChecker`. Import it once for each connection, in the root module. `Test…compile()` does not connect;
 * `app.init()` does.
 */
@Module({})
export class RocketMQModule {
  /** @throws UsageError that names the option */
  static forRoot(given: RocketMQModuleOptions & RocketMQModuleScope): DynamicModule {
    const { isGlobal, name, ...options } = { ...given };
    assertScope({ isGlobal, name });
    return assemble({ isGlobal, name }, [{ provide: optionsToken(name), useValue: checkOptions(options) }]);
  }

  /** Like {@link forRoot}, with options from providers; `name` and `isGlobal` are set beside the factory. */
  static forRootAsync(options: RocketMQModuleAsyncOptions): DynamicModule {
    assertAsyncOptions(options);
    return assemble(options, asyncProviders(options));
  }
}

type Scope = Pick<RocketMQModuleAsyncOptions, 'isGlobal' | 'imports' | 'name'>;

/** The tokens of the providers that applications inject. */
const INJECTABLES = [
  getRocketMQProducerToken,
  getRocketMQListenersToken,
  getRocketMQClientToken,
  getRocketMQAdminToken,
  getRocketMQRequesterToken,
  getRocketMQServerToken,
  getRocketMQEventsToken,
  getRocketMQHealthToken,
] as const;

function assemble({ name, isGlobal = true, imports = [] }: Scope, options: Provider[]): DynamicModule {
  const injectables = INJECTABLES.map((token) => token(name));
  const core: DynamicModule = {
    module: RocketMQCoreModule,
    global: isGlobal,
    imports: [DiscoveryModule, ...imports],
    providers: [...options, ...providersOf(name)],
    exports: [
      ...injectables,
      runtimeToken(name),
      familyToken(name),
      wireToken(name),
      adminAccessToken(name),
      transactionsToken(name),
    ],
  };
  const listeners: DynamicModule = {
    module: RocketMQListenersModule,
    imports: [core],
    providers: [{ provide: OWN_RUNTIME_FAMILY, useExisting: familyToken(name) }],
  };
  return { module: RocketMQModule, imports: [core, listeners], exports: [core] };
}
