// Kills this process once at a named point of the library, for crash tests.

import type { CheckpointHook } from 'nestjs-rocketmq/testing';
import { createOnce } from './create-once.js';
import { ConfigurationError, type Environment, textOf } from './environment.js';

/**
 * Implements `DEMO_FAULT_POINT=<point>[:<topic>]`: at that point the process kills itself as if by SIGKILL, unless the file
 * `DEMO_FAULT_MARKER` exists. It first writes the file, with the point that was reached. Undefined if the variable is not set.
 * @throws ConfigurationError if `DEMO_FAULT_MARKER` is not set
 */
export function faultCheckpoint(env: Environment): CheckpointHook | undefined {
  const wanted = textOf(env, 'DEMO_FAULT_POINT');
  if (wanted === undefined) return undefined;
  const marker = textOf(env, 'DEMO_FAULT_MARKER');
  if (marker === undefined)
    throw new ConfigurationError('DEMO_FAULT_POINT requires DEMO_FAULT_MARKER, the path of a file to write');
  const [wantedPoint, wantedTopic] = wanted.split(':');
  return (point, { topic, messageId }) => {
    if (point !== wantedPoint || (wantedTopic !== undefined && topic !== wantedTopic)) return;
    if (!createOnce(marker, JSON.stringify({ point, topic, messageId, pid: process.pid }))) return;
    process.kill(process.pid, 'SIGKILL');
  };
}

/** Adds the hook to options of RocketMQModule; without one, the testing tools of the library are not loaded. */
export async function withFaultPoint<Options extends object>(
  options: Options,
  hook: CheckpointHook | undefined,
): Promise<Options> {
  if (hook === undefined) return options;
  const { withCheckpoints } = await import('nestjs-rocketmq/testing');
  return withCheckpoints(options, hook);
}
