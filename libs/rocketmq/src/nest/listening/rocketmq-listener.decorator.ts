// `@RocketMQListener`: marks a method as the handler of a topic's messages. It is found by rocketmq.explorer.ts.

import {
  CONTEXT_PARAMETER,
  ENTRY_PROVIDER_METADATA,
  LISTENER_METADATA,
  PAYLOAD_PARAMETER,
  ROUTE_ARGUMENTS_METADATA,
} from '../common/rocketmq.constants.js';
import { type TopicDefinition, type TopicLike, toTopicDefinition } from '../messages/topic-definition.js';
import type { RocketMQListenerOptions } from './listener-settings.js';

/** What one decorator says of its method. */
export interface ListenerMetadata {
  readonly topic: TopicDefinition;
  readonly options: RocketMQListenerOptions;
}

/**
 * Handles the messages of a topic. The method gets `(body, context: RocketMQContext)`, with `batch` `(bodies, context:
 * RocketMQBatchContext)`, or what `@Payload()` and `@Ctx()` say. Its promise or observable is awaited: success acks the message; an error retries it later, up to the attempts that
 * the group allows, then it is a dead letter. Works on any provider or controller, several times in a class, and several
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
    // Without it Nest leaves request-scoped global enhancers out on classes that are not controllers.
    Reflect.defineMetadata(ENTRY_PROVIDER_METADATA, true, target.constructor);
    recordArguments(target.constructor, propertyKey);
  };
}

/** Nest runs pipes only for arguments that it knows of; a method without parameter decorators has none by itself. */
export function recordArguments(type: object, propertyKey: string | symbol): void {
  if (Reflect.getMetadata(ROUTE_ARGUMENTS_METADATA, type, propertyKey) !== undefined) return;
  const recorded = {
    [`${PAYLOAD_PARAMETER}:0`]: { index: 0, data: undefined, pipes: [] },
    [`${CONTEXT_PARAMETER}:1`]: { index: 1, data: undefined, pipes: [] },
  };
  Reflect.defineMetadata(ROUTE_ARGUMENTS_METADATA, recorded, type, propertyKey);
}
