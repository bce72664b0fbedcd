// How the commands reach a cluster: name servers, TLS and credentials.

import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { RocketMQAdmin, RocketMQAdminOptions } from '../admin/rocketmq-admin.js';
import type { Credentials } from '../protocol/credentials/metadata.js';
import { commandLine } from '../support/command-line.js';
import { TransportError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import type { TlsOptions } from '../support/tls.js';
import { type CommandIo, countOf, jsonOption, wrongCall } from './command.js';
import type { OutputValues } from './output.js';

/** How to reach any server. There is no option for a secret: everyone on the machine can read a command line. */
export interface ReachValues {
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
  readonly tlsAnyCertificate?: boolean;
  readonly credentials?: string;
  readonly timeout: number;
}

/** How to reach a cluster for administration. */
export interface AccessValues extends ReachValues, OutputValues {
  readonly nameServer: string;
  readonly cluster?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_NAME_SERVER = '127.0.0.1:9876';
const DEFAULT_TIMEOUT_MS = 10_000;

/** Gives a command the options of {@link AccessValues}. */
export function accessOptions(command: Command): Command {
  command
    .addOption(
      new Option('--name-server <addresses>', 'host:port of the name servers, separated by ";"')
        .env('ROCKETMQ_NAME_SERVER')
        .default(DEFAULT_NAME_SERVER),
    )
    .option('--cluster <name>', 'the cluster, when the name server knows several');
  return reachOptions(command, DEFAULT_TIMEOUT_MS).addOption(jsonOption());
}

/** Gives a command the options of {@link ReachValues}. */
export function reachOptions(command: Command, timeoutMs: number): Command {
  return command
    .option('--tls', 'use TLS, and trust the system CA certificates')
    .option('--tls-ca <file>', 'use TLS, and trust the CA certificates in this PEM file')
    .option('--tls-cert <file>', "the client's own certificate, PEM; requires --tls-key")
    .option('--tls-key <file>', 'the private key of --tls-cert, PEM')
    .option('--tls-server-name <name>', "the name that the server's certificate must contain")
    .option('--tls-any-certificate', 'use TLS without verifying the certificate; for experiments only')
    .option(
      '--credentials <file>',
      'JSON file with accessKey and secretKey (default: ROCKETMQ_ACCESS_KEY and ROCKETMQ_SECRET_KEY in the environment)',
    )
    .option('--timeout <ms>', 'how long to wait for a server, in milliseconds', countOf, timeoutMs);
}

/** @throws UsageError when one of the two keys is missing, or a file cannot be read */
export async function adminOptionsOf(values: AccessValues, environment: Environment): Promise<RocketMQAdminOptions> {
  return {
    nameServer: values.nameServer,
    cluster: values.cluster,
    timeoutMs: values.timeout,
    tls: await tlsOf(values),
    credentials: await credentialsOf(values, environment),
  };
}

/** Undefined without TLS. @throws UsageError when a file cannot be read */
export async function tlsOf(values: ReachValues): Promise<true | TlsOptions | undefined> {
  const { tls, tlsCa, tlsCert, tlsKey, tlsServerName: serverName, tlsAnyCertificate } = values;
  const options: TlsOptions = {
    ...(tlsCa === undefined ? {} : { ca: await readGiven('--tls-ca', tlsCa) }),
    ...(tlsCert === undefined ? {} : { cert: await readGiven('--tls-cert', tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: await readGiven('--tls-key', tlsKey) }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(tlsAnyCertificate === true ? { dangerouslyAcceptAnyCertificate: true } : {}),
  };
  if (Object.keys(options).length > 0) return options;
  return tls === true ? true : undefined;
}

/** Undefined without credentials. @throws UsageError when a key is missing or the file is invalid; the message never contains a key */
export async function credentialsOf(values: ReachValues, environment: Environment): Promise<Credentials | undefined> {
  if (values.credentials !== undefined) return credentialsIn(values.credentials);
  const { ROCKETMQ_ACCESS_KEY: accessKey, ROCKETMQ_SECRET_KEY: secretKey } = environment;
  if (accessKey !== undefined && secretKey !== undefined) return { accessKey, secretKey };
  if (accessKey === undefined && secretKey === undefined) return undefined;
  throw wrongCall('set both ROCKETMQ_ACCESS_KEY and ROCKETMQ_SECRET_KEY, or neither; one of them is missing');
}

async function credentialsIn(file: string): Promise<Credentials> {
  const wrong = (): Error => wrongCall(`--credentials: ${file} must be JSON: {"accessKey": "...", "secretKey": "..."}`);
  const text = (await readGiven('--credentials', file)).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The message of the parser may quote a part of the file.
    throw wrong();
  }
  const { accessKey, secretKey } = (value ?? {}) as Record<string, unknown>;
  if (typeof accessKey !== 'string' || typeof secretKey !== 'string') throw wrong();
  return { accessKey, secretKey };
}

/** Another command on the same cluster with the same access, to copy: `npx nestjs-rocketmq topic create orders --name-server ns:9876`. */
export function commandOn(values: Omit<AccessValues, 'json' | 'timeout'>, ...words: readonly string[]): string {
  const { nameServer, cluster, tls, tlsCa, tlsCert, tlsKey, tlsServerName, tlsAnyCertificate, credentials } = values;
  const flag = (option: string, isSet: boolean | undefined): string[] => (isSet === true ? [option] : []);
  const value = (option: string, given: string | undefined): string[] => (given === undefined ? [] : [option, given]);
  return commandLine(
    ...words,
    ...value('--name-server', nameServer),
    ...value('--cluster', cluster),
    ...flag('--tls', tls),
    ...value('--tls-ca', tlsCa),
    ...value('--tls-cert', tlsCert),
    ...value('--tls-key', tlsKey),
    ...value('--tls-server-name', tlsServerName),
    ...flag('--tls-any-certificate', tlsAnyCertificate),
    ...value('--credentials', credentials),
  );
}

/** Runs the work with an admin client, and closes it. What nobody answers at the default address says how to name another. */
export async function withAdmin<T>(
  values: AccessValues,
  { env }: CommandIo,
  work: (admin: RocketMQAdmin) => Promise<T>,
): Promise<T> {
  const { RocketMQAdmin } = await import('../admin/rocketmq-admin.js');
  const admin = new RocketMQAdmin(await adminOptionsOf(values, env));
  try {
    return await work(admin);
  } catch (error) {
    const isDefault = values.nameServer === DEFAULT_NAME_SERVER;
    if (isDefault && error instanceof TransportError && error.code === 'UNAVAILABLE')
      error.message += '; if the name server has another address, add --name-server HOST:PORT';
    throw error;
  } finally {
    await admin.close();
  }
}

/** The content of a file that an option names. @throws UsageError */
export async function readGiven(option: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw wrongCall(`${option}: cannot read ${file}: ${describeError(error)}`);
  }
}
