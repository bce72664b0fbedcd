// `nestjs-rocketmq doctor`: its options. What it looks at is in doctor/.

import { credentialsOf, type ReachValues, reachOptions, tlsOf } from './admin-access.js';
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
    .summary('say what is wrong between here and a server')
    .description(
      'Looks at a server as its clients would, from here: what answers, which addresses it hands out and whether they can be reached, topics, groups, clocks, credentials. It changes nothing there. Exit code 1 when a check failed.',
    )
    .argument('<endpoint>', 'host:port of the proxies, as in the option endpoints of the client')
    .option('--admin <addresses>', 'host:port of the name servers: also look at brokers, groups, lag and dead letters')
    .option('--cluster <name>', 'the cluster, when the name server knows several')
    .option(
      '--topic <topic>',
      'look at this topic; may be repeated (default: those that --admin knows)',
      eachOf(String),
    )
    .option('--group <group>', 'look at this consumer group; may be repeated (default: likewise)', eachOf(String))
    .option(
      '--send',
      'also send one test message to each topic; its consumers get it, in a transaction it is rolled back',
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
      const checks = await examine({ endpoint, access, admin, topics, groups, send });
      const status = worstOf(checks);
      const { print } = await import('./output.js');
      const at = new Date().toISOString();
      print(io, values, { endpoint, at, status, checks }, () => checksText(endpoint, checks));
      if (status === 'failed') io.fail();
    });
  withExamples(command, [
    ['doctor localhost:8081', 'is it a proxy, and does it let me in?'],
    ['doctor mq.example.com:8081 --topic orders', 'does the address that the route hands out work from here?'],
    [
      'doctor mq.example.com:8081 --admin ns.example.com:9876',
      'everything: brokers, clocks, topics, groups, dead letters',
    ],
    ['doctor https://mq.example.com:8081 --tls-ca ca.pem --credentials keys.json --json', 'over TLS, for a program'],
  ]);
};
