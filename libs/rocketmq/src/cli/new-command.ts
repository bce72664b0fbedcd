// `nestjs-rocketmq new`: its command line. new-project.ts writes and installs the project.

import { Option } from 'commander';
import { type AddCommand, PACKAGE_MANAGERS, withExamples } from './command.js';
import type { NewValues } from './new-project.js';

export const addNewCommand: AddCommand = (program, io) => {
  const command = program
    .command('new <folder>')
    .summary('Creates a project to play with: two services, a broker and its console.')
    .description(
      'Creates a project to play with and installs its packages: two NestJS services that exchange messages, a test that moves the time, and a start script that runs both with an embedded broker and its console. Fails when the folder exists and is not empty.',
    )
    .addOption(
      new Option(
        '--package-manager <name>',
        'what installs the packages (default: what runs this command, or npm)',
      ).choices(PACKAGE_MANAGERS),
    )
    .option('--no-install', 'only write the files');
  command.action(async (folder: string, values: NewValues) => {
    const { createProject } = await import('./new-project.js');
    await createProject(folder, values, io);
  });
  withExamples(command, [
    ['new shop', 'a project in the folder shop'],
    ['new shop --package-manager pnpm', 'the same, installed by pnpm'],
    ['new shop --no-install', 'the files only'],
  ]);
};
