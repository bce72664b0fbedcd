// The entry of the command line: runs what is called, tells what went wrong, sets the exit code.

import { Command, CommanderError } from 'commander';
import { RocketMQError, UsageError } from '../support/errors.js';
import { describeError, visible } from '../support/logger.js';
import { addBrokerCommand } from './broker-command.js';
import { type AddCommand, type CommandIo, type ProcessIo, withExamples } from './command.js';
import { addDeadLetterCommand } from './dead-letter-command.js';
import { addDoctorCommand } from './doctor-command.js';
import { addGroupCommand } from './group-command.js';
import { addLagCommand } from './lag-command.js';
import { addMessageCommand } from './message-command.js';
import { jsonLine } from './output.js';
import { addRewindCommand } from './rewind-command.js';
import { addTopicCommand } from './topic-command.js';
import { addTransactionCommand } from './transaction-command.js';

/** How a command ended. A warning is no failure. */
const EXIT_CODES = { done: 0, failed: 1, wrongCall: 2 } as const;

const COMMANDS: readonly AddCommand[] = [
  addBrokerCommand,
  addDoctorCommand,
  addTopicCommand,
  addGroupCommand,
  addLagCommand,
  addRewindCommand,
  addDeadLetterCommand,
  addTransactionCommand,
  addMessageCommand,
];

/** The program with all its commands. */
export function programOf(io: CommandIo): Command {
  const program = new Command('nestjs-rocketmq')
    .description('An embedded broker, and what operating Apache RocketMQ 5 needs, without a JVM.')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      // What is wrong is told in one place, run(), in the form that was asked for.
      outputError: () => {},
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const add of COMMANDS) add(program, io);
  return withExamples(program, [
    ['broker', 'an embedded broker for development'],
    ['topic create --help', 'what a command takes, with examples'],
  ]);
}

/** Wherever it is printed, so that the guide can hold the same text. */
const HELP_WIDTH = 110;

/**
 * Runs a command line, without the program's name.
 * @returns the exit code: 0 done, 1 failed, 2 a wrong call
 */
export async function run(args: readonly string[], surroundings: ProcessIo): Promise<number> {
  const asJson = args.includes('--json');
  let hasFailed = false;
  // Whatever is printed goes through here, and much of it is what servers and messages say.
  const out = (text: string): void => surroundings.out(visible(text));
  const err = (text: string): void => surroundings.err(visible(text));
  const io: CommandIo = {
    out,
    err,
    env: surroundings.env,
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
    const code = isWrongCall(error) ? EXIT_CODES.wrongCall : EXIT_CODES.failed;
    // The help that a call without a command gets says it all.
    if ((error as { code?: unknown }).code !== 'commander.help') io.err(told(error, asJson));
    return code;
  }
}

/** Runs a command line in this process, and sets its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', unlessNobodyReads);
  process.exitCode = await run(args, {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    env: process.env,
  });
}

/** Who reads may leave before the end, as `head` does: what a command does is done all the same. */
function unlessNobodyReads(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

/** Known without asking anybody: a topic or a queue that is not there is no wrong call. */
function isWrongCall(error: unknown): boolean {
  return error instanceof CommanderError || (error instanceof UsageError && !error.code.startsWith('UNKNOWN_'));
}

function told(error: unknown, asJson: boolean): string {
  const message = error instanceof CommanderError ? error.message : describeError(error);
  if (!asJson) return `${message}\n`;
  const told = RocketMQError.is(error)
    ? { code: error.code, message, outcome: error.outcome, retryable: error.retryable }
    : { code: error instanceof CommanderError ? 'USAGE' : 'FAILED', message };
  return jsonLine({ error: told });
}
