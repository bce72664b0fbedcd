// A ServerRocketMQ created with `new`: it has a connection of its own, and handles the methods of the application that adopts it or,
// without one, the callbacks that Nest registers with a server.

import type { DiscoveryService } from '@nestjs/core';
import type { MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { UsageError } from '../../support/errors.js';
import { AdminAccess } from '../cluster/admin-access.js';
import { HandlerHost, type InstanceWrapper } from '../common/handler-host.js';
import { RocketMQEvents } from '../events/rocketmq-events.js';
import { HandlerInvoker } from '../listening/handler-invoker.js';
import type { NestCalls } from '../listening/nest-call.js';
import {
  controllerHosts,
  type Discovered,
  type FoundListener,
  type PatternHandling,
} from '../listening/rocketmq.explorer.js';
import { MessageHooks } from '../messages/message-hooks.js';
import { type CheckedOptions, checkOptions } from '../runtime/module-options.js';
import type { PatternServer } from '../runtime/pattern-runtime.js';
import type { RocketMQModuleOptions } from '../runtime/rocketmq.interfaces.js';
import { RocketMQRuntime } from '../runtime/rocketmq-runtime.js';
import { RocketMQProducer } from '../sending/rocketmq-producer.js';
import { type PlannedServer, patternListener, withPatterns } from './pattern-handlers.js';

/** A ServerRocketMQ as it is used here. */
type OwnServer = PlannedServer & PatternServer & { getHandlers(): ReadonlyMap<string, MessageHandler> };

/** Options of the module that do not apply to a server. */
const NOT_OURS = ['requests', 'topics', 'transactionLog', 'transactionOwner'] as const;

/** The options of a server with a connection of its own. */
export type ServerRocketMQOptions = Omit<RocketMQModuleOptions, (typeof NOT_OURS)[number]>;

/** What the application that adopts a server provides. */
export interface Adopter {
  /** The events of the connection that adopts it. */
  readonly events: RocketMQEvents;
  readonly discovery: DiscoveryService;
  readonly calls: NestCalls;
  findHook(type: new (...args: never[]) => object): object;
}

/** The discovery of an application without decorated methods. */
export const NOTHING: Discovered = {
  listeners: [],
  checkers: [],
  transactionalSends: [],
  overrides: [],
  elsewhere: [],
  unconnected: [],
};

/** @throws UsageError that names the option */
export function checkServerOptions(options: ServerRocketMQOptions): CheckedOptions {
  const foreign = NOT_OURS.find((field) => field in options);
  if (foreign === undefined) return checkOptions(options);
  const text = `ServerRocketMQ: option ${foreign} does not apply to a server, which only receives; set it in RocketMQModule`;
  throw new UsageError('ILLEGAL_OPTION', text, foreign);
}

/** The runtime of a server in an application that imports RocketMQModule. */
export function adoptedRuntime(server: OwnServer, options: CheckedOptions, adopter: Adopter): RocketMQRuntime {
  const hooks = new MessageHooks(options.hooks ?? [], (type) => adopter.findHook(type));
  const discover = () => withPatterns(NOTHING, controllerHosts(adopter.discovery), server);
  const { calls, events } = adopter;
  return bareRuntime({ server, options, hooks, calls, discover, events, sharesEvents: true }).runtime;
}

/** The runtime of a server in an application without RocketMQModule. */
export function standaloneRuntime(server: OwnServer, options: CheckedOptions): RocketMQRuntime {
  const hooks = new MessageHooks(options.hooks ?? [], (type) => {
    throw new TypeError(`${type.name} is a class; without RocketMQModule, pass an object`);
  });
  const discover = () => ({ ...NOTHING, listeners: listenersOf(server) });
  const events = new RocketMQEvents(undefined, options.logger);
  return bareRuntime({ server, options, hooks, calls: NEST_CALLBACKS, discover, events }).runtime;
}

/** Opens a runtime that is not the module's. @throws as the start of an application */
export async function openRuntime(runtime: RocketMQRuntime, { codec, names }: CheckedOptions): Promise<void> {
  await runtime.open(new RocketMQProducer(() => runtime.sending(), { codec, names }), [undefined]);
}

/** What a runtime that is not the module's is created from. */
interface BareParts {
  readonly server: OwnServer | undefined;
  readonly options: CheckedOptions;
  readonly hooks: MessageHooks;
  readonly calls: Pick<NestCalls, 'bind' | 'isAboutBody' | 'answerOf'>;
  readonly events: RocketMQEvents;
  readonly sharesEvents?: boolean;
  discover(): Discovered;
}

/** A runtime without Nest providers, not open yet, and how it converts messages. */
export function bareRuntime({ calls, ...parts }: BareParts) {
  const { options, hooks } = parts;
  const { codec, names, logger } = options;
  const wire = { codec, names, hooks };
  const invoker = new HandlerInvoker(calls, wire, logger);
  return { wire, runtime: new RocketMQRuntime({ ...parts, admin: new AdminAccess(options), invoker, wire }) };
}

/** Handlers as Nest registered them, each as the only method of a host. */
function listenersOf(server: OwnServer): FoundListener[] {
  server.wasPlanned = true;
  return [...server.getHandlers()].flatMap(([pattern, first]) => {
    const { extras = {}, isEventHandler = false } = first;
    const instance = { [pattern]: first };
    const wrapper = { instance, isDependencyTreeStatic: () => true, isTransient: false } as unknown as InstanceWrapper;
    const host = new HandlerHost(wrapper, { constructor: server.constructor });
    const around: PatternHandling['around'] = (context, run) => server.around(context, run);
    const meaning = { extras, isEvent: isEventHandler, around };
    return patternListener({ host, methodName: pattern }, pattern, meaning);
  });
}

/** Calls the callbacks that Nest registered. An error is what Nest's exception filters made of it. */
const NEST_CALLBACKS: Pick<NestCalls, 'bind' | 'isAboutBody' | 'answerOf'> = {
  bind:
    ({ method }, instance) =>
    async (body, context) => {
      const callback = (instance as Record<string, MessageHandler>)[method.methodName] as MessageHandler;
      try {
        const result: unknown = await callback(body, context);
        return isObservable(result) ? await lastValueFrom(result, { defaultValue: undefined }) : result;
      } catch (error) {
        throw asError(error);
      }
    },
  isAboutBody: () => false,
  answerOf: () => undefined,
};

/** Nest converts errors into `{ status, message }`. */
function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const { message } = (thrown ?? {}) as { readonly message?: unknown };
  return new Error(typeof message === 'string' ? message : 'the handler failed', { cause: thrown });
}
