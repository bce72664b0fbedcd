// `nestjs-rocketmq server`: its command line. The implementation is in server-process.ts and server/.

import { InvalidArgumentError, Option } from 'commander';
import { declaredGroup, declaredTopic } from './broker-command.js';
import { type AddCommand, eachOf, portOf, TOPIC_TYPES, withExamples } from './command.js';
import type { ServerValues } from './server-process.js';

export const addServerCommand: AddCommand = (program, io) => {
  const command = program
    .command('server')
    .summary('Starts a real Apache RocketMQ for this machine; needs Java.')
    .description(
      'Starts a real Apache RocketMQ for clients on this machine, and keeps it until it receives SIGINT or SIGTERM: name server and broker, and from 5.3.3 on a proxy. Needs Java 17 or newer, on Linux or macOS. Downloads the version once, from Maven Central. Without access control, and some of its ports listen on all interfaces: use it where a firewall keeps others away.',
    )
    .option('--version <version>', 'the version of Apache RocketMQ (default: 5.5.0)')
    .option('--port <port>', 'port of the proxy, for clients by gRPC (default: 8081)', fixedPort)
    .option('--remoting-port <port>', 'port of the proxy for clients by remoting (default: 8080)', fixedPort)
    .option('--name-server-port <port>', 'port of the name server (default: 9876)', fixedPort)
    .option(
      '--broker-port <port>',
      'port of the broker, which takes this port minus 2 and plus 1 as well (default: 10911)',
      fixedPort,
    )
    .option(
      '--topic <name[:type[:queues]]>',
      `create a topic; type: ${TOPIC_TYPES.join(', ')}. No other topic is created`,
      eachOf(declaredTopic),
    )
    .option('--group <name[:fifo|normal[:maxAttempts]]>', 'create a consumer group', eachOf(declaredGroup))
    .option('--data <folder>', 'keep messages, topics and groups there (default: a temporary folder)')
    .option('--repository <url>', 'a mirror of Maven Central to download from')
    .option('--wait', 'end when it is ready, and leave it running; prints the command that stops it')
    .addOption(new Option('--detached').hideHelp())
    .action(async (values: ServerValues) => {
      const { runServer } = await import('./server-process.js');
      await runServer(values, io);
    });
  withExamples(command, [
    ['server --topic orders --group billing', 'a server with a topic and a consumer group'],
    ['server --topic steps:fifo --group walkers:fifo --data ./rocketmq', 'keep its messages across restarts'],
    ['server --topic orders --wait', 'in a script, before what needs it'],
    ['server --version 4.9.7 --topic orders', 'one without a proxy: connect to name-server:127.0.0.1:9876'],
  ]);
};

/** A server writes its addresses down before it opens the ports. */
function fixedPort(text: string): number {
  const port = portOf(text);
  if (port > 2 && port < 65_535) return port;
  throw new InvalidArgumentError('It must be a port from 3 to 65534.');
}
