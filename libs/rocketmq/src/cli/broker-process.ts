// Runs `nestjs-rocketmq broker`: the embedded broker as a process, until a signal or the end of its parent stops it.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { EmbeddedBroker } from '../broker/embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../broker/embedded-broker-options.js';
import type { BrokerTlsOptions } from '../broker/server-tls.js';
import { addressText } from '../support/address.js';
import { commandLine } from '../support/command-line.js';
import { describeError, type LogFields, type Logger } from '../support/logger.js';
import {
  type BrokerConfig,
  type BrokerValues,
  DEFAULT_NAME_SERVER_PORT,
  DEFAULT_PORT,
  type TlsFiles,
} from './broker-config.js';
import { type CommandIo, wrongCall } from './command.js';
import { type ConsolePackage, consolePackage } from './console-package.js';
import { askedToStop } from './until-stopped.js';

/** Resolves after the broker has stopped. @throws when it cannot start */
export async function runBroker(values: BrokerValues, io: CommandIo): Promise<void> {
  const options = await brokerOptionsOf(values, readConfigFile);
  if (values.console !== undefined && (options.tls !== undefined || options.users !== undefined)) {
    const cure = 'start it beside the broker with: nestjs-rocketmq console --name-server HOST:PORT --control HOST:PORT';
    throw wrongCall(`--console does not work with TLS and users; ${cure}`);
  }
  if (values.console !== undefined && values.nameServerPort === false) {
    throw wrongCall('--console needs the name server port; leave --no-name-server-port out');
  }
  const pages = values.console === undefined ? undefined : await consolePackage(process.cwd(), io.importModule);
  const port = values.console === true ? 0 : values.console;
  const wanted = pages && { pages, options: { port, operationsTopic: values.operationsTopic } };
  // Invalid options are an error of the call.
  let broker = brokerOf({ nameServerPort: DEFAULT_NAME_SERVER_PORT, ...options }, io);
  const stop = askedToStop();
  try {
    broker = await startBroker(broker, options, io);
    await serve(broker, options, wanted, stop, io);
  } catch (error) {
    await broker.stop();
    throw new Error(`cannot start the broker: ${describeError(error)}`, { cause: error });
  }
}

function brokerOf(options: EmbeddedBrokerOptions, io: CommandIo): EmbeddedBroker {
  return new EmbeddedBroker({ ...options, logger: loggerOn(io) });
}

/**
 * Starts a broker. If nobody asked for a name server port, and the default one is in use, which may be that of a real name server, it is
 * another broker with any free port.
 */
async function startBroker(
  broker: EmbeddedBroker,
  options: EmbeddedBrokerOptions,
  io: CommandIo,
): Promise<EmbeddedBroker> {
  try {
    await broker.start();
    return broker;
  } catch (error) {
    const { code, cause } = error as { code?: unknown; cause?: { port?: unknown } };
    const isTaken = code === 'PORT_IN_USE' && cause?.port === DEFAULT_NAME_SERVER_PORT;
    if (!isTaken || 'nameServerPort' in options) throw error;
    const other = brokerOf({ ...options, nameServerPort: 0 }, io);
    await other.start();
    const what = `port ${DEFAULT_NAME_SERVER_PORT} is in use, by a name server or another broker`;
    io.err(`${what}: this broker is not the one that clients find there; its name server is at another port\n`);
    return other;
  }
}

/**
 * The options of the broker: the command line overrides the file, which overrides the defaults. Topics and groups of both are
 * declared; for the same name the command line wins. Without `nameServerPort` if neither mentions it.
 * @param readConfig reads the file of `--config` and the files that it names, certificates again for each connection
 * @throws UsageError when the file is invalid
 */
export async function brokerOptionsOf(
  values: BrokerValues,
  readConfig: (file: string) => string,
): Promise<EmbeddedBrokerOptions> {
  const { config, topic, group, control, nameServerPort, advertise, recall, ...others } = values;
  const { console: _, operationsTopic: __, ...plain } = others;
  const file = config === undefined ? {} : await parsedFile(readConfig(config));
  const { tls, ...rest } = file;
  const read = (name: string): string => readConfig(join(dirname(config ?? ''), name));
  return {
    port: DEFAULT_PORT,
    ...rest,
    ...(tls && { tls: tlsIn(tls, read) }),
    ...plain,
    ...control,
    ...(recall === true && { recallEnabled: true }),
    ...(nameServerPort !== undefined && { nameServerPort: nameServerPort === false ? undefined : nameServerPort }),
    ...(advertise !== undefined && { advertisedAddress: { ...file.advertisedAddress, host: advertise } }),
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
  options: EmbeddedBrokerOptions,
  wanted: WantedConsole | undefined,
  stop: Promise<void>,
  io: CommandIo,
): Promise<void> {
  const { data, controlPort, timeTravel = false, manualClock = false } = options;
  const { endpoints } = broker;
  const isWithout = 'nameServerPort' in options && options.nameServerPort === undefined;
  const nameServerEndpoint = isWithout ? undefined : broker.nameServerEndpoint;
  const controlEndpoint = controlPort === undefined ? undefined : broker.controlEndpoint;
  const place = data === undefined ? 'in memory and loses them when it stops' : `in ${data}`;
  const { host, port, nameServerPort } = options.advertisedAddress ?? {};
  const lines = [
    `embedded broker ready; it stores messages ${place}`,
    `clients by gRPC (nestjs-rocketmq, rocketmq-clients): endpoints ${at(endpoints, host, port)}`,
  ];
  if (nameServerEndpoint !== undefined) {
    const clients = 'rocketmq-client, rocketmq-spring, rocketmq-client-go, mqadmin';
    lines.push(`clients by remoting (${clients}): name server ${at(nameServerEndpoint, host, nameServerPort)}`);
  }
  if (controlEndpoint !== undefined) lines.push(`control on ${controlEndpoint}`);
  io.out(`${lines.join('\n')}\n`);
  if (manualClock) io.out('the clock is manual, for tests only: its time stands still until it is moved\n');
  else if (timeTravel) io.out('time travel is on, for development only: its time can be moved ahead\n');
  const another = anotherConsole(at(nameServerEndpoint ?? '', host, nameServerPort), controlEndpoint, wanted);
  const shown = wanted && (await startConsole(broker, { ...wanted, another }, io));
  const consoleUrl = shown?.url;
  if (consoleUrl !== undefined) io.out(`console on ${consoleUrl}\nfor another browser: ${another}\n`);
  process.send?.({ ready: true, endpoints, nameServerEndpoint, controlEndpoint, consoleUrl });
  await stop;
  await shown?.close();
  await broker.stop();
  // The channel to a parent would keep the process alive.
  if (process.connected) process.disconnect();
}

/** What clients connect to, if the broker is behind an address of its own. */
function at(endpoints: string, host: string | undefined, port: number | undefined): string {
  if (host === undefined) return endpoints;
  const own = endpoints.split(';').map((endpoint) => Number(endpoint.split(':').at(-1)));
  return (port === undefined ? own : [port]).map((number) => addressText({ host, port: number })).join(';');
}

/** The command for another browser: one lets one in, and to start the broker again would lose what it has in memory. */
function anotherConsole(nameServer: string, control: string | undefined, wanted: WantedConsole | undefined): string {
  const { operationsTopic } = wanted?.options ?? {};
  return commandLine(
    ...['console', '--name-server', nameServer],
    ...(control === undefined ? [] : ['--control', control]),
    ...['--actions', 'all', '--bodies', 'shown'],
    ...(operationsTopic === undefined ? [] : ['--operations-topic', operationsTopic]),
  );
}

interface WantedConsole {
  readonly pages: ConsolePackage;
  readonly options: Parameters<ConsolePackage['startStandaloneConsole']>[1];
}

/** The console of a broker in this process. */
async function startConsole(
  { endpoints, nameServerEndpoint, control }: EmbeddedBroker,
  { pages, options, another }: WantedConsole & { readonly another: string },
  io: CommandIo,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { RocketMQAdmin } = await import('../admin/rocketmq-admin.js');
  const { Connection } = await import('../client/connection.js');
  const admin = new RocketMQAdmin({ nameServer: nameServerEndpoint });
  const connection = new Connection({ endpoints });
  const close = async (): Promise<void> => {
    connection.close();
    await admin.close();
  };
  try {
    const log = (line: string): void => io.err(`${line}\n`);
    const source = { admin, control, connection, title: `Embedded broker ${endpoints}`, log, another };
    const console = await pages.startStandaloneConsole(source, options);
    return { url: console.url, close: () => console.close().then(close) };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Writes warnings and errors of the broker to standard error. */
function loggerOn(io: CommandIo): Logger {
  const write = (message: string, fields?: LogFields): void =>
    io.err(`broker: ${message}${fields === undefined ? '' : ` ${inspect(fields)}`}\n`);
  return { debug() {}, info() {}, warn: write, error: write };
}
