// A connection that a ClientRocketMQ opens for itself: producer and answers, no listeners.

import { StateError } from '../../support/errors.js';
import { RocketMQEvents } from '../events/rocketmq-events.js';
import { MessageHooks } from '../messages/message-hooks.js';
import type { CheckedOptions } from '../runtime/module-options.js';
import { RocketMQRequester } from '../sending/requester.js';
import { bareRuntime, NOTHING, openRuntime } from './own-server.js';

/** The opened parts. */
export interface OwnConnection {
  readonly requester: RocketMQRequester;
  close(): Promise<void>;
}

/** There are no handlers to call. */
const NO_CALLS = {
  bind: () => () => Promise.reject(new StateError('NO_HANDLER', 'a client has no handlers')),
  isAboutBody: () => false,
  answerOf: () => undefined,
};

/** @throws as the start of an application; nothing is left running then */
export async function openOwnConnection(options: CheckedOptions): Promise<OwnConnection> {
  const { runtime, wire } = bareRuntime({
    options,
    hooks: new MessageHooks([], () => ({})),
    calls: NO_CALLS,
    events: new RocketMQEvents(undefined, options.logger),
    discover: () => NOTHING,
    server: undefined,
  });
  await openRuntime(runtime, options);
  return { requester: new RocketMQRequester(runtime, wire, options.logger), close: () => runtime.close() };
}
