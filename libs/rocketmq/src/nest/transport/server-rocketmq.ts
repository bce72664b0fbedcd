// The transport strategy as Nest sees it. The runtime of a connection runs its handlers, the same as for listeners.

import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { distinctUntilChanged, type Observable, ReplaySubject } from 'rxjs';
import type { PushConsumer } from '../../consumer/push-consumer.js';
import { StateError } from '../../support/errors.js';
import { rocketMQTransport } from '../common/pattern.js';
import type { CheckedOptions } from '../runtime/module-options.js';
import { loggingFailure } from '../runtime/not-running.js';
import type { PatternRuntime, ServerRocketMQStatus } from '../runtime/pattern-runtime.js';
import type { RocketMQRuntime } from '../runtime/rocketmq-runtime.js';
import type { GlobalsWatch } from './globals-watch.js';
import { checkServerOptions, openRuntime, type ServerRocketMQOptions, standaloneRuntime } from './own-server.js';

/** The key under which the extras of handlers name the application that adopts their server (Nest 10). */
export const ADOPT = Symbol.for('nestjs-rocketmq.adopt');

/** Members of Nest's server that not every version has. */
interface ProcessingHooks {
  onProcessingStartHook(transport: unknown, context: object, done: () => Promise<void>): void;
  onProcessingEndHook(transport: unknown, context: object): void;
}

/**
 * Handlers with `@EventPattern` and `@MessagePattern` on RocketMQ:
 * `app.connectMicroservice({ strategy: app.get(ServerRocketMQ) })`. A pattern is `topic` or `topic:tag`; pass the other options of
 * `@RocketMQListener` as the third argument of the decorator. Handlers work like listeners: the same consumers, the
 * same outcomes by the original error, the same shutdown; only `context.getType()` is `'rpc'`.
 *
 * Created with `new` and options, it has a connection of its own. An application that imports `RocketMQModule` adopts it: it starts and shuts
 * down with the module. In an application without the module it works with limitations, which it logs as a warning.
 */
export class ServerRocketMQ extends Server implements CustomTransportStrategy {
  /** @internal created with `new`: the options of a connection of its own */
  readonly ownOptions: CheckedOptions | undefined;
  private readonly statuses = new ReplaySubject<ServerRocketMQStatus>(1);
  private runtime: PatternRuntime | undefined;
  /** Undefined unless it runs without an application that has adopted it. */
  private alone: RocketMQRuntime | undefined;
  private globals: GlobalsWatch | undefined;
  private readsBefore = 0;
  /** @internal the server that Nest knows, where it is another one */
  actual: ServerRocketMQ = this;
  /** @internal whether its handlers are part of the plan */
  wasPlanned = false;
  private built: 'with globals' | 'without' | undefined;

  /**
   * Prefer `app.get(ServerRocketMQ)` in an application that imports RocketMQModule.
   * @param options of a connection of its own, as `RocketMQModule.forRoot()` takes them. Default: the connection of the
   *   application's RocketMQModule
   * @throws UsageError that names the option
   */
  constructor(options?: ServerRocketMQOptions) {
    super();
    this.ownOptions = options && checkServerOptions(options);
    this.useTransport(rocketMQTransport());
  }

  /** @internal the server of a connection of the module */
  static ofConnection(connection: string | undefined, globals: GlobalsWatch): ServerRocketMQ {
    const server = new ServerRocketMQ();
    server.globals = globals;
    server.useTransport(rocketMQTransport(connection));
    return server;
  }

  /** @internal sets the runtime that runs it */
  attach(runtime: PatternRuntime): void {
    this.runtime = runtime;
  }

  /** @internal whether it has a runtime */
  get isAttached(): boolean {
    return this.runtime !== undefined;
  }

  /** @internal whether it is connected to the application: whether Nest has registered handlers */
  get isConnected(): boolean {
    return this.messageHandlers.size > 0;
  }

  /** @internal whether global enhancers apply to its handlers; undefined: not detected */
  get takesGlobals(): boolean | undefined {
    return this.built === undefined ? undefined : this.built === 'with globals';
  }

  /** Emits the current status and each later one. */
  override get status(): Observable<ServerRocketMQStatus> {
    return this.statuses.pipe(distinctUntilChanged());
  }

  /** Calls back at each later change to this status. */
  // biome-ignore lint/complexity/noBannedTypes: Nest's own signature
  on(event: string, callback: Function): void {
    this.statuses.subscribe((status) => {
      if (status === event) callback();
    });
  }

  /** The consumers of its handlers (`PushConsumer` of `nestjs-rocketmq/client`). @throws StateError before the start */
  unwrap<T = readonly PushConsumer[]>(): T {
    return this.running().patternConsumers() as T;
  }

  /** @internal Nest registers a handler. The method itself is called instead, so that its original error is known. */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    const readsGlobals = this.globals !== undefined && this.globals.count > this.readsBefore;
    if (readsGlobals) this.built = 'with globals';
    else if (this.globals !== undefined) this.built ??= 'without';
    super.addHandler(pattern, callback, isEventHandler, extras);
    if (this.runtime === undefined) (extras as { readonly [ADOPT]?: (server: ServerRocketMQ) => void })[ADOPT]?.(this);
  }

  /** Starts to receive, after every `onApplicationBootstrap` at the earliest. */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      if (this.runtime === undefined && this.ownOptions !== undefined) await this.openAlone(this.ownOptions);
      const runtime = this.running();
      await loggingFailure(runtime.options.logger, () => runtime.startPatterns(), 'microservice');
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  /** Stops receiving, and waits for running handlers. */
  async close(): Promise<void> {
    await this.runtime?.stopPatterns();
    await this.alone?.close();
  }

  /** @internal runs a handler between the hooks of the server's observers (`setOnProcessingStartHook`, from Nest 11 on) */
  around(context: object, run: () => Promise<unknown>): Promise<unknown> {
    const { onProcessingStartHook: start, onProcessingEndHook: end } = this as unknown as Partial<ProcessingHooks>;
    if (start === undefined) return run();
    return new Promise((resolve, reject) => {
      const done = async (): Promise<void> => {
        await run()
          .finally(() => end?.call(this, this.transportId, context))
          .then(resolve, reject);
      };
      start.call(this, this.transportId, context, done);
    });
  }

  /** @internal */
  report(status: ServerRocketMQStatus): void {
    this.statuses.next(status);
    if (status === 'closed') this.statuses.complete();
  }

  private async openAlone(options: CheckedOptions): Promise<void> {
    options.logger.warn(
      'this application does not import RocketMQModule, so ServerRocketMQ shuts down after other modules have closed what its handlers ' +
        'use, starts at once when listen() is called before app.init(), and sees errors only as exception filters return them; import ' +
        'RocketMQModule',
    );
    const alone = standaloneRuntime(this, options);
    this.alone = alone;
    this.runtime = alone;
    await loggingFailure(options.logger, async () => {
      await openRuntime(alone, options);
      await alone.listen();
    });
  }

  /** Nest reads the transport right before it builds a handler. */
  private useTransport(transport: symbol): void {
    let current = transport;
    Object.defineProperty(this, 'transportId', {
      configurable: true,
      enumerable: true,
      get: () => {
        this.readsBefore = this.globals?.count ?? 0;
        return current;
      },
      set: (given: symbol) => {
        current = given;
      },
    });
  }

  private running(): PatternRuntime {
    if (this.runtime !== undefined) return this.runtime;
    const text =
      'this ServerRocketMQ belongs to no connection; use app.get(ServerRocketMQ) of an application that imports RocketMQModule, ' +
      'or pass the options of a connection of its own to new ServerRocketMQ()';
    throw new StateError('NOT_CONNECTED', text);
  }
}
