// What the matchers see of a fake producer.

import type { BodyCodec } from '../nest/messages/message-body.js';
import { nextTurn } from '../support/deadline.js';
import type { SentMessage } from './fake-producer.js';
import type { Observation, ObservedMessage } from './observation.js';

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
