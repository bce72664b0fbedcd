// Delivers a message to a listener of a Nest application, without a broker. nest/runtime/listener-trial.ts runs it.

import { runtimeToken } from '../nest/common/rocketmq.constants.js';
import type { DeliveryOutcome, TrialMessage } from '../nest/runtime/listener-trial.js';
import type { RocketMQRuntime } from '../nest/runtime/rocketmq-runtime.js';

/** An application, or a compiled testing module. */
export interface InjectionContext {
  get<T>(token: symbol, options: { readonly strict: false }): T;
}

/** A class with listeners. */
export type ListenerClass<T extends object> = abstract new (...args: never[]) => T;

/** The names of the methods of a class. */
export type MethodOf<T> = {
  // biome-ignore lint/suspicious/noExplicitAny: whatever it takes, a method is one
  [Name in keyof T]: T[Name] extends (...args: any[]) => unknown ? Name : never;
}[keyof T] &
  string;

/** The other fields of the message, and the listener that it is for. */
export interface DeliverOptions extends Omit<TrialMessage, 'body'> {
  /** The listener's name, where the method has several `@RocketMQListener`. Default: the only one it has. */
  readonly listener?: string;
  /** The connection of the listener. Default: the one without a name. */
  readonly connection?: string;
}

/**
 * Delivers a message to a listener as a consumer would, without a broker: incoming hooks, codec, schema, guards, pipes, interceptors,
 * filters, the method, and the failure policy. `compile()` is enough; nothing is connected.
 * @param body as a sender passes it; bytes are used unchanged, so that you can test bodies that cannot be decoded
 * @returns what a consumer would do with the message, with the original error
 * @throws UsageError when the application has no such listener
 */
export async function deliver<T extends object>(
  app: InjectionContext,
  type: ListenerClass<T>,
  method: MethodOf<T>,
  body: unknown,
  options: DeliverOptions = {},
): Promise<DeliveryOutcome> {
  const [outcome] = await deliverBatch(app, type, method, [body], options);
  return outcome as DeliveryOutcome;
}

/**
 * Delivers several messages at once: to a batch listener in batches of its size, to others concurrently.
 * @returns the outcomes, in the order of the bodies
 * @throws as {@link deliver}
 */
export async function deliverBatch<T extends object>(
  app: InjectionContext,
  type: ListenerClass<T>,
  method: MethodOf<T>,
  bodies: readonly unknown[],
  { listener: name, connection, ...fields }: DeliverOptions = {},
): Promise<DeliveryOutcome[]> {
  const runtime = app.get<RocketMQRuntime>(runtimeToken(connection), { strict: false });
  const messages = bodies.map((body) => ({ ...fields, body }));
  return runtime.trial.deliver({ type, methodName: method, name }, messages);
}
