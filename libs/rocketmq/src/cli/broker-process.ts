// Runs `nestjs-rocketmq broker`: the embedded broker as a process, until a signal or the end of its parent stops it.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { EmbeddedBroker } from '../broker/embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../broker/embedded-broker-options.js';
import type { BrokerTlsOptions } from '../broker/server-tls.js';
import { describeError, type LogFields, type Logger } from '../support/logger.js';
import { type BrokerConfig, type BrokerValues, DEFAULT_PORT, type TlsFiles } from './broker-config.js';
import { type CommandIo, wrongCall } from './command.js';

/** Resolves after the broker has stopped. @throws when it cannot start */
export async function runBroker(values: BrokerValues, io: CommandIo): Promise<void> {
  const options = await brokerOptionsOf(values, readConfigFile);
  const broker = new EmbeddedBroker({ ...options, logger: loggerOn(io) });
  try {
    await serve(broker, options, io);
  } catch (error) {
    await broker.stop();
    throw new Error(`cannot start the broker: ${describeError(error)}`, { cause: error });
  }
}

/**
 * The options of the broker: the command line overrides the file, which overrides the defaults. Topics and groups of both are
 * declared; for the same name the command line wins.
 * @param readConfig reads the file of `--config` and the files that it names, certificates again for each connection
 * @throws UsageError when the file is invalid
 */
export async function brokerOptionsOf(
  values: BrokerValues,
  readConfig: (file: string) => string,
): Promise<EmbeddedBrokerOptions> {
  const { config, topic, group, control, ...plain } = values;
  const file = config === undefined ? {} : await parsedFile(readConfig(config));
  const { tls, ...rest } = file;
  const read = (name: string): string => readConfig(join(dirname(config ?? ''), name));
  return {
    port: DEFAULT_PORT,
    ...rest,
    ...(tls && { tls: tlsIn(tls, read) }),
    ...plain,
    ...control,
    topics: merged(file.topics, topic),
    groups: merged(file.groups, group),
  };
}

async function parsedFile(json: string): Promise<BrokerConfig> {
  const { parseBrokerConfig } = await import('./broker-config.js');
  return parseBrokerConfig(json);
}

function tlsIn(
  { certFile, keyFile, passphrase, clientCaFile, allowPlaintext }: TlsFiles,
  read: (file: string) => string,
): BrokerTlsOptions {
  const rotated = (file: string): (() => string) => {
    // A file that is missing at the start is an error of the call.
    read(file);
    return () => read(file);
  };
  return {
    cert: rotated(certFile),
    key: rotated(keyFile),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(clientCaFile === undefined ? {} : { clientCa: rotated(clientCaFile) }),
    ...(allowPlaintext === undefined ? {} : { allowPlaintext }),
  };
}

/** An entry of the second list replaces the one of the same name in the first. */
function merged<T extends { readonly name: string }>(below: readonly T[] = [], above: readonly T[] = []): T[] {
  const isAbove = new Set(above.map(({ name }) => name));
  return [...below.filter(({ name }) => !isAbove.has(name)), ...above];
}

function readConfigFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw wrongCall(`--config: cannot read ${file}: ${describeError(error)}`);
  }
}

async function serve(
  broker: EmbeddedBroker,
  { adminPort, controlPort, data }: EmbeddedBrokerOptions,
  io: CommandIo,
): Promise<void> {
  const hasAdmin = adminPort !== undefined;
  const stop = askedToStop();
  await broker.start();
  const place = data === undefined ? 'in memory and loses them when it stops' : `in ${data}`;
  io.out(`embedded broker ready on ${broker.endpoints}; it stores messages ${place}\n`);
  if (hasAdmin) io.out(`administration on ${broker.adminEndpoint}\n`);
  const adminEndpoint = hasAdmin ? broker.adminEndpoint : undefined;
  const controlEndpoint = controlPort === undefined ? undefined : broker.controlEndpoint;
  if (controlEndpoint !== undefined) io.out(`control on ${controlEndpoint}\n`);
  process.send?.({ ready: true, endpoints: broker.endpoints, adminEndpoint, controlEndpoint });
  await stop;
  await broker.stop();
  // The channel to a parent would keep the process alive.
  if (process.connected) process.disconnect();
}

/** Resolves on SIGINT or SIGTERM, or when the parent process disconnects. */
function askedToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    if (process.channel !== undefined && process.channel !== null) process.once('disconnect', () => resolve());
  });
}

/** Writes warnings and errors of the broker to standard error. */
function loggerOn(io: CommandIo): Logger {
  const write = (message: string, fields?: LogFields): void =>
    io.err(`broker: ${message}${fields === undefined ? '' : ` ${inspect(fields)}`}\n`);
  return { debug() {}, info() {}, warn: write, error: write };
}
