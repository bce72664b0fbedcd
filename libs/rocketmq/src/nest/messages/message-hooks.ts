// Changes every message that an application sends and receives: headers, encryption, signatures.

import type { Type } from '@nestjs/common';
import type { MessageView, OutgoingMessage } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';
import { anyFunction, type DeepCheck, describe, faultIn, type OptionChecks } from '../../support/options.js';
import { continued } from '../../support/thenable.js';

/** The context of a message that is about to be sent. */
export interface OutgoingHookContext {
  /** The body as it was passed to the producer; the message holds it encoded. */
  readonly body: unknown;
}

/** The context of a message that was received. */
export interface IncomingHookContext {
  /** Undefined in a transaction check. */
  readonly consumerGroup: string | undefined;
}

/** Changes messages when they are sent and received. Implement both methods where a change must be undone. */
export interface MessageHook {
  /**
   * Called for every message of this connection's `RocketMQProducer` after it is validated and encoded, half messages included; not
   * for dead letters, which are forwarded as they were received. It must not change topic, message group or message id.
   * When it throws, the message is not sent.
   */
  outgoing?(message: OutgoingMessage, context: OutgoingHookContext): OutgoingMessage | Promise<OutgoingMessage>;
  /**
   * Called for every message before its body is decoded; the handler's context has the message that it returns. When it throws, the
   * attempt has failed; throw `DeadLetterError` when a retry cannot help.
   */
  incoming?(message: MessageView, context: IncomingHookContext): MessageView | Promise<MessageView>;
}

const CHECKS: OptionChecks<MessageHook> = { outgoing: anyFunction, incoming: anyFunction };

/** Checks a hook, or its class, whose instance is checked when it is found. An instance of a class may have other fields. */
export const validHook: DeepCheck = (value) => {
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `must be an object with outgoing or incoming, or a class with these methods, not ${describe(value)}`;
  }
  const { outgoing, incoming } = value as MessageHook;
  const isPlain = Object.getPrototypeOf(value) === Object.prototype;
  const fault = faultIn(isPlain ? value : { outgoing, incoming }, { options: CHECKS });
  if (fault !== undefined) return fault;
  return (outgoing ?? incoming) ? undefined : 'has neither outgoing nor incoming, so it would change no message';
};

type Change<Message> = (hook: MessageHook, message: Message) => Message | PromiseLike<Message> | undefined;

/** What the hooks make of a message, one after another: at once unless one of them returns a promise. */
function through<Message>(
  hooks: readonly MessageHook[],
  message: Message,
  change: Change<Message>,
  place = 0,
): Message | PromiseLike<Message> {
  const hook = hooks[place];
  if (hook === undefined) return message;
  return continued(change(hook, message), (changed) => through(hooks, changed ?? message, change, place + 1));
}

/** @throws UsageError when a hook has moved the message to another place */
function assertStays(message: OutgoingMessage, result: OutgoingMessage): void {
  for (const field of ['topic', 'messageGroup', 'liteTopic', 'messageId'] as const) {
    if (result[field] === message[field]) continue;
    const text = `message to "${message.topic}": a hook changed ${field}, which hooks must not change; nothing was sent`;
    throw new UsageError('HOOK_MOVED_MESSAGE', text, field);
  }
}

/** All hooks of a connection. The first is the outermost: it changes sent messages last and received messages first. */
export class MessageHooks {
  private resolved: readonly MessageHook[] | undefined;

  /** @param find returns the instance of a class that some module provides */
  constructor(
    private readonly given: readonly (MessageHook | Type<MessageHook>)[],
    private readonly find: (type: Type<MessageHook>) => MessageHook,
  ) {}

  /** @throws UsageError `HOOK_MOVED_MESSAGE`; whatever a hook throws */
  outgoing(message: OutgoingMessage, context: OutgoingHookContext): OutgoingMessage | PromiseLike<OutgoingMessage> {
    const changed = through([...this.hooks()].reverse(), message, (hook, current) => hook.outgoing?.(current, context));
    return continued(changed, (result) => {
      assertStays(message, result);
      return result;
    });
  }

  /** @throws whatever a hook throws */
  incoming(message: MessageView, context: IncomingHookContext): MessageView | PromiseLike<MessageView> {
    return through(this.hooks(), message, (hook, current) => hook.incoming?.(current, context));
  }

  /** Finds the instances. @throws UsageError `NO_SUCH_HOOK` for a class that no module provides, `ILLEGAL_OPTION` for one without hooks */
  hooks(): readonly MessageHook[] {
    this.resolved ??= this.given.map((hook) => (typeof hook === 'function' ? this.instanceOf(hook) : hook));
    return this.resolved;
  }

  private instanceOf(type: Type<MessageHook>): MessageHook {
    const hook = this.found(type);
    const wrong = validHook(hook);
    if (wrong === undefined) return hook;
    const problem = typeof wrong === 'string' ? wrong : `has ${wrong.field}, which ${wrong.problem}`;
    const text = `RocketMQModule: option hooks contains the class ${type.name}, whose instance ${problem}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'hooks');
  }

  private found(type: Type<MessageHook>): MessageHook {
    try {
      return this.find(type);
    } catch (cause) {
      const text = `RocketMQModule: option hooks contains the class ${type.name}, which no module provides as a singleton`;
      throw new UsageError('NO_SUCH_HOOK', text, 'hooks', { cause });
    }
  }
}
