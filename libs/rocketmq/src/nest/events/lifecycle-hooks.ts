// Turns the reports of producer and consumers into lifecycle events, and passes them on to the hooks of the module option `events`. The
// results of those hooks are returned: a hook may be asynchronous, and its caller logs when it fails.

import type { ClientIdentity } from '../../client/session-events.js';
import type { ConsumerEvents } from '../../consumer/model/consumer-events.js';
import { isUncounted } from '../../consumer/model/failure-policy.js';
import type { ProducerEvents } from '../../producer/producer-events.js';
import type { MessageView } from '../../protocol/model/message.js';
import type { Failure } from './failure-log.js';
import type { ReportedEvent, RocketMQEvents } from './rocketmq-events.js';

type Reporter = Pick<RocketMQEvents, 'report'>;

type SessionHooks = Pick<ProducerEvents, 'onConnected' | 'onLost' | 'onRecovered'>;

function sessionHooks(given: Partial<SessionHooks>, events: Reporter): SessionHooks {
  const subjectOf = ({ role, clientId, consumerGroup }: ClientIdentity, endpoint: string) => {
    return { role, clientId, consumerGroup, endpoint };
  };
  return {
    onConnected: (client, endpoint) => {
      events.report({ type: 'connected', ...subjectOf(client, endpoint) });
      return given.onConnected?.(client, endpoint);
    },
    onLost: (client, endpoint, error) => {
      events.report({ type: 'lost', ...subjectOf(client, endpoint), error });
      return given.onLost?.(client, endpoint, error);
    },
    onRecovered: (client, endpoint) => {
      events.report({ type: 'recovered', ...subjectOf(client, endpoint) });
      return given.onRecovered?.(client, endpoint);
    },
  };
}

/** The events of the producer. */
export function producerHooks(given: Partial<ProducerEvents>, events: Reporter): ProducerEvents {
  return {
    ...sessionHooks(given, events),
    onEnded: ({ topic, messageId, transactionId }, resolution, by) => {
      const subject = { topic, messageId, transactionId };
      events.report({ type: 'transaction-ended', ...subject, resolution, by });
      return given.onEnded?.(subject, resolution, by);
    },
    onLeftToCheck: ({ topic, messageId, transactionId }, resolution, error) => {
      const subject = { topic, messageId, transactionId };
      events.report({ type: 'transaction-unknown', ...subject, during: 'end', resolution, error });
      return given.onLeftToCheck?.(subject, resolution, error);
    },
    onChecked: ({ topic, messageId, transactionId }, resolution) => {
      const subject = { topic, messageId, transactionId };
      if (resolution === 'unknown') {
        const unknown = { during: 'check', resolution: undefined, error: undefined } as const;
        events.report({ type: 'transaction-unknown', ...subject, ...unknown });
      }
      return given.onChecked?.(subject, resolution);
    },
    onOnewayFailed: (message, error) => given.onOnewayFailed?.(message, error),
    onLessDurable: (message) => {
      events.report({ type: 'less-durable', ...message });
      return given.onLessDurable?.(message);
    },
  };
}

/** The events of the consumer of a group. */
export interface ConsumerHooks extends ConsumerEvents {
  /** How many handlers had not ended when the grace period was over. */
  readonly unfinished: number;
}

/** @param keep keeps a failure; undefined: none are kept */
export function consumerHooks(
  given: Partial<ConsumerEvents>,
  events: Reporter,
  consumerGroup: string,
  keep?: (failure: Failure) => void,
): ConsumerHooks {
  let unfinished = 0;
  const report = (event: ReportedEvent): void => events.report(event);
  const subjectOf = ({ topic, messageId, keys, deliveryAttempt }: MessageView) => {
    return { consumerGroup, topic, messageId, keys, deliveryAttempt };
  };
  return {
    ...sessionHooks(given, events),
    get unfinished() {
      return unfinished;
    },
    onFailed: (message, error, settlement) => {
      // A dead letter is kept below, with those that no handler got. A postponed message has not failed.
      if (settlement.kind === 'retry' && !isUncounted(error)) keep?.({ consumerGroup, message, error, settlement });
      return given.onFailed?.(message, error, settlement);
    },
    onDeadLetter: (message, reason, error) => {
      keep?.({ consumerGroup, message, error, settlement: { kind: 'deadLetter', reason } });
      report({ type: 'dead-lettered', ...subjectOf(message), reason, error });
      return given.onDeadLetter?.(message, reason, error);
    },
    onLeaseLost: (message) => {
      report({ type: 'lease-lost', ...subjectOf(message) });
      return given.onLeaseLost?.(message);
    },
    onSettleFailed: (message, settlement, error) => given.onSettleFailed?.(message, settlement, error),
    onLiteTopicLost: (topic, liteTopic) => {
      report({ type: 'lite-topic-lost', consumerGroup, topic, liteTopic });
      return given.onLiteTopicLost?.(topic, liteTopic);
    },
    onGroupPaused: (pause) => {
      report({ type: 'group-paused', consumerGroup, ...pause });
      return given.onGroupPaused?.(pause);
    },
    onGroupResumed: () => {
      report({ type: 'group-resumed', consumerGroup });
      return given.onGroupResumed?.();
    },
    onGraceOver: (messages) => {
      unfinished = messages.length;
      return given.onGraceOver?.(messages);
    },
  };
}
