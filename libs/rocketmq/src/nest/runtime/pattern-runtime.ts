// The contract between a connection and its transport strategy.

import type { PushConsumer } from '../../consumer/push-consumer.js';
import { StateError } from '../../support/errors.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { CheckedOptions } from './module-options.js';

/**
 * - `waiting`: `listen()` was called, but the application has not started yet
 * - `listening`: the handlers receive messages
 * - `draining`: receiving has stopped; running handlers continue
 * - `closed`: all handlers have ended
 */
export type ServerRocketMQStatus = 'waiting' | 'listening' | 'draining' | 'closed';

/** What a server needs of its connection's runtime. */
export interface PatternRuntime {
  readonly options: Pick<CheckedOptions, 'logger'>;
  /** Resolves when the handlers receive messages, or at once when the application has yet to start. */
  startPatterns(): Promise<void>;
  /** Stops the consumers of the handlers and waits for running handlers. */
  stopPatterns(): Promise<void>;
  patternConsumers(): readonly PushConsumer[];
}

/** The transport strategy of a connection. */
export interface PatternServer {
  /** Whether Nest has registered handlers with it. */
  readonly isConnected: boolean;
  /** Whether its handlers are part of the plan. */
  readonly wasPlanned: boolean;
  report(status: ServerRocketMQStatus): void;
}

/** @throws StateError `CONNECTED_LATE` when the application was planned before the handlers were registered */
export function assertConnectedInTime(
  server: PatternServer | undefined,
  planned: readonly PlannedConsumer[] | undefined,
): void {
  if (planned === undefined || server === undefined || !server.isConnected || server.wasPlanned) return;
  const text =
    'connectMicroservice({ strategy: app.get(ServerRocketMQ) }) was called after app.init() or app.listen(), when the ' +
    'consumers were already planned; call it before them';
  throw new StateError('CONNECTED_LATE', text);
}
