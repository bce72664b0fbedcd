// `@RocketMQListener`: marks a method as the handler of a topic's messages. rocketmq.explorer.ts finds it.

import {
  CONTEXT_PARAMETER,
  ENTRY_PROVIDER_METADATA,
  LISTENER_METADATA,
  PAYLOAD_PARAMETER,
  ROUTE_ARGUMENTS_METADATA,
} from '../common/rocketmq.constants.js';
import { type TopicDefinition, type TopicLike, toTopicDefinition } from '../messages/topic-definition.js';
import type { RocketMQListenerOptions } from './listener-settings.js';

/** The metadata of one decorator. */
export interface ListenerMetadata {
  readonly topic: TopicDefinition;
  readonly options: RocketMQListenerOptions;
}

/**
 * Handles the messages of a topic. The method is called with `(body, context: RocketMQContext)`, with `batch` as `(bodies, context:
 * RocketMQBatchContext)`, or with the parameters that `@Payload()` and `@Ctx()` mark. Its promise or observable is awaited: success
 * acknowledges the message; an error retries it later, up to the attempts that
 * the group allows, then it is dead-lettered. Works on any provider or controller, several times in a class, and several
 * times on one method (then each needs a `name`).
 */
export function RocketMQListener<Body, Input>(
  topic: TopicLike<Body, Input>,
  options: RocketMQListenerOptions = {},
): MethodDecorator {
  return (target, propertyKey, descriptor) => {
    const method = descriptor.value as object;
    const listener: ListenerMetadata = { topic: toTopicDefinition(topic as TopicLike), options: { ...options } };
    const others: readonly ListenerMetadata[] = Reflect.getOwnMetadata(LISTENER_METADATA, method) ?? [];
    Reflect.defineMetadata(LISTENER_METADATA, [listener, ...others], method);
    // Without it, Nest ignores request-scoped global enhancers on classes that are not controllers.
    Reflect.defineMetadata(ENTRY_PROVIDER_METADATA, true, target.constructor);
    recordArguments(target.constructor, propertyKey);
  };
}

/** Nest runs pipes only for parameters that it knows; a method without parameter decorators has none. */
export function recordArguments(type: object, propertyKey: string | symbol): void {
  if (Reflect.getMetadata(ROUTE_ARGUMENTS_METADATA, type, propertyKey) !== undefined) return;
  const recorded = {
    [`${PAYLOAD_PARAMETER}:0`]: { index: 0, data: undefined, pipes: [] },
    [`${CONTEXT_PARAMETER}:1`]: { index: 1, data: undefined, pipes: [] },
  };
  Reflect.defineMetadata(ROUTE_ARGUMENTS_METADATA, recorded, type, propertyKey);
}
