// `@RocketMQListener`: marks a method as the handler of a topic's messages. rocketmq.explorer.ts finds it.

import { UsageError } from '../../support/errors.js';
import {
  CONTEXT_PARAMETER,
  ENTRY_PROVIDER_METADATA,
  LISTENER_METADATA,
  PAYLOAD_PARAMETER,
  ROUTE_ARGUMENTS_METADATA,
} from '../common/rocketmq.constants.js';
import { type TopicDefinition, type TopicLike, toTopicDefinition } from '../messages/topic-definition.js';
import type { RocketMQListenerOptions } from './listener-settings.js';
import type { RocketMQBatchContext } from './rocketmq-batch-context.js';
import type { RocketMQContext } from './rocketmq-context.js';

/** The metadata of one decorator. */
export interface ListenerMetadata {
  readonly topic: TopicDefinition;
  readonly options: RocketMQListenerOptions;
}

/** Decorates methods that can be called with these parameters and return such a result only. */
export type ListenerDecorator<Parameters extends readonly unknown[], Result = unknown> = <
  Method extends (...parameters: Parameters) => Result,
>(
  target: object,
  propertyKey: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** A listener of one message at a time, whose method takes body and context. */
type OneByOne = RocketMQListenerOptions & { readonly batch?: undefined; readonly parameters?: undefined };
/** A listener of batches, whose method takes bodies and context. */
type OfBatches = RocketMQListenerOptions &
  Required<Pick<RocketMQListenerOptions, 'batch'>> & { readonly parameters?: undefined };
/** A listener whose parameters are made by decorators. */
type OfDecorated = RocketMQListenerOptions & Required<Pick<RocketMQListenerOptions, 'parameters'>>;

/**
 * Handles the messages of a topic. The method is called with `(body, context: RocketMQContext)`, with `batch` as `(bodies, context:
 * RocketMQBatchContext)`; the compiler checks it against the topic, unless the topic is given by its name only. With `parameters:
 * 'decorated'` it is not checked: its parameters are what `@Payload('field')` and the like make of the message. Its promise or
 * observable is awaited: success acknowledges the message; an error retries it later, up to the attempts that
 * the group allows, then it is dead-lettered. Works on any provider or controller, several times in a class, and several
 * times on one method (then each needs a `name`).
 * @throws UsageError when `parameters` is `decorated` and no parameter has a decorator, and for a generator
 */
// biome-ignore-start lint/suspicious/noExplicitAny: a topic given by its name alone has bodies that only the application knows
export function RocketMQListener<Body = any, Input = any>(
  topic: TopicLike<Body, Input>,
  options: OfBatches,
): ListenerDecorator<[bodies: Body[], context: RocketMQBatchContext]>;
export function RocketMQListener<Body = any, Input = any>(
  topic: TopicLike<Body, Input>,
  options: OfDecorated,
): MethodDecorator;
export function RocketMQListener<Body = any, Input = any>(
  topic: TopicLike<Body, Input>,
  options?: OneByOne,
): ListenerDecorator<[body: Body, context: RocketMQContext]>;
// biome-ignore-end lint/suspicious/noExplicitAny: as above
export function RocketMQListener(topic: TopicLike, options: RocketMQListenerOptions = {}): MethodDecorator {
  return (target, propertyKey, descriptor) => {
    const method = descriptor.value as object;
    assertNoGenerator(`${target.constructor.name}.${String(propertyKey)} (@RocketMQListener)`, method);
    const listener: ListenerMetadata = { topic: toTopicDefinition(topic), options: { ...options } };
    const others: readonly ListenerMetadata[] = Reflect.getOwnMetadata(LISTENER_METADATA, method) ?? [];
    settleArguments(target.constructor, propertyKey, options.parameters);
    Reflect.defineMetadata(LISTENER_METADATA, [listener, ...others], method);
    // Without it, Nest ignores request-scoped global enhancers on classes that are not controllers.
    Reflect.defineMetadata(ENTRY_PROVIDER_METADATA, true, target.constructor);
  };
}

/**
 * A call of a generator only creates it: its body would never run, and the message would count as handled.
 * @param who the method and its decorator
 * @throws UsageError that names the method
 */
export function assertNoGenerator(who: string, method: unknown): void {
  if (!/^\[object (Async)?GeneratorFunction\]$/.test(Object.prototype.toString.call(method))) return;
  const text = `${who} is a generator, so its body would never run; make it a function or an async function`;
  throw new UsageError('GENERATOR_HANDLER', text);
}

/**
 * What a method is called with, once all its decorators are known.
 * @throws UsageError when `parameters` is `decorated`, and no parameter of the method has a decorator
 */
export function settleArguments(type: object, propertyKey: string | symbol, parameters: 'decorated' | undefined): void {
  if (parameters === undefined) completeArguments(type, propertyKey);
  else assertDecorated(type, propertyKey);
}

function assertDecorated(type: object, propertyKey: string | symbol): void {
  const marked: object | undefined = Reflect.getOwnMetadata(ROUTE_ARGUMENTS_METADATA, type, propertyKey);
  if (marked !== undefined) return;
  const text = `${(type as { readonly name?: string }).name}.${String(propertyKey)}: option parameters is 'decorated', but no parameter has a decorator such as @Payload(); leave it out`;
  throw new UsageError('ILLEGAL_OPTION', text, 'parameters');
}

/**
 * Gives a method that the compiler has checked its body in the first place and its context in the second, where these have no decorator. With
 * decorators for some parameters, or those of an overridden method, Nest would call it with undefined for the others. What the method does not
 * declare is left out, because the pipes of the method would run for it, too.
 */
function completeArguments(type: object, propertyKey: string | symbol): void {
  const own: Readonly<Record<string, { readonly index: number }>> =
    Reflect.getOwnMetadata(ROUTE_ARGUMENTS_METADATA, type, propertyKey) ?? {};
  const taken = new Set(Object.values(own).map(({ index }) => index));
  const declared = declaredParameters(type, propertyKey, taken.size > 0);
  const missing = Object.entries(PLAIN_ARGUMENTS).filter(([, { index }]) => !taken.has(index) && index < declared);
  const completed = { ...own, ...Object.fromEntries(missing) };
  Reflect.defineMetadata(ROUTE_ARGUMENTS_METADATA, completed, type, propertyKey);
}

/** How many parameters a method has: as many as there can be where that is not known, as for rest parameters. */
function declaredParameters(type: object, propertyKey: string | symbol, isDecorated: boolean): number {
  const { prototype } = type as { readonly prototype: Readonly<Record<string | symbol, unknown>> };
  const method = prototype[propertyKey] as { readonly length: number };
  const [, parameters = ''] = PARAMETERS_OF_A_METHOD.exec(String(method)) ?? [];
  if (parameters.includes('...')) return Number.POSITIVE_INFINITY;
  const types: readonly unknown[] | undefined = Reflect.getOwnMetadata('design:paramtypes', prototype, propertyKey);
  if (types !== undefined) return types.length;
  // Without types, the length leaves out what has a default, and another decorator may have wrapped the method.
  return isDecorated && method.length > 0 ? method.length : Number.POSITIVE_INFINITY;
}

/** `handle(...all)`, but not the function of another decorator around it. */
const PARAMETERS_OF_A_METHOD = /^(?:async\s+)?(?!function\b)[\w$]+\s*\(([^)]*)/;

/** Nest runs pipes only for parameters that it knows; a method without parameter decorators has none. */
export function recordArguments(type: object, propertyKey: string | symbol): void {
  if (Reflect.getMetadata(ROUTE_ARGUMENTS_METADATA, type, propertyKey) !== undefined) return;
  Reflect.defineMetadata(ROUTE_ARGUMENTS_METADATA, PLAIN_ARGUMENTS, type, propertyKey);
}

const PLAIN_ARGUMENTS = {
  [`${PAYLOAD_PARAMETER}:0`]: { index: 0, data: undefined, pipes: [] },
  [`${CONTEXT_PARAMETER}:1`]: { index: 1, data: undefined, pipes: [] },
};
