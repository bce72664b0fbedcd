// The console in a Nest application: one controller, so that the application's guards, prefix and versions apply as to its own.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import {
  type CanActivate,
  Controller,
  type DynamicModule,
  Get,
  Inject,
  Logger,
  Module,
  type NestModule,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  Req,
  Res,
  SetMetadata,
  type Type,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { HttpAdapterHost, ModuleRef, Reflector } from '@nestjs/core';
import {
  getRocketMQAdminToken,
  getRocketMQClientToken,
  getRocketMQEventsToken,
  getRocketMQHealthToken,
  getRocketMQListenersToken,
  type RocketMQClient,
  type RocketMQEvents,
  type RocketMQHealth,
  type RocketMQListeners,
} from 'nestjs-rocketmq';
import type { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { ControlClient, type ControlClientOptions } from 'nestjs-rocketmq/broker';
import type { ConsoleOptions } from '../access/options.js';
import { Console } from '../console.js';
import { type ConsoleAnswer, ConsoleRejection, type ConsoleRequest, rejectionAnswer } from '../http/exchange.js';
import { assertLoopback, assertNotForwarded } from '../http/guard.js';
import { requestOf, respond } from '../http/node-exchange.js';
import type { ConsoleApplication, ConsoleSchedule, ConsoleSource } from '../source.js';
import { applicationOf } from './application.js';
import { placeOf } from './place.js';
import { ScheduleFinder } from './schedule.js';
import { ConsoleSender } from './sender.js';

/** The options of `RocketMQConsoleModule.forRoot()`. */
export interface RocketMQConsoleModuleOptions extends ConsoleOptions {
  /** Where the console is mounted, below the global prefix. Default: `rocketmq`. */
  readonly path?: string;
  /** Who may open it, as `@UseGuards()`. Default: none; it then answers only on this machine, and not in production. */
  readonly guards?: readonly (Type<CanActivate> | CanActivate)[];
  /**
   * `by-application`: something before the console decides who may open it, such as a global guard or a proxy. Default: `guards` must be set
   * in production (`NODE_ENV=production`).
   */
  readonly access?: 'by-application';
  /** Who asks, from the request of Express or Fastify, for plans and the audit. Default: unknown. */
  // biome-ignore lint/suspicious/noExplicitAny: the request of the framework, with what guards add to it
  readonly viewer?: (request: any) => string | undefined | Promise<string | undefined>;
  /** The name of the connection of `RocketMQModule`. Default: the one without a name. */
  readonly connection?: string;
  /** The control port of an embedded broker in another process. Default: that of `embedded:`, otherwise none. */
  readonly control?: ControlClientOptions;
  /**
   * The schedule of the application and its database, found among its providers when it starts:
   * `(app) => ({ schedule: app.get(Schedule, { strict: false }), database: app.get(PGlite, { strict: false }) })`. Default: none, and then there
   * is no page of it.
   */
  readonly schedule?: (app: ModuleRef) => ConsoleSchedule | Promise<ConsoleSchedule>;
  /** Shown above every page. Default: `RocketMQ`. */
  readonly title?: string;
}

/** What Express and Fastify put around Node's request: both carry it as `raw`, or are it. */
interface FrameworkRequest extends IncomingMessage {
  readonly raw?: IncomingMessage;
  /** Express: with what a router has cut off. */
  readonly originalUrl?: string;
  readonly body?: unknown;
  readonly params: Readonly<Record<string, string | undefined>>;
  /** Express: its settings. */
  readonly app?: { get(setting: string): unknown };
  /** Fastify 5: that of a proxy which it trusts, otherwise `Host`. */
  readonly host?: string;
  /** Fastify 4: the same. */
  readonly hostname?: string;
}

interface FrameworkResponse extends ServerResponse {
  readonly raw?: ServerResponse;
  /** Fastify: it is answered here, not by the framework. */
  hijack?(): void;
}

interface HostParts {
  readonly admin: RocketMQAdmin;
  readonly client: RocketMQClient;
  readonly application: ConsoleApplication;
  readonly app: ModuleRef;
}

class ConsoleHost implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly console: Console;
  private readonly isOpen: boolean;
  private readonly sender: ConsoleSender;
  private readonly logger = new Logger('RocketMQConsole');
  private readonly viewer: RocketMQConsoleModuleOptions['viewer'];
  private readonly schedule: ScheduleFinder | undefined;

  /** @param options not kept: whoever prints the application would see the key of its control port */
  constructor(
    options: RocketMQConsoleModuleOptions,
    private readonly parts: HostParts,
  ) {
    const { guards = [], access, path, connection, control, viewer, schedule, title, ...others } = options;
    this.viewer = viewer;
    this.schedule = schedule && new ScheduleFinder(schedule);
    this.isOpen = guards.length > 0 || access === 'by-application';
    if (!this.isOpen && process.env.NODE_ENV === 'production')
      throw new Error(
        "RocketMQConsoleModule: in production set guards, or access: 'by-application' where something before the console decides who may open it",
      );
    const { admin, application, client } = parts;
    this.sender = new ConsoleSender(() => client.connection);
    const controls = controlOf(control, client);
    const source: ConsoleSource = {
      admin,
      title,
      kind: controls === undefined ? 'cluster' : 'embedded',
      application,
      control: controls,
      send: this.sender.send,
      schedule: this.schedule?.get,
      nowMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      log: (line) => this.logger.log(line),
    };
    this.console = new Console(source, others);
  }

  /** Never throws: the framework cannot answer any more. */
  async answer(request: FrameworkRequest, response: FrameworkResponse): Promise<void> {
    const raw = { request: request.raw ?? request, response: response.raw ?? response };
    response.hijack?.();
    try {
      const place = placeOf(request.originalUrl ?? raw.request.url ?? '', partsIn(request));
      const host = hostOf(request, raw.request);
      const own = requestOf(raw.request, raw.response, { ...place, viewer: undefined, host, parsed: request.body });
      await respond(raw.response, await this.answered(own, request), own.signal);
    } catch (error) {
      this.logger.error(error instanceof Error ? error.stack : String(error));
      raw.response.destroy();
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.schedule?.start(this.parts.app);
  }

  async onModuleDestroy(): Promise<void> {
    this.console.close();
    this.parts.application.close();
    await this.sender.close();
  }

  private async answered(own: ConsoleRequest, request: FrameworkRequest): Promise<ConsoleAnswer> {
    try {
      if (!this.isOpen) {
        assertLoopback(own);
        assertNotForwarded(own);
      }
      return await this.console.answer({ ...own, viewer: await this.viewerOf(request) });
    } catch (error) {
      if (error instanceof ConsoleRejection) return rejectionAnswer(error);
      throw error;
    }
  }

  /** @throws ConsoleRejection when the application cannot say */
  private async viewerOf(request: FrameworkRequest): Promise<string | undefined> {
    try {
      const viewer: unknown = await this.viewer?.(request);
      if (viewer === undefined || viewer === null) return undefined;
      if (typeof viewer === 'string') return viewer;
      throw new TypeError(`it returned ${typeof viewer}, not a string`);
    } catch (error) {
      this.logger.error(`option viewer of the console failed: ${error instanceof Error ? error.stack : String(error)}`);
      const text = 'who you are could not be found out, the log of the application says why; nothing was changed';
      throw new ConsoleRejection(500, 'NO_VIEWER', text);
    }
  }
}

function controlOf(options: ControlClientOptions | undefined, client: RocketMQClient): ConsoleSource['control'] {
  if (options !== undefined) {
    const control = new ControlClient(options);
    return () => control;
  }
  if (client.target !== 'embedded') return undefined;
  return () => {
    const { control } = client;
    if (control === undefined) throw new Error('the embedded broker has no control');
    return control;
  };
}

const CONSOLE_PLACE = Symbol('where the RocketMQ console is mounted');

interface ConsolePlace {
  readonly path: string;
  readonly connection: string | undefined;
}

/** Mounts the console: `RocketMQConsoleModule.forRoot({ guards: [AdminGuard] })` beside `RocketMQModule.forRoot(...)`. */
@Module({})
export class RocketMQConsoleModule implements NestModule {
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(CONSOLE_PLACE) private readonly place: ConsolePlace,
  ) {}

  /** @internal Called by Nest before it registers routes. */
  configure(): void {
    answerBelow(this.host.httpAdapter, this.place);
  }

  /** @throws TypeError for an option that is wrong, when the application starts; Error in production without guards */
  static forRoot(options: RocketMQConsoleModuleOptions = {}): DynamicModule {
    const { path = 'rocketmq', guards = [], connection } = options;
    if (typeof path !== 'string' || !/^\/?[\w.~-]+(\/[\w.~-]+)*\/?$/.test(path))
      throw new TypeError(
        `option path of the console must be a path such as "rocketmq", not ${JSON.stringify(path)}: its pages would hide those of the application`,
      );
    const place: ConsolePlace = { path, connection };
    return {
      module: RocketMQConsoleModule,
      controllers: [controllerAt(place, guards)],
      providers: [
        // Nest 10 takes two modules for one unless what they provide differs.
        { provide: CONSOLE_PLACE, useValue: place },
        {
          provide: ConsoleHost,
          inject: [
            getRocketMQAdminToken(connection),
            getRocketMQClientToken(connection),
            getRocketMQListenersToken(connection),
            getRocketMQHealthToken(connection),
            getRocketMQEventsToken(connection),
            ModuleRef,
          ],
          useFactory: (
            admin: RocketMQAdmin,
            client: RocketMQClient,
            listeners: RocketMQListeners,
            health: RocketMQHealth,
            events: RocketMQEvents,
            app: ModuleRef,
          ) => {
            const application = applicationOf({ listeners, health, events });
            return new ConsoleHost(options, { admin, client, application, app });
          },
        },
      ],
    };
  }
}

/** As `@ApiExcludeController()` of @nestjs/swagger: the pages are not part of the application's API. */
const EXCLUDED_FROM_SWAGGER = 'swagger/apiExcludeController';

const PARTS = ['a', 'b', 'c', 'd', 'e'] as const;

/**
 * Below the path of the console. Wildcards are written differently in Nest 10 and 11, and by Express and Fastify. Fastify distinguishes the address
 * with a slash.
 */
const PATHS = ['/', '/:a', '/:a/:b', '/:a/:b/:c', '/:a/:b/:c/:d', '/:a/:b/:c/:d/:e'];

/** The metadata by which the route that Nest knows of a console is found. Its value is the place of the console. */
const OWN_ROUTE = 'nestjs-rocketmq-console/route';

type Register = (path: string, ...handlers: (() => unknown)[]) => unknown;

/** Express or Fastify, as Nest registers routes with it. */
interface RouteRegister {
  get: Register;
  readonly post: Register;
}

/**
 * Lets the route of a console answer below its address, too. Nest would log a line for each of these routes. The handler is the one that Nest has
 * created for the route, with its guards, and the path has its prefix and version.
 */
function answerBelow(register: RouteRegister, place: object): void {
  const get = register.get.bind(register);
  const reflector = new Reflector();
  register.get = (path, ...handlers) => {
    const registered = get(path, ...handlers);
    const [handler] = handlers;
    // An application may register routes of its own here, in each form that Express or Fastify takes.
    if (typeof handler !== 'function' || reflector.get(OWN_ROUTE, handler) !== place) return registered;
    for (const below of PATHS) {
      get(path + below, handler);
      register.post(path + below, handler);
    }
    return registered;
  };
}

/** A class of its own for each mount, since the path and the guards of a controller belong to its class. */
function controllerAt(place: ConsolePlace, guards: readonly (Type<CanActivate> | CanActivate)[]): Type {
  @Controller({ path: place.path, version: VERSION_NEUTRAL })
  @SetMetadata(EXCLUDED_FROM_SWAGGER, [true])
  @UseGuards(...guards)
  class RocketMQConsoleController {
    constructor(@Inject(ConsoleHost) private readonly host: ConsoleHost) {}

    @Get()
    @SetMetadata(OWN_ROUTE, place)
    async answer(@Req() request: FrameworkRequest, @Res() response: FrameworkResponse): Promise<void> {
      await this.host.answer(request, response);
    }
  }
  return RocketMQConsoleController;
}

/**
 * The host that the browser asked for. Whether a proxy may say so is a setting of the application: `trust proxy` of Express, `trustProxy` of
 * Fastify.
 */
function hostOf(request: FrameworkRequest, raw: IncomingMessage): string | undefined {
  const { app } = request;
  // Express 4 warns of its own `host` when it is read.
  if (app === undefined) return request.host ?? request.hostname;
  const isTrusted = app.get('trust proxy fn');
  const forwarded = [raw.headers['x-forwarded-host'] ?? []].flat()[0]?.split(',')[0]?.trim();
  if (forwarded && typeof isTrusted === 'function' && isTrusted(raw.socket.remoteAddress, 0) === true) return forwarded;
  return raw.headers.host;
}

/** How many parts of the address belong to the console: what is before them depends on the prefix, and on proxies. */
function partsIn({ params }: FrameworkRequest): number {
  return PARTS.filter((name) => params[name] !== undefined && params[name] !== '').length;
}
