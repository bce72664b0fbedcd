// The entry of the command line: chooses the command, tells what is wrong, sets the exit code.

import { UsageError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import { brokerCommand } from './broker-command.js';
import type { Command } from './command.js';
import { groupCommand, topicCommand } from './resource-commands.js';

function commandOf(name: string | undefined): Command | undefined {
  switch (name) {
    case 'broker':
      return brokerCommand;
    case 'topic':
      return topicCommand;
    case 'group':
      return groupCommand;
    default:
      return undefined;
  }
}

function help(): string {
  const entries = [brokerCommand, topicCommand, groupCommand].map(({ usage: [call, ...more] }) =>
    [`  nestjs-rocketmq ${call}`, ...more.map((line) => `    ${line}`)].join('\n'),
  );
  return ['usage:', ...entries].join('\n');
}

/** Runs a command line, without the program's name. A failure is printed and sets the exit code 1; a wrong call, 2. */
export async function main(args: readonly string[]): Promise<void> {
  const [name, ...rest] = args;
  const command = commandOf(name);
  if (command === undefined) {
    const isHelp = name === '--help' || name === '-h';
    (isHelp ? console.log : console.error)(isHelp ? help() : `no command "${name ?? ''}"\n${help()}`);
    process.exitCode = isHelp ? 0 : 2;
    return;
  }
  try {
    await command.run(rest);
  } catch (error) {
    console.error(describeError(error));
    process.exitCode = isWrongCall(error) ? 2 : 1;
  }
}

/** Ours, or the one of Node's own parser. */
function isWrongCall(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return error instanceof UsageError || (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS'));
}
