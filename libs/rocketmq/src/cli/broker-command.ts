// `nestjs-rocketmq broker`: its command line. The implementation is in broker-process.ts, the options and the file of --config are in
// broker-config.ts.

import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type BrokerValues,
  DEFAULT_NAME_SERVER_PORT,
  DEFAULT_PORT,
  type DeclaredGroup,
  type DeclaredTopic,
} from './broker-config.js';
import { type AddCommand, countOf, eachOf, portOf, TOPIC_TYPES, withExamples, wrongCall } from './command.js';
import { controlOption } from './control-option.js';
import { operationsTopicOption } from './failure-command.js';

export const addBrokerCommand: AddCommand = (program, io) => {
  const command = brokerOptions(program.command('broker'));
  command.action(async (values: BrokerValues) => {
    // The environment may have it for other commands.
    if (values.console === undefined && command.getOptionValueSource('operationsTopic') === 'cli')
      throw wrongCall('--operations-topic is for the console; add --console');
    const { runBroker } = await import('./broker-process.js');
    await runBroker(values, io);
  });
};

/** Gives a command the options of a broker. */
function brokerOptions(command: Command): Command {
  command
    .summary('Starts an embedded broker on the loopback interface.')
    .description(
      'Starts an embedded broker that speaks both protocols of Apache RocketMQ, gRPC and remoting, and serves until it receives SIGINT or SIGTERM. For development, tests and demos: a single node, never a cluster.',
    )
    .option('--port <port>', `port for clients by gRPC, 0 for any free port (default: ${DEFAULT_PORT})`, portOf)
    .option(
      '--name-server-port <port>',
      `port for clients by remoting and for administration: name server and broker in one (default: ${DEFAULT_NAME_SERVER_PORT}, or any free port if that is in use)`,
      portOf,
    )
    .option('--no-name-server-port', 'serve gRPC only')
    .option('--host <host>', 'address to listen on (default: 127.0.0.1)')
    .option(
      '--advertise <host>',
      'host that clients are sent to, if it is not the one to listen on: containers, NAT (default: the host)',
    )
    .addOption(controlOption())
    .option(
      '--time-travel',
      'for development only: the time of the broker can be moved ahead, by --control or --console',
    )
    .option('--manual-clock', 'for tests only: the time of the broker stands still until it is moved')
    .addOption(
      new Option(
        '--console [port]',
        'also serve the browser console of the package nestjs-rocketmq-console on this port (default: any free port)',
      ).argParser(portOf),
    )
    .addOption(operationsTopicOption())
    .option('--strict', 'reject topics and groups that are not declared, as a real server does')
    .option('--recall', 'let clients recall delayed messages, as recallMessageEnable of a real server does')
    .option('--data <folder>', 'store messages in this folder (default: in memory)', folderOf)
    .addOption(
      new Option('--flush <mode>', 'with --data: whether a send waits until the message is on disk').choices([
        'sync',
        'async',
      ]),
    )
    .option('--topic <name[:type[:queues]]>', `declare a topic; type: ${TOPIC_TYPES.join(', ')}`, eachOf(declaredTopic))
    .option('--group <name[:fifo|normal[:maxAttempts]]>', 'declare a consumer group', eachOf(declaredGroup))
    .option('--config <file>', 'JSON file with the options of EmbeddedBroker; options of the command line override it');
  return withExamples(command, [
    ['broker', 'for development: topics and groups are created on first use'],
    [
      'broker --data ./data --name-server-port 9876',
      'keep messages across restarts; topic, group, lag etc. work on it',
    ],
    [
      'broker --strict --topic orders:transaction --topic steps:fifo:4 --group billing:fifo:5',
      'as strict as a real server',
    ],
    ['broker --console', 'look at its messages in a browser'],
    ['broker --control 9080', 'inspect it: curl http://127.0.0.1:9080/state, /metrics for Prometheus'],
    ['broker --control 9080 --time-travel', 'move its time ahead: POST /time/advance'],
    ['broker --control 9080 --manual-clock', 'for tests: nothing is due before POST /time/advance'],
    ['broker --host 0.0.0.0 --advertise localhost', 'in a container that publishes its ports under the same numbers'],
    ['broker --config broker.json', 'everything else: TLS, users, backoffs, retention'],
  ]);
}

/** Parses a command line of a broker as the command does. @throws CommanderError when it is wrong */
export function brokerValuesOf(args: readonly string[]): BrokerValues {
  const command = new Command('broker').exitOverride().configureOutput({ outputError() {} });
  return brokerOptions(command)
    .parse([...args], { from: 'user' })
    .opts();
}

/** `name:type:queues`, the last two optional. */
export function declaredTopic(text: string): DeclaredTopic {
  const [name, typeText = 'normal', queues = '8', ...more] = text.split(':');
  if (name === undefined || name === '' || more.length > 0)
    throw new InvalidArgumentError('It must be name:type:queues.');
  const type = TOPIC_TYPES.find((known) => known === typeText);
  if (type === undefined) throw new InvalidArgumentError(`The type must be one of ${TOPIC_TYPES.join(', ')}.`);
  return { name, type, queues: partOf('queues', queues) };
}

/** `name:fifo:maxAttempts`, the last two optional. */
export function declaredGroup(text: string): DeclaredGroup {
  const [name, kind = 'normal', attempts = '17', ...more] = text.split(':');
  if (name === undefined || name === '' || more.length > 0 || !['fifo', 'normal'].includes(kind)) {
    throw new InvalidArgumentError('It must be name:fifo:maxAttempts or name:normal:maxAttempts.');
  }
  return { name, fifo: kind === 'fifo', maxDeliveryAttempts: partOf('attempts', attempts) };
}

function partOf(part: string, text: string): number {
  try {
    return countOf(text);
  } catch {
    throw new InvalidArgumentError(`The ${part} must be an integer above 0.`);
  }
}

function folderOf(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must name a folder.');
  return text;
}
