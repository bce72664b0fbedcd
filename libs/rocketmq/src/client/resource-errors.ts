// Errors of a start: a topic or group is missing or has another type on the cluster, with the command that fixes it; and what follows.

import type { MessageType } from '../protocol/model/message.js';
import { commandLine } from '../support/command-line.js';
import { RocketMQError, StateError } from '../support/errors.js';
import { describeError } from '../support/logger.js';

/** A topic or group that the application needs is missing or has another type. Nothing took effect; run `command`, then start again. */
export class ResourceError extends RocketMQError {
  constructor(
    code:
      | 'TOPIC_NOT_FOUND'
      | 'TOPIC_TYPE_MISMATCH'
      | 'CONSUMER_GROUP_NOT_FOUND'
      | 'CONSUMER_GROUP_NOT_FIFO'
      | 'CONSUMER_GROUP_WITHOUT_ATTEMPTS',
    problem: string,
    /** The command that creates or alters it. Run it where the name server is reachable. */
    readonly command: string,
    options?: ErrorOptions,
  ) {
    super(code, `${problem}; to fix it, run: ${command}`, 'rejected', false, options);
  }
}

/** The error of what is called on a client whose start has failed. @param what `producer`, `consumer of "stock"` @param cause why */
export function didNotStart(what: string, cause: unknown): StateError {
  const text = `the ${what} did not start (${describeError(cause)}) and is closed, so nothing was sent; create a new one to try again`;
  return new StateError('CLOSED', text, { cause });
}

const NAME_SERVER = ['--name-server', 'NAMESERVER:9876'] as const;

/** How long a real server reports a topic as missing if a client asked for it before its creation; measured, see `docs/protocol-notes.md`. */
export const DENIAL_SECONDS = 20;

/** @param type the type that the application sends or expects; undefined for any */
export function topicNotFound(topic: string, type: MessageType | undefined, cause?: unknown): ResourceError {
  const command = commandLine('topic', 'create', topic, '--type', type ?? 'normal', ...NAME_SERVER);
  const problem =
    `topic "${topic}" does not exist on this cluster, or was created a moment ago: a server that received a request for a topic ` +
    `before its creation reports it as missing for ${DENIAL_SECONDS} s, and once more after that`;
  return new ResourceError('TOPIC_NOT_FOUND', problem, command, { cause });
}

export function topicTypeMismatch(topic: string, wanted: MessageType, found: readonly MessageType[]): ResourceError {
  const takes = found.join(', ') || 'no';
  const problem =
    `topic "${topic}" accepts ${takes} messages, not ${wanted} messages; a topic has one type from RocketMQ 5.0 on, so give ${wanted} messages ` +
    'another topic, or change this one if it is for them alone';
  const command = commandLine('topic', 'create', topic, '--type', wanted, '--yes', ...NAME_SERVER);
  return new ResourceError('TOPIC_TYPE_MISMATCH', problem, command);
}

export function consumerGroupNotFound(group: string, isFifo: boolean, cause?: unknown): ResourceError {
  const command = commandLine('group', 'create', group, ...(isFifo ? ['--fifo'] : []), ...NAME_SERVER);
  const problem = `consumer group "${group}" does not exist on this cluster`;
  return new ResourceError('CONSUMER_GROUP_NOT_FOUND', problem, command, { cause });
}

/** @param server the name of the server that said so */
export function consumerGroupNotFifo(group: string, server: string): ResourceError {
  const command = commandLine('group', 'create', group, '--fifo', '--yes', ...NAME_SERVER);
  const problem =
    `consumer group "${group}" is not an ordered (FIFO) group on ${server}, so the order of messages would not be guaranteed; ` +
    'nothing is received from there';
  return new ResourceError('CONSUMER_GROUP_NOT_FIFO', problem, command);
}

/** @param server the name of the server that said so */
export function consumerGroupWithoutAttempts(group: string, server: string): ResourceError {
  const command = commandLine('group', 'create', group, '--max-attempts', '17', '--yes', ...NAME_SERVER);
  const problem =
    `consumer group "${group}" has no attempts on ${server}: its retryMaxTimes is below 0 or 2147483647, with which a proxy moves every ` +
    'message to the dead letter queue and delivers none; nothing is received from there';
  return new ResourceError('CONSUMER_GROUP_WITHOUT_ATTEMPTS', problem, command);
}
