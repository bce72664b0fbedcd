// `nestjs-rocketmq doctor`: its options. The checks are in doctor/.

import { UNKNOWN_NAME_SERVER } from '../support/command-line.js';
import { commandOn, credentialsOf, type ReachValues, reachOptions, tlsOf } from './admin-access.js';
import { type AddCommand, eachOf, jsonOption, withExamples } from './command.js';
import type { OutputValues } from './output.js';

interface Values extends ReachValues, OutputValues {
  readonly admin?: string;
  readonly cluster?: string;
  readonly topic?: readonly string[];
  readonly group?: readonly string[];
  readonly send?: boolean;
}

const DEFAULT_TIMEOUT_MS = 3_000;

export const addDoctorCommand: AddCommand = (program, io) => {
  const command = program
    .command('doctor')
    .summary('Finds out why a client cannot use a server.')
    .description(
      'Examines a server as a client on this machine would: what answers, which addresses its routes contain and whether they can be reached, topics, groups, clocks, credentials. It changes nothing on the server. Exit code 1 when a check failed.',
    )
    .argument(
      '<endpoint>',
      'host:port of the proxies, or name-server:host:port, as in the option endpoints of the client',
    )
    .option('--admin <addresses>', 'host:port of the name servers: also examine brokers, groups, lag and dead letters')
    .option('--cluster <name>', 'the cluster, when the name server knows several')
    .option(
      '--topic <topic>',
      'examine this topic; can be repeated (default: the topics that --admin lists)',
      eachOf(String),
    )
    .option('--group <group>', 'examine this consumer group; can be repeated (default: likewise)', eachOf(String))
    .option(
      '--send',
      'also send a test message to each topic; its consumers receive it, except in a transaction topic, where it is rolled back',
    );
  reachOptions(command, DEFAULT_TIMEOUT_MS)
    .addOption(jsonOption())
    .action(async (endpoint: string, values: Values) => {
      const { credentials, tls } = { credentials: await credentialsOf(values, io.env), tls: await tlsOf(values) };
      const { checksText, worstOf } = await import('./doctor/check.js');
      const { examine } = await import('./doctor/diagnosis.js');
      const isOverTls = tls ?? (endpoint.startsWith('https://') ? true : undefined);
      const { admin: nameServer, cluster, timeout: timeoutMs, topic: topics, group: groups, send = false } = values;
      const access = { tls: isOverTls, credentials, timeoutMs };
      const admin = nameServer === undefined ? undefined : { nameServer, cluster, tls, credentials, timeoutMs };
      const command = (...words: readonly string[]): string =>
        commandOn({ ...values, nameServer: nameServer ?? nameServerIn(endpoint) ?? UNKNOWN_NAME_SERVER }, ...words);
      const checks = await examine({ endpoint, access, admin, topics, groups, send, command });
      const status = worstOf(checks);
      const { print } = await import('./output.js');
      const at = new Date().toISOString();
      print(io, values, { endpoint, at, status, checks }, () => checksText(endpoint, checks));
      if (status === 'failed') io.fail();
    });
  withExamples(command, [
    ['doctor localhost:8081', 'is it a proxy, and does it grant access?'],
    ['doctor mq.example.com:8081 --topic orders', 'can the addresses in the route be reached from here?'],
    ['doctor name-server:ns.example.com:9876', 'a cluster without a proxy'],
    [
      'doctor mq.example.com:8081 --admin ns.example.com:9876',
      'everything: brokers, clocks, topics, groups, dead letters',
    ],
    ['doctor https://mq.example.com:8081 --tls-ca ca.pem --credentials keys.json --json', 'over TLS, as JSON'],
  ]);
};

/** The name servers in endpoints that name them; this file is loaded before the command is known, so it imports no client. */
function nameServerIn(endpoint: string): string | undefined {
  const prefix = 'name-server:';
  return endpoint.startsWith(prefix) ? endpoint.slice(prefix.length) : undefined;
}
