// Errors of a start: a topic or group is missing or has another type on the cluster, with the command that fixes it; and what follows.

import type { MessageType } from '../protocol/model/message.js';
import { type ClusterCommand, UNKNOWN_NAME_SERVER } from '../support/command-line.js';
import { RocketMQError, StateError } from '../support/errors.js';
import { describeError } from '../support/logger.js';

/** One topic or group that is missing or different. */
interface Part {
  readonly problem: string;
  /** What else may be the case; the same for several parts. */
  readonly hint?: string;
  readonly command: string;
  /** Endpoints of the cluster; undefined where only one is concerned. */
  readonly at?: string;
}

type Kind =
  | 'TOPIC_NOT_FOUND'
  | 'TOPIC_TYPE_MISMATCH'
  | 'CONSUMER_GROUP_NOT_FOUND'
  | 'CONSUMER_GROUP_NOT_FIFO'
  | 'CONSUMER_GROUP_WITHOUT_ATTEMPTS';

/**
 * Topics or groups that the application needs are missing or have another type. Nothing took effect; run `command`, then start again. `code` is that of
 * the first.
 */
export class ResourceError extends RocketMQError {
  /** The command that creates or alters them; several are joined by `&&`. Run it where the name server is reachable. */
  readonly command: string;
  // Not fields of the error as JSON.
  readonly #parts: readonly Part[];
  readonly #kind: Kind;

  constructor(kind: Kind, parts: readonly Part[], options?: ErrorOptions) {
    const commands = parts.map((part) => part.command);
    const command = commands.join(' && ');
    // Several have lines of their own, to find and copy them.
    const shown = commands.length === 1 ? ` ${command}` : `\n\n${commands.join(' &&\n')}\n`;
    super(kind, `${problemsOf(parts)}; to fix it, run${placeholderIn(command)}:${shown}`, 'rejected', false, options);
    this.command = command;
    this.#parts = parts;
    this.#kind = kind;
  }

  /** @internal an error of an application with several clusters. @param endpoints those of the cluster that it is about */
  static at(endpoints: string, error: ResourceError): ResourceError {
    const parts = error.#parts.map((part) => ({ ...part, at: endpoints }));
    return new ResourceError(error.#kind, parts, { cause: error.cause });
  }

  /** @internal one for each topic and group */
  get problems(): readonly string[] {
    return this.#parts.map((part) => problemsOf([part]));
  }

  /** @internal */
  get commands(): readonly string[] {
    return this.#parts.map(({ command }) => command);
  }

  /** One error for all of them, with each topic and group once. */
  static together(errors: readonly [ResourceError, ...ResourceError[]]): ResourceError {
    const [first] = errors;
    const parts: Part[] = [];
    for (const part of errors.flatMap((error) => error.#parts)) {
      if (!parts.some((known) => areSame(known, part))) parts.push(part);
    }
    return parts.length === first.#parts.length ? first : new ResourceError(first.#kind, parts, { cause: first.cause });
  }
}

/** Two clusters whose name servers are not known have the same commands. */
function areSame(one: Part, other: Part): boolean {
  const isSameCommand = one.command === other.command;
  if (one.at !== other.at) return isSameCommand && placeholderIn(one.command) === '';
  return isSameCommand || one.problem === other.problem;
}

/** What a reader must put in. */
export function placeholderIn(command: string): string {
  return command.includes(UNKNOWN_NAME_SERVER)
    ? `, with the address of a name server for ${UNKNOWN_NAME_SERVER} (the option nameServer puts it in)`
    : '';
}

/** A hint stands once, behind the last of the problems that share it. */
function problemsOf(parts: readonly Part[]): string {
  const texts = parts.map(({ problem, hint, at }, index) => {
    const text = at === undefined ? problem : `at ${at}: ${problem}`;
    return hint === undefined || parts.slice(index + 1).some((later) => later.hint === hint)
      ? text
      : `${text}, ${hint}`;
  });
  return texts.join('; ');
}

/** The errors of a start that say what is missing, so that several of them are one. */
export interface Lacks<Lack> {
  is(error: unknown): error is Lack;
  together(errors: readonly [Lack, ...Lack[]]): Error;
}

const RESOURCES: Lacks<ResourceError> = {
  is: (error) => error instanceof ResourceError,
  together: (errors) => ResourceError.together(errors),
};

/**
 * Waits for parts of a start that do not depend on each other, so that all missing topics and groups are named together. A failure of another kind
 * ends the wait.
 * @throws an error for all that are missing, in the order of the parts; without one, the first other failure
 */
export async function everyPart(parts: readonly Promise<unknown>[]): Promise<void>;
export async function everyPart<Lack>(parts: readonly Promise<unknown>[], lacks: Lacks<Lack>): Promise<void>;
export async function everyPart(parts: readonly Promise<unknown>[], lacks: Lacks<unknown> = RESOURCES): Promise<void> {
  const missing = new Map<number, unknown>();
  const noted = parts.map((part, at) =>
    part.catch((error) => {
      if (!lacks.is(error)) throw error;
      missing.set(at, error);
    }),
  );
  await Promise.all(noted).catch((error) => {
    if (missing.size === 0) throw error;
  });
  const [first, ...others] = [...missing].sort(([one], [other]) => one - other).map(([, error]) => error);
  if (missing.size > 0) throw lacks.together([first, ...others]);
}

/**
 * Waits for a part of a start. When it lacks a topic or group, what other parts lack that have not started is named with it.
 * @throws as {@link everyPart}
 */
export async function namingAll(start: Promise<unknown>, others: () => readonly Promise<unknown>[]): Promise<void>;
export async function namingAll<Lack>(
  start: Promise<unknown>,
  others: () => readonly Promise<unknown>[],
  lacks: Lacks<Lack>,
): Promise<void>;
export async function namingAll(
  start: Promise<unknown>,
  others: () => readonly Promise<unknown>[],
  lacks: Lacks<unknown> = RESOURCES,
): Promise<void> {
  await start.catch((error) => everyPart([Promise.reject(error), ...(lacks.is(error) ? others() : [])], lacks));
}

/** The error of what is called on a client whose start has failed. @param what `producer`, `consumer of "stock"` @param cause why */
export function didNotStart(what: string, cause: unknown): StateError {
  const text = `the ${what} did not start (${describeError(cause)}) and is closed, so nothing was sent; create a new one to try again`;
  return new StateError('CLOSED', text, { cause });
}

/** How long a real server reports a topic as missing if a client asked for it before its creation; measured, see `docs/protocol-notes.md`. */
export const DENIAL_SECONDS = 20;

/**
 * @param type the type that the application sends or expects; undefined for any
 * @param mayBeNew whether the server may report a topic as missing that was created a moment ago
 */
export function topicNotFound(
  on: ClusterCommand,
  topic: string,
  type: MessageType | undefined,
  mayBeNew: boolean,
  cause?: unknown,
): ResourceError {
  const command = on('topic', 'create', topic, '--type', type ?? 'normal');
  const problem = `topic "${topic}" does not exist on this cluster`;
  const hint =
    'or was created a moment ago: a server that received a request for a topic ' +
    `before its creation reports it as missing for ${DENIAL_SECONDS} s, and once more after that`;
  return new ResourceError('TOPIC_NOT_FOUND', [{ problem, command, ...(mayBeNew && { hint }) }], { cause });
}

/** The topic in which delayed messages wait, which no code of the application names. */
export function delayTopicNotFound(on: ClusterCommand, topic: string, cause: unknown): ResourceError {
  const command = on('topic', 'create', topic, '--type', 'normal');
  const problem =
    `topic "${topic}" does not exist on this cluster, and the option delayLevels of the producer needs it: ` +
    'messages with a delay of several levels wait there';
  return new ResourceError('TOPIC_NOT_FOUND', [{ problem, command }], { cause });
}

export function topicTypeMismatch(
  on: ClusterCommand,
  topic: string,
  wanted: MessageType,
  found: readonly MessageType[],
): ResourceError {
  const takes = found.join(', ') || 'no';
  const problem =
    `topic "${topic}" accepts ${takes} messages, not ${wanted} messages; a topic has one type from RocketMQ 5.0 on, so give ${wanted} messages ` +
    'another topic, or change this one if it is for them alone';
  const command = on('topic', 'create', topic, '--type', wanted, '--yes');
  return new ResourceError('TOPIC_TYPE_MISMATCH', [{ problem, command }]);
}

export function consumerGroupNotFound(
  on: ClusterCommand,
  group: string,
  isFifo: boolean,
  cause?: unknown,
): ResourceError {
  const command = on('group', 'create', group, ...(isFifo ? ['--fifo'] : []));
  const problem = `consumer group "${group}" does not exist on this cluster`;
  return new ResourceError('CONSUMER_GROUP_NOT_FOUND', [{ problem, command }], { cause });
}

/** @param server the name of the server that said so */
export function consumerGroupNotFifo(on: ClusterCommand, group: string, server: string): ResourceError {
  const command = on('group', 'create', group, '--fifo', '--yes');
  const problem =
    `consumer group "${group}" is not an ordered (FIFO) group on ${server}, so the order of messages would not be guaranteed; ` +
    'nothing is received from there';
  return new ResourceError('CONSUMER_GROUP_NOT_FIFO', [{ problem, command }]);
}

/** @param server the name of the server that said so */
export function consumerGroupWithoutAttempts(on: ClusterCommand, group: string, server: string): ResourceError {
  const command = on('group', 'create', group, '--max-attempts', '17', '--yes');
  const problem =
    `consumer group "${group}" has no attempts on ${server}: its retryMaxTimes is below 0 or 2147483647, with which a proxy moves every ` +
    'message to the dead letter queue and delivers none; nothing is received from there';
  return new ResourceError('CONSUMER_GROUP_WITHOUT_ATTEMPTS', [{ problem, command }]);
}
