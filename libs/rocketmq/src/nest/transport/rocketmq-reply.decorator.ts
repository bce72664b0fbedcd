// `@RocketMQReply`: Nest's `@MessagePattern` of this transport, with the definition of the request. pattern-handlers.ts reads it.

import { MessagePattern } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { rocketMQTransport } from '../common/pattern.js';
import { assertListenerOptions } from '../listening/listener-options.js';
import type { RocketMQListenerOptions } from '../listening/listener-settings.js';
import type { RocketMQContext } from '../listening/rocketmq-context.js';
import {
  assertNoGenerator,
  type ListenerDecorator,
  settleArguments,
} from '../listening/rocketmq-listener.decorator.js';
import type { RequestDefinition } from '../messages/request-definition.js';

/** The key of the definition in the extras of a pattern: Nest passes them on to every kind of server. */
const DEFINITION = Symbol.for('nestjs-rocketmq.request-definition');

/** The options of `@RocketMQReply`: those of `@RocketMQListener` that a handler of requests can have. */
export type ReplyExtras = Omit<RocketMQListenerOptions, 'filter' | 'batch' | 'manual' | 'mode' | 'liteTopics'>;

/**
 * Answers the requests of a definition: Nest's `@MessagePattern` for this transport, on a method of a controller. The method is called
 * with `(data, context: RocketMQContext)`; the compiler checks it and what it returns against the definition. Of an observable, the last
 * value is the answer. With `parameters: 'decorated'` the method is not checked: its parameters are what `@Payload('field')` and the like
 * make of the message. A request that does not fit its schema is answered with an error, and so is one whose answer does not fit.
 * @throws UsageError for an illegal `connection` or `parameters`, or when `parameters` is set and no parameter has a decorator, and for a
 *   generator
 */
export function RocketMQReply<Request, Answer, RequestInput, AnswerInput>(
  definition: RequestDefinition<Request, Answer, RequestInput, AnswerInput>,
  options: ReplyExtras & Required<Pick<ReplyExtras, 'parameters'>>,
): MethodDecorator;
export function RocketMQReply<Request, Answer, RequestInput, AnswerInput>(
  definition: RequestDefinition<Request, Answer, RequestInput, AnswerInput>,
  options?: ReplyExtras & { readonly parameters?: undefined },
): ListenerDecorator<
  [data: Request, context: RocketMQContext],
  AnswerInput | Observable<AnswerInput> | Promise<AnswerInput | Observable<AnswerInput>>
>;
export function RocketMQReply(
  definition: RequestDefinition,
  { connection, parameters, ...extras }: ReplyExtras = {},
): MethodDecorator {
  const pattern = MessagePattern<string>(definition.pattern, rocketMQTransport(connection), {
    ...extras,
    [DEFINITION]: definition,
  });
  return (target, propertyKey, descriptor) => {
    const who = `${target.constructor.name}.${String(propertyKey)} (@RocketMQReply)`;
    assertNoGenerator(who, descriptor.value);
    assertListenerOptions(who, 'decorator', { connection, parameters });
    settleArguments(target.constructor, propertyKey, parameters);
    pattern(target, propertyKey, descriptor);
  };
}

/** The definition in the extras of a pattern; undefined for plain patterns. */
export function definitionIn(extras: object): RequestDefinition | undefined {
  return (extras as { readonly [DEFINITION]?: RequestDefinition })[DEFINITION];
}
