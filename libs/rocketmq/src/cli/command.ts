// What a command is, and how a wrong command line is told.

import { UsageError } from '../support/errors.js';

/** One command of the command line. */
export interface Command {
  /** How it is called: `broker [--port 8081]`; further lines go on with the first. */
  readonly usage: readonly string[];
  /** Runs it; resolves when it has ended. */
  run(args: readonly string[]): Promise<void>;
}

/** A wrong command line. */
export function wrongCall(problem: string): UsageError {
  return new UsageError('USAGE', `${problem}; see nestjs-rocketmq --help`);
}

/** @throws UsageError unless the text is a port number */
export function portOf(option: string, text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw wrongCall(`${option} must be a port from 0 to 65535, not "${text}"`);
}

/** @throws UsageError unless the text is a whole number above 0 */
export function countOf(option: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw wrongCall(`${option} must be a whole number above 0, not "${text}"`);
}

/** The types that a topic can have. */
export const TOPIC_TYPES = ['normal', 'fifo', 'delay', 'transaction', 'priority'] as const;
export type TopicType = (typeof TOPIC_TYPES)[number];

/** @throws UsageError unless the text is a type that a topic can have */
export function topicTypeOf(option: string, text: string): TopicType {
  const type = TOPIC_TYPES.find((known) => known === text);
  if (type !== undefined) return type;
  throw wrongCall(`${option} must be one of ${TOPIC_TYPES.join(', ')}, not "${text}"`);
}
