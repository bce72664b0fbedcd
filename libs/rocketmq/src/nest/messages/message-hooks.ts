// What an application does to every message on its way out and in: headers, encryption, signatures.

import type { Type } from '@nestjs/common';
import type { MessageView, OutgoingMessage } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';

/** What is known of a message that is to be sent. */
export interface OutgoingHookContext {
  /** The body as it was given to the producer; that of the message is encoded. */
  readonly body: unknown;
}

/** What is known of a message that was received. */
export interface IncomingHookContext {
  /** Undefined in a check of a transaction. */
  readonly consumerGroup: string | undefined;
}

/** Changes messages on their way. Give both directions of what has to be undone. */
export interface MessageHook {
  /**
   * Called for every message of this connection's `RocketMQProducer` once it is checked and encoded, half messages included; not for
   * dead letters, which are sent on as they came. Topic, message group and message id have to stay.
   * What it throws keeps the message from being sent.
   */
  outgoing?(message: OutgoingMessage, context: OutgoingHookContext): OutgoingMessage | Promise<OutgoingMessage>;
  /**
   * Called for every message before its body is decoded; the handler's context has what it returns. What it throws is a failed
   * attempt; `DeadLetterError` where no repetition helps.
   */
  incoming?(message: MessageView, context: IncomingHookContext): MessageView | Promise<MessageView>;
}

/** All hooks of a connection: the first is the outermost, so the last to change what is sent, and the first what is received. */
export class MessageHooks {
  private resolved: readonly MessageHook[] | undefined;

  /** @param find gives the instance of a class that some module provides */
  constructor(
    private readonly given: readonly (MessageHook | Type<MessageHook>)[],
    private readonly find: (type: Type<MessageHook>) => MessageHook,
  ) {}

  async outgoing(message: OutgoingMessage, context: OutgoingHookContext): Promise<OutgoingMessage> {
    let result = message;
    for (const hook of [...this.hooks()].reverse()) result = (await hook.outgoing?.(result, context)) ?? result;
    for (const field of ['topic', 'messageGroup', 'messageId'] as const) {
      if (result[field] === message[field]) continue;
      const text = `message to "${message.topic}": a hook changed ${field}, which has to stay; nothing was sent`;
      throw new UsageError('HOOK_MOVED_MESSAGE', text, field);
    }
    return result;
  }

  async incoming(message: MessageView, context: IncomingHookContext): Promise<MessageView> {
    let result = message;
    for (const hook of this.hooks()) result = (await hook.incoming?.(result, context)) ?? result;
    return result;
  }

  /** Finds the instances. @throws UsageError `NO_SUCH_HOOK` for a class that no module provides */
  hooks(): readonly MessageHook[] {
    this.resolved ??= this.given.map((hook) => (typeof hook === 'function' ? this.instanceOf(hook) : hook));
    return this.resolved;
  }

  private instanceOf(type: Type<MessageHook>): MessageHook {
    try {
      return this.find(type);
    } catch (cause) {
      const text = `RocketMQModule: option hooks names ${type.name}, which no module provides as a singleton`;
      throw new UsageError('NO_SUCH_HOOK', text, 'hooks', { cause });
    }
  }
}
