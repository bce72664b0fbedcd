// What a connection and its transport strategy need of each other.

import type { PushConsumer } from '../../consumer/push-consumer.js';
import { StateError } from '../../support/errors.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';

/**
 * - `waiting`: `listen()` was called, the application has not started yet
 * - `listening`: the handlers get messages
 * - `draining`: no more are received; handlers that run go on
 * - `closed`: all have ended
 */
export type ServerRocketMQStatus = 'waiting' | 'listening' | 'draining' | 'closed';

/** What runs for a server: the runtime of a connection. */
export interface PatternRuntime {
  /** Resolves when the handlers get messages, or at once when the application has yet to start. */
  startPatterns(): Promise<void>;
  /** Stops the consumers of the handlers and waits for those that run. */
  stopPatterns(): Promise<void>;
  patternConsumers(): readonly PushConsumer[];
}

/** The transport strategy of a connection. */
export interface PatternServer {
  /** Whether Nest has handed it handlers. */
  readonly isConnected: boolean;
  /** Whether its handlers are among those that were planned. */
  readonly wasPlanned: boolean;
  tell(status: ServerRocketMQStatus): void;
}

/** @throws StateError `CONNECTED_LATE` when the application was planned before it had the handlers */
export function assertConnectedInTime(
  server: PatternServer | undefined,
  planned: readonly PlannedConsumer[] | undefined,
): void {
  if (planned === undefined || server === undefined || !server.isConnected || server.wasPlanned) return;
  const text =
    'connectMicroservice({ strategy: app.get(ServerRocketMQ) }) came after app.init() or app.listen(), when the consumers were ' +
    'decided already; call it before';
  throw new StateError('CONNECTED_LATE', text);
}
