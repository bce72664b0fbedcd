// Killing this process at a named point of the library, once, for crash tests.

import { createOnce } from './create-once.js';
import { ConfigurationError, type Environment, textOf } from './environment.js';

/** Where the library can stop, and what its message is. */
export type Checkpoint = (point: string, about: { readonly topic: string; readonly messageId: string }) => void;

/**
 * What `DEMO_FAULT_POINT=<point>[:<topic>]` asks for: at that point the process kills itself as if by SIGKILL, unless the file
 * `DEMO_FAULT_MARKER` exists; the file is written first and says what was reached. Undefined when the variable is not set.
 * @throws ConfigurationError when the marker is missing
 */
export function faultCheckpoint(env: Environment): Checkpoint | undefined {
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
