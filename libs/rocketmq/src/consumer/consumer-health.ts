// The health of a push consumer, for monitoring. It makes no judgment.

import type { SessionHealth } from '../client/session-events.js';
import type { HeldUpQueue } from '../protocol/grpc/session-message.js';
import type { GroupPause } from '../protocol/model/group-pause.js';
import { describeError } from '../support/logger.js';
import type { LoopHealth } from './receive/receive-loop.js';

/** How the messages of a topic are received. */
export interface TopicHealth {
  readonly topic: string;
  /** The assigned queues: usually one entry for each broker, with all its queues. None: nothing is received. */
  readonly assigned: number;
  /** By `pause()`, in this process. */
  readonly isPaused: boolean;
  /**
   * When a server last answered a poll, with messages or without, in milliseconds of real time since the epoch; undefined
   * before the first. A poll without messages takes up to 20 s; there is none while the topic is paused or the buffer is full.
   */
  readonly lastReceiveAtMs: number | undefined;
  /**
   * When the longest poll without an answer began, in milliseconds of real time since the epoch;
   * undefined while none is open. More than half a minute ago: no server answers, although none reports an error.
   */
  readonly pollingSinceMs: number | undefined;
  /** Why polls fail, for every broker that has the topic. */
  readonly error: string | undefined;
}

/** The health of a push consumer. */
export interface ConsumerHealth {
  readonly clientId: string;
  readonly consumerGroup: string;
  readonly sessions: readonly SessionHealth[];
  readonly topics: readonly TopicHealth[];
  /** Messages received and not settled, including those being handled. */
  readonly unsettled: number;
  /**
   * How long ago the oldest of these was received, in milliseconds; 0 without any. Messages that wait for a handler, and ordered ones
   * that wait for their next attempt, are included.
   */
  readonly settleLagMs: number;
  /** How long the longest running handler has been running, in milliseconds; 0 when none runs. */
  readonly longestHandlerMs: number;
  /**
   * Queues of brokers of 4.x from which nothing more is received until a message is settled, because the position of the group cannot pass it. Empty
   * on other servers.
   */
  readonly heldUp: readonly HeldUpQueue[];
  /** Why the servers have paused the group, over all its instances: nothing is received. Undefined while it is not paused. */
  readonly groupPause: GroupPause | undefined;
  /** The listeners whose `rateLimit` or `groupConcurrency` lets no message begin at this moment. */
  readonly limited: readonly string[];
  /** Why the `limitStore` does not answer, so that listeners with a limit over the group handle nothing; undefined while it answers. */
  readonly limitError: string | undefined;
}

export function heldUpText({ topic, brokerName, queueId, messageId, behind }: HeldUpQueue): string {
  const which = messageId === undefined ? 'a message' : `message ${messageId}`;
  return `queue ${queueId} of topic "${topic}" on broker "${brokerName}" is held up: ${which} is not settled, with ${behind} messages behind it`;
}

/** Summarizes the loops of a topic. */
export function topicHealth(topic: string, isPaused: boolean, loops: readonly LoopHealth[]): TopicHealth {
  const times = loops.flatMap(({ lastReceiveAtMs }) => lastReceiveAtMs ?? []);
  const polls = loops.flatMap(({ pollingSinceMs }) => pollingSinceMs ?? []);
  const failed = loops.filter(({ error }) => error !== undefined);
  return {
    topic,
    assigned: loops.reduce((sum, { assigned }) => sum + assigned, 0),
    isPaused,
    lastReceiveAtMs: times.length === 0 ? undefined : Math.max(...times),
    pollingSinceMs: polls.length === 0 ? undefined : Math.min(...polls),
    error: failed.length > 0 && failed.length === loops.length ? describeError(failed[0]?.error) : undefined,
  };
}
