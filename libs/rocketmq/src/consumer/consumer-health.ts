// How a push consumer stands, for those who watch over it. It judges nothing.

import type { SessionHealth } from '../client/session-events.js';
import { describeError } from '../support/logger.js';
import type { LoopHealth } from './receive/receive-loop.js';

/** How the messages of a topic come in. */
export interface TopicHealth {
  readonly topic: string;
  /** What the server has assigned to it: one entry for each broker with all its queues, as a rule. None: nothing is received. */
  readonly assigned: number;
  readonly isPaused: boolean;
  /**
   * When a poll last came back from a server, with messages or without, in milliseconds of real time since the epoch; undefined
   * before the first. A poll without messages takes up to 20 s; there is none while the topic is paused or the buffer is full.
   */
  readonly lastReceiveAtMs: number | undefined;
  /**
   * Since when the poll lasts that a server has left without an answer for longest, in milliseconds of real time since the epoch;
   * undefined while none is open. More than half a minute ago: no server answers, though none says so.
   */
  readonly pollingSinceMs: number | undefined;
  /** Why polls fail, of every broker that has the topic. */
  readonly error: string | undefined;
}

/** How a push consumer stands. */
export interface ConsumerHealth {
  readonly clientId: string;
  readonly consumerGroup: string;
  readonly sessions: readonly SessionHealth[];
  readonly topics: readonly TopicHealth[];
  /** Messages received and not settled, those being handled included. */
  readonly unsettled: number;
  /**
   * How long ago the oldest of these was received, in milliseconds; 0 without any. Messages that wait for a handler, and ordered ones
   * that wait for their next attempt, are among them.
   */
  readonly settleLagMs: number;
  /** How long the handler has been running that has run for longest, in milliseconds; 0 when none runs. */
  readonly longestHandlerMs: number;
}

/** Sums up the loops of a topic. */
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
