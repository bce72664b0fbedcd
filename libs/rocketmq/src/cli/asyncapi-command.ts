// `nestjs-rocketmq asyncapi`: its options. What it does is in asyncapi/.

import type { Command } from 'commander';
import type { DocumentValues } from './asyncapi/document-process.js';
import { type AddCommand, type CommandIo, jsonOption, withExamples } from './command.js';
import type { OutputValues } from './output.js';

interface DiffValues extends OutputValues {
  readonly allowUnknown?: boolean;
}

export const addAsyncApiCommand: AddCommand = (program, io) => {
  const command = program
    .command('asyncapi')
    .summary('The AsyncAPI document of an application, and what changed in it.')
    .description('Prints the AsyncAPI 3 document of an application, and compares two of them. Connects to nothing.');
  addDocumentCommand(command, io);
  addDiffCommand(command, io);
  withExamples(command, [
    ['asyncapi document dist/app.module.js', 'what the application sends and receives'],
    ['asyncapi diff released.json asyncapi.json', 'does a change break senders or receivers?'],
  ]);
};

function addDocumentCommand(parent: Command, io: CommandIo): void {
  const command = parent
    .command('document')
    .description(
      'Prints the AsyncAPI 3 document of a module. Creates no provider and runs no hook (preview mode of Nest), so that nothing connects; the file itself is loaded.',
    )
    .argument('<module>', 'the compiled file of the root module, with #Export unless the export is named AppModule')
    .option('--title <title>', 'the name of the application (default: name in package.json)')
    .option('--version <version>', 'the version of the application (default: version in package.json)')
    .option('--out <file>', 'write to this file, for modules that print something when they are loaded')
    .option(
      '--instantiate',
      'create the providers, for options of RocketMQModule.forRootAsync(); providers that connect when they are created do so',
    )
    .action(async (module: string, values: DocumentValues) => {
      const { printDocument } = await import('./asyncapi/document-process.js');
      await printDocument(module, values, io);
    });
  withExamples(command, [
    ['asyncapi document dist/app.module.js', 'the document of AppModule'],
    [
      'asyncapi document dist/shop.module.js#ShopModule --instantiate --out asyncapi.json',
      'with options from providers',
    ],
  ]);
}

function addDiffCommand(parent: Command, io: CommandIo): void {
  const command = parent
    .command('diff')
    .description(
      'Compares two AsyncAPI 3 documents of an application. What it receives must be accepted as older senders send it, and what it sends must fit what older receivers accept. Exit code 1 for a breaking change, and for one that it cannot decide about (unknown).',
    )
    .argument('<older>', 'the document of the released application, as JSON')
    .argument('<newer>', 'the document of the changed application, as JSON')
    .option('--allow-unknown', 'succeed in spite of changes that it cannot decide about')
    .addOption(jsonOption())
    .action(async (older: string, newer: string, values: DiffValues) => {
      const { printChanges } = await import('./asyncapi/diff-process.js');
      await printChanges(older, newer, { ...values, allowUnknown: values.allowUnknown ?? false }, io);
    });
  withExamples(command, [
    ['asyncapi diff released.json asyncapi.json', 'fails on breaking changes'],
    ['asyncapi diff released.json asyncapi.json --allow-unknown --json', 'the changes as JSON'],
  ]);
}
