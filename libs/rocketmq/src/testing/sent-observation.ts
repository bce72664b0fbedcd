// What the matchers see of a fake producer.

import type { BodyCodec } from '../nest/messages/body-codecs.js';
import type { OutgoingMessage } from '../protocol/model/message.js';
import { nextTurn } from '../support/deadline.js';
import type { Observation, ObservedMessage } from './observation.js';

/** A message that was sent to a fake producer. */
export interface SentMessage<Input = unknown>
  extends Omit<OutgoingMessage, 'body' | 'keys' | 'properties' | 'messageId'> {
  /** The call that sent it. A message of a transaction is added once it is committed. */
  readonly kind: 'send' | 'batch' | 'oneway' | 'transaction';
  /** As it was passed. */
  readonly body: Input;
  /** As it would be on the wire. */
  readonly bytes: Buffer;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageId: string;
  /** Whether `recall()` recalled it. */
  readonly isRecalled: boolean;
}

export function sentObservation(sent: readonly SentMessage[], codec: BodyCodec): Observation {
  const ofTopic = (topic: string): (ObservedMessage & { readonly isRecalled: boolean })[] =>
    sent.flatMap((message, index) => {
      const { messageId, tag, keys, properties, messageGroup, bytes, kind, isRecalled } = message;
      if (message.topic !== topic) return [];
      const state = isRecalled ? 'recalled' : `sent by ${kind}`;
      const own = { messageId, tag, keys, properties, messageGroup, group: undefined, bytes };
      return [{ ...own, identity: String(index), state, isRecalled }];
    });
  return {
    codec,
    // The sends that a caller did not await.
    settle: nextTurn,
    otherName: () => undefined,
    find: (what, topic) => (what === 'sent' ? ofTopic(topic).filter(({ isRecalled }) => !isRecalled) : undefined),
    all: (_what, topic) => ofTopic(topic),
    moment: () => 'Looked at what was passed to the FakeProducer so far.',
  };
}
