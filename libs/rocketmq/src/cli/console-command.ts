// `nestjs-rocketmq console`: its command line. console-process.ts runs it; the pages are in the package nestjs-rocketmq-console.

import { InvalidArgumentError } from 'commander';
import { accessOptions } from './admin-access.js';
import { type AddCommand, portOf, withExamples } from './command.js';
import type { ConsoleValues } from './console-process.js';
import { operationsTopicOption } from './failure-command.js';

export const addConsoleCommand: AddCommand = (program, io) => {
  const command = program
    .command('console')
    .summary('Serves a browser console for a cluster.')
    .description(
      'Serves a browser console for a cluster, on 127.0.0.1 by default, and prints its address with a token that lets one browser in. Without --actions it only shows, and without --bodies it hides what messages contain. Needs the package nestjs-rocketmq-console.',
    )
    .option('--endpoints <addresses>', 'how the console sends: host:port of the proxies (default: by the name servers)')
    .option(
      '--proxies <addresses>',
      'host:port of proxies in cluster mode, remoting (8080): they know their gRPC clients',
    )
    .option(
      '--control <endpoint>',
      'the control port of an embedded broker: shows and changes everything, unless NODE_ENV is production',
    )
    .option(
      '--host <host>',
      'address to listen on, such as 0.0.0.0 in a container: without encryption (default: 127.0.0.1)',
    )
    .option('--port <port>', 'port of the console (default: any free port)', portOf)
    .option('--actions <names>', 'what can be changed: all, or names such as replay,rewind', actionsOf)
    .option('--bodies <rule>', 'hidden or shown', bodiesOf)
    .addOption(operationsTopicOption());
  accessOptions(command).action(async (values: ConsoleValues) => {
    const { runConsole } = await import('./console-process.js');
    await runConsole(values, io);
  });
  withExamples(command, [
    ['console --name-server ns1:9876', 'look at a cluster'],
    ['console --name-server ns1:9876 --actions replay,rewind --bodies shown', 'and replay dead letters'],
    ['console --name-server ns1:9876 --proxies proxy1:8080', 'and see the clients of a proxy in cluster mode'],
    ['broker --console', 'an embedded broker with its console'],
    ['console --name-server 127.0.0.1:9876 --control 127.0.0.1:9080', 'an embedded broker that runs already'],
  ]);
};

function actionsOf(text: string): 'all' | readonly string[] {
  return text === 'all' ? text : text.split(',').map((name) => name.trim());
}

function bodiesOf(text: string): 'hidden' | 'shown' {
  if (text === 'hidden' || text === 'shown') return text;
  throw new InvalidArgumentError('It must be hidden or shown.');
}
