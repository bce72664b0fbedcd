// The entry point of the command line: runs a command, prints its error, sets the exit code.

import { once } from 'node:events';
import { Command, CommanderError } from 'commander';
import { type Outcome, RocketMQError, UsageError } from '../support/errors.js';
import { describeError, visible } from '../support/logger.js';
import { addAsyncApiCommand } from './asyncapi-command.js';
import { addBrokerCommand } from './broker-command.js';
import {
  type AddCommand,
  CommandError,
  type CommandIo,
  type ImportModule,
  type ProcessIo,
  withExamples,
} from './command.js';
import { addConsoleCommand } from './console-command.js';
import { addDeadLetterCommand } from './dead-letter-command.js';
import { addDoctorCommand } from './doctor-command.js';
import { addFailureCommand } from './failure-command.js';
import { addGroupCommand } from './group-command.js';
import { addLagCommand } from './lag-command.js';
import { addMessageCommand } from './message-command.js';
import { addNewCommand } from './new-command.js';
import { jsonLine } from './output.js';
import { addRewindCommand } from './rewind-command.js';
import { addScheduleCommand } from './schedule-command.js';
import { addServerCommand } from './server-command.js';
import { addSqlCommand } from './sql-command.js';
import { addTopicCommand } from './topic-command.js';
import { addTransactionCommand } from './transaction-command.js';
import { SignalError } from './until-stopped.js';

/** Warnings do not change the exit code. */
const EXIT_CODES = { done: 0, failed: 1, wrongCall: 2 } as const;

const COMMANDS: readonly AddCommand[] = [
  addBrokerCommand,
  addServerCommand,
  addConsoleCommand,
  addDoctorCommand,
  addTopicCommand,
  addGroupCommand,
  addLagCommand,
  addRewindCommand,
  addDeadLetterCommand,
  addFailureCommand,
  addTransactionCommand,
  addMessageCommand,
  addScheduleCommand,
  addSqlCommand,
  addAsyncApiCommand,
  addNewCommand,
];

/** The program with all its commands. */
export function programOf(io: CommandIo): Command {
  const program = new Command('nestjs-rocketmq')
    .description('An embedded broker, and administration of Apache RocketMQ 5 without a JVM.')
    .version(io.version, '-V, --version', 'print the version of nestjs-rocketmq')
    // Otherwise the option of a command with this name would be taken for it.
    .enablePositionalOptions()
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      // run() prints all errors, as text or as JSON.
      outputError: () => {},
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const add of COMMANDS) add(program, io);
  return withExamples(program, [
    ['broker', 'start an embedded broker for development'],
    ['topic create --help', 'the options of a command, with examples'],
  ]);
}

/** The same for every terminal, so that the guide can contain the same text. */
const HELP_WIDTH = 110;

/**
 * Runs a command line, given without the name of the program.
 * @returns the exit code: 0 succeeded, 1 failed, 2 the command line is wrong, above 128 a signal ended it
 */
export async function run(args: readonly string[], surroundings: ProcessIo): Promise<number> {
  const asJson = args.includes('--json');
  let hasFailed = false;
  // Much of the output comes from servers and messages and can contain control characters.
  const out = (text: string): void => surroundings.out(visible(text));
  const err = (text: string): void => surroundings.err(visible(text));
  const io: CommandIo = {
    out,
    err,
    flushed: () => surroundings.flushed(),
    env: surroundings.env,
    version: surroundings.version,
    closed: surroundings.closed,
    importModule: surroundings.importModule,
    warn: (text) => err(asJson ? jsonLine({ warning: text }) : `warning: ${text}\n`),
    fail: () => {
      hasFailed = true;
    },
  };
  try {
    await programOf(io).parseAsync([...args], { from: 'user' });
    return hasFailed ? EXIT_CODES.failed : EXIT_CODES.done;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_CODES.done;
    const code = exitCodeOf(error);
    // A call without a command has printed the help already.
    if ((error as { code?: unknown }).code !== 'commander.help') io.err(errorText(error, asJson));
    return code;
  }
}

/** Runs a command line in this process, and sets its exit code. @param version of the package */
export async function main(args: readonly string[], importModule: ImportModule, version = '0.0.0'): Promise<void> {
  const closed = new AbortController();
  let isLost = false;
  // A reader such as `head` may close the pipe early. A command that ends by itself still completes.
  const onError = (error: NodeJS.ErrnoException): void => {
    closed.abort(error);
    if (error.code === 'EPIPE' || isLost) return;
    isLost = true;
    process.exitCode = EXIT_CODES.failed;
    process.stderr.write(`the output cannot be written: ${visible(error.message)}\n`);
  };
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onError);
  const code = await run(args, {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    flushed: async () => {
      if (process.stdout.writableNeedDrain)
        await once(process.stdout, 'drain', { signal: closed.signal }).catch(() => {});
    },
    env: process.env,
    version,
    closed: closed.signal,
    importModule,
  });
  process.exitCode = isLost ? EXIT_CODES.failed : code;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof SignalError) return error.exitCode;
  return isWrongCall(error) ? EXIT_CODES.wrongCall : EXIT_CODES.failed;
}

/** Errors that are known before a server is asked. What does not exist, a topic, a queue or a package, is a failure, not a usage error. */
function isWrongCall(error: unknown): boolean {
  const isFailure = (code: string): boolean => code.startsWith('UNKNOWN_') || code === 'PACKAGE_MISSING';
  return error instanceof CommanderError || (error instanceof UsageError && !isFailure(error.code));
}

/** The parser of the command line quotes what it cannot read, and that may be an address with a password. */
function withoutUsers(message: string): string {
  return message.replace(/'[^']*@/g, "'…@");
}

function errorText(error: unknown, asJson: boolean): string {
  const message = error instanceof CommanderError ? withoutUsers(error.message) : describeError(error);
  if (!asJson) return `${message}\n`;
  return jsonLine({ error: { code: codeOf(error), message, ...effectOf(error) } });
}

function codeOf(error: unknown): string {
  if (RocketMQError.is(error)) return error.code;
  return error instanceof CommanderError ? 'USAGE' : 'FAILED';
}

function effectOf(error: unknown): { readonly outcome: Outcome; readonly retryable: boolean } {
  if (RocketMQError.is(error)) return { outcome: error.outcome, retryable: error.retryable };
  if (error instanceof CommanderError) return { outcome: 'not-sent', retryable: false };
  // Of an error that nobody expected, nothing is known.
  return { outcome: error instanceof CommandError ? error.outcome : 'unknown', retryable: false };
}
