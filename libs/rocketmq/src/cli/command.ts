// What the commands share: usage errors, examples, and the values of arguments and options.

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AlreadyExistsError } from '../admin/admin-errors.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import type { TopicType } from '../protocol/model/message.js';
import { type Outcome, RocketMQError, UsageError } from '../support/errors.js';
import { isIntegerFrom } from '../support/options.js';

/** `import()`, given by what starts the command line: the published code is CommonJS, in which it would become a `require()`. */
export type ImportModule = (specifier: string) => Promise<unknown>;

/** Where a command writes, its environment variables, and how it loads what others wrote. */
export interface ProcessIo {
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Resolves when what was written to standard output has been taken, or nobody reads it any more. */
  flushed(): Promise<void>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The version of the package. */
  readonly version: string;
  /** Aborts when nobody reads the output any more: a command that would go on for ever ends then. */
  readonly closed: AbortSignal;
  readonly importModule: ImportModule;
}

/** The same for a running command. */
export interface CommandIo extends ProcessIo {
  /** Writes a line to standard error. It does not change the exit code. */
  warn(text: string): void;
  /** Sets the exit code to 1; the command continues. */
  fail(): void;
}

/** Adds a command with its options and its help to the program. Its implementation is loaded when it runs. */
export type AddCommand = (program: Command, io: CommandIo) => void;

/** The error for a wrong command line. */
export function wrongCall(problem: string): UsageError {
  return new UsageError('USAGE', `${problem}; see nestjs-rocketmq --help`);
}

/** A failure of a command that has no code of its own. Repeating it unchanged fails again. Unless `outcome` is given, nothing was sent that could take effect. */
export class CommandError extends Error {
  readonly outcome: Outcome;

  constructor(
    message: string,
    { outcome = 'not-sent', ...options }: ErrorOptions & { readonly outcome?: Outcome } = {},
  ) {
    super(message, options);
    this.outcome = outcome;
  }
}

/** What a command is about does not exist, or a database rejected it. Nothing took effect. */
export class CommandRejection extends RocketMQError {
  constructor(
    code: 'CONSUMER_GROUP_NOT_FOUND' | 'INVALID_PARAMETER' | 'NOT_FOUND' | 'TOPIC_NOT_FOUND' | 'UNAUTHORIZED',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, 'rejected', false, options);
  }
}

/** Adds examples below the help of a command: the call and its purpose. */
export function withExamples(
  command: Command,
  examples: readonly (readonly [call: string, purpose: string])[],
): Command {
  const lines = examples.map(([call, purpose]) => `  # ${purpose}\n  $ nestjs-rocketmq ${call}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** Parses a port from 0 to 65535. */
export function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('It must be a port from 0 to 65535.');
}

/** Parses an integer above 0. */
export function countOf(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && isIntegerFrom(count, 1)) return count;
  throw new InvalidArgumentError('It must be an integer above 0.');
}

/** Parses an ISO 8601 time in UTC or with an offset. */
export function dateOf(text: string): Date {
  const date = new Date(text);
  if (/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:?\d\d))?$/.test(text) && !Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError('It must be a time like 2026-03-01T12:00:00Z.');
}

/** @throws CommandRejection that names the command which lists what exists, unless the group exists */
export async function assertGroupExists(
  admin: Pick<RocketMQAdmin, 'describeGroup'>,
  group: string,
  listing: string,
): Promise<void> {
  if ((await admin.describeGroup(group)) !== undefined) return;
  const problem = `group "${group}" does not exist; list the existing groups with: ${listing}`;
  throw new CommandRejection('CONSUMER_GROUP_NOT_FOUND', problem);
}

/** @throws CommandRejection that names the command which lists what exists, unless the topic exists */
export async function assertTopicExists(
  admin: Pick<RocketMQAdmin, 'describeTopic'>,
  topic: string,
  listing: string,
): Promise<void> {
  if ((await admin.describeTopic(topic)) !== undefined) return;
  const problem = `topic "${topic}" does not exist; list the existing topics with: ${listing}`;
  throw new CommandRejection('TOPIC_NOT_FOUND', problem);
}

/** `1 topic`, `2 topics`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The option of every command that prints a result. */
export function jsonOption(): Option {
  return new Option('--json', 'print one JSON document on standard output, errors as JSON on standard error');
}

/** The option of every command that deletes, moves or resends something. */
export function yesOption(): Option {
  return new Option('--yes', 'make the change; without this option the command only prints what it would do');
}

/** The option of every command that creates something which may already exist. */
export function alterOption(): Option {
  return new Option(
    '--yes',
    'alter it if it exists with other settings; without this option the command fails and changes nothing',
  );
}

/** Names the option where the library names its own. @throws the error */
export function rejectToAlter(error: unknown): never {
  // Not `instanceof`: the class is loaded only when a command runs.
  if (!RocketMQError.is(error) || error.code !== 'ALREADY_EXISTS') throw error;
  const { what, differences } = error as AlreadyExistsError;
  throw new CommandError(
    `${what} already exists with other settings: ${differences.join('; ')}; nothing was changed; add --yes to alter it`,
  );
}

/** The values of `--type`. A list of its own: before a command runs, nothing but the command line is loaded. */
export const TOPIC_TYPES = [
  'normal',
  'fifo',
  'delay',
  'transaction',
  'priority',
  'lite',
] as const satisfies readonly TopicType[];

/** What can install a project. */
export const PACKAGE_MANAGERS = ['npm', 'pnpm', 'yarn'] as const;

/** For an option that can be repeated. */
export function eachOf<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before = []) => [...before, parse(text)];
}
