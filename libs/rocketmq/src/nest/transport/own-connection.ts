// A connection that a ClientRocketMQ opens for itself: producer and answers, no listeners.

import { StateError } from '../../support/errors.js';
import { AdminAccess } from '../admin-access.js';
import { HandlerInvoker } from '../handler-invoker.js';
import { MessageHooks } from '../message-hooks.js';
import type { CheckedOptions } from '../module-options.js';
import { RocketMQRuntime } from '../rocketmq-runtime.js';
import { openRuntime } from './own-server.js';
import { RocketMQRequester } from './requester.js';

/** What was opened. */
export interface OwnConnection {
  readonly requester: RocketMQRequester;
  close(): Promise<void>;
}

/** There are no handlers to call. */
const NO_CALLS = {
  bind: () => () => Promise.reject(new StateError('NO_HANDLER', 'a client has no handlers')),
  isAboutBody: () => false,
};
const NOTHING = { listeners: [], checkers: [], transactionalSends: [], overrides: [], elsewhere: [] };

/** @throws as the start of an application; nothing is left running then */
export async function openOwnConnection(options: CheckedOptions): Promise<OwnConnection> {
  const hooks = new MessageHooks([], () => ({}));
  const wire = { codec: options.codec, names: options.names, hooks };
  const runtime = new RocketMQRuntime({
    options,
    hooks,
    admin: new AdminAccess(options),
    discover: () => NOTHING,
    invoker: new HandlerInvoker(NO_CALLS, wire, options.logger),
    server: undefined,
    wire,
  });
  await openRuntime(runtime, options);
  return { requester: new RocketMQRequester(runtime, wire, options.logger), close: () => runtime.close() };
}
