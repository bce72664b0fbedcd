// Turns what producer and consumers tell into lifecycle events, and passes it on to the hooks of the module option `events`. What these
// return goes back: a hook may be asynchronous, and who calls it tells when it fails.

import type { ClientIdentity } from '../../client/session-events.js';
import type { ConsumerEvents } from '../../consumer/model/consumer-events.js';
import type { ProducerEvents } from '../../producer/producer-events.js';
import type { MessageView } from '../../protocol/model/message.js';
import type { RocketMQEvents, ToldEvent } from './rocketmq-events.js';

type Tell = Pick<RocketMQEvents, 'tell'>;

type SessionHooks = Pick<ProducerEvents, 'onConnected' | 'onLost' | 'onRecovered'>;

function sessionHooks(given: Partial<SessionHooks>, events: Tell): SessionHooks {
  const subjectOf = ({ role, clientId, consumerGroup }: ClientIdentity, endpoint: string) => {
    return { role, clientId, consumerGroup, endpoint };
  };
  return {
    onConnected: (client, endpoint) => {
      events.tell({ type: 'connected', ...subjectOf(client, endpoint) });
      return given.onConnected?.(client, endpoint);
    },
    onLost: (client, endpoint, error) => {
      events.tell({ type: 'lost', ...subjectOf(client, endpoint), error });
      return given.onLost?.(client, endpoint, error);
    },
    onRecovered: (client, endpoint) => {
      events.tell({ type: 'recovered', ...subjectOf(client, endpoint) });
      return given.onRecovered?.(client, endpoint);
    },
  };
}

/** For the producer. */
export function producerHooks(given: Partial<ProducerEvents>, events: Tell): ProducerEvents {
  return {
    ...sessionHooks(given, events),
    onEnded: ({ topic, messageId, transactionId }, resolution, by) => {
      const subject = { topic, messageId, transactionId };
      events.tell({ type: 'transaction-ended', ...subject, resolution, by });
      return given.onEnded?.(subject, resolution, by);
    },
    onLeftToCheck: ({ topic, messageId, transactionId }, resolution, error) => {
      const subject = { topic, messageId, transactionId };
      events.tell({ type: 'transaction-unknown', ...subject, during: 'end', resolution, error });
      return given.onLeftToCheck?.(subject, resolution, error);
    },
    onChecked: ({ topic, messageId, transactionId }, resolution) => {
      const subject = { topic, messageId, transactionId };
      if (resolution === 'unknown') {
        const unknown = { during: 'check', resolution: undefined, error: undefined } as const;
        events.tell({ type: 'transaction-unknown', ...subject, ...unknown });
      }
      return given.onChecked?.(subject, resolution);
    },
    onOnewayFailed: (message, error) => given.onOnewayFailed?.(message, error),
  };
}

/** For the consumer of a group. */
export interface ConsumerHooks extends ConsumerEvents {
  /** How many handlers had not ended when the grace period was over. */
  readonly unfinished: number;
}

export function consumerHooks(given: Partial<ConsumerEvents>, events: Tell, consumerGroup: string): ConsumerHooks {
  let unfinished = 0;
  const tell = (event: ToldEvent): void => events.tell(event);
  const subjectOf = ({ topic, messageId, keys, deliveryAttempt }: MessageView) => {
    return { consumerGroup, topic, messageId, keys, deliveryAttempt };
  };
  return {
    ...sessionHooks(given, events),
    get unfinished() {
      return unfinished;
    },
    onFailed: (message, error, settlement) => given.onFailed?.(message, error, settlement),
    onDeadLetter: (message, reason, error) => {
      tell({ type: 'dead-lettered', ...subjectOf(message), reason, error });
      return given.onDeadLetter?.(message, reason, error);
    },
    onLeaseLost: (message) => {
      tell({ type: 'lease-lost', ...subjectOf(message) });
      return given.onLeaseLost?.(message);
    },
    onSettleFailed: (message, settlement, error) => given.onSettleFailed?.(message, settlement, error),
    onGraceOver: (messages) => {
      unfinished = messages.length;
      return given.onGraceOver?.(messages);
    },
  };
}
