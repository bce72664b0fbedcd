// What the commands share: how a wrong call is told, and what arguments and options may be.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../support/errors.js';

/** Where a command writes, and what it knows of its surroundings. */
export interface ProcessIo {
  /** Writes to standard output, as it is. */
  out(text: string): void;
  /** Writes to standard error, as it is. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The same for a command under way. */
export interface CommandIo extends ProcessIo {
  /** Writes a line to standard error that is no failure by itself. */
  warn(text: string): void;
  /** The command goes on, but its exit code is 1. */
  fail(): void;
}

/** Adds a command, with its options and its help, to the program. What it does is loaded when it is called. */
export type AddCommand = (program: Command, io: CommandIo) => void;

/** A wrong command line. */
export function wrongCall(problem: string): UsageError {
  return new UsageError('USAGE', `${problem}; see nestjs-rocketmq --help`);
}

/** Examples below the help of a command: the call, and what it is for. */
export function withExamples(
  command: Command,
  examples: readonly (readonly [call: string, purpose: string])[],
): Command {
  const lines = examples.map(([call, purpose]) => `  # ${purpose}\n  $ nestjs-rocketmq ${call}`);
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** Takes a value from 0 to 65535. */
export function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('It must be a port from 0 to 65535.');
}

/** Takes a whole number above 0. */
export function countOf(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

/** Takes a moment as ISO 8601 in UTC or with an offset. */
export function dateOf(text: string): Date {
  const date = new Date(text);
  if (/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:?\d\d))?$/.test(text) && !Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError('It must be a time like 2026-03-01T12:00:00Z.');
}

/** `1 topic`, `2 topics`. */
export function plural(count: number | bigint, noun: string): string {
  return `${count} ${noun}${String(count) === '1' ? '' : 's'}`;
}

/** The option of every command that prints a result. */
export function jsonOption(): Option {
  return new Option('--json', 'print one JSON document on standard output, errors as JSON on standard error');
}

/** The option of every command that takes away or moves something. */
export function yesOption(): Option {
  return new Option('--yes', 'do it; without this option the command only prints what it would do');
}

/** The option of every command that makes something, which may be there already. */
export function alterOption(): Option {
  return new Option(
    '--yes',
    'also alter what is there otherwise; without this option that is a failure, and nothing is changed',
  );
}

/** What is to be made is there, and not as it was asked for. */
export function existsOtherwise(what: string, differences: readonly string[]): Error {
  return new Error(
    `${what} is there otherwise: ${differences.join('; ')}; nothing was changed: repeat it with --yes to alter it`,
  );
}

/** The types that a topic can have. */
export const TOPIC_TYPES = ['normal', 'fifo', 'delay', 'transaction', 'priority'] as const;
export type TopicType = (typeof TOPIC_TYPES)[number];

/** For an option that may be given several times. */
export function eachOf<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before = []) => [...before, parse(text)];
}
