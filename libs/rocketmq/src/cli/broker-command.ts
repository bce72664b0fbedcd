// `nestjs-rocketmq broker`: the embedded broker as a process of its own, on loopback.

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BrokerTlsOptions, EmbeddedBroker, EmbeddedBrokerOptions, FlushMode } from '../broker/index.js';
import { describeError, type Logger } from '../support/logger.js';
import { type BrokerConfig, parseBrokerConfig, type TlsFiles } from './broker-config.js';
import { type Command, countOf, portOf, topicTypeOf, wrongCall } from './command.js';

const OPTIONS = {
  port: { type: 'string' },
  host: { type: 'string' },
  'admin-port': { type: 'string' },
  data: { type: 'string' },
  flush: { type: 'string' },
  strict: { type: 'boolean' },
  topic: { type: 'string', multiple: true },
  group: { type: 'string', multiple: true },
  config: { type: 'string' },
} as const;

/** Where clients look for a proxy by themselves. */
const DEFAULT_PORT = 8081;

/** `name:type:queues`, the last two optional. */
function declaredTopic(text: string) {
  const [name, type = 'normal', queues = '8', ...more] = text.split(':');
  if (name === undefined || name === '' || more.length > 0)
    throw wrongCall(`--topic must be name:type:queues, not "${text}"`);
  return { name, type: topicTypeOf('the type in --topic', type), queues: countOf('the queues in --topic', queues) };
}

/** `name:fifo:maxAttempts`, the last two optional. */
function declaredGroup(text: string) {
  const [name, kind = 'normal', attempts = '17', ...more] = text.split(':');
  if (name === undefined || name === '' || more.length > 0 || !['fifo', 'normal'].includes(kind)) {
    throw wrongCall(`--group must be name:fifo:maxAttempts or name:normal:maxAttempts, not "${text}"`);
  }
  const maxDeliveryAttempts = countOf('the attempts in --group', attempts);
  return { name, fifo: kind === 'fifo', maxDeliveryAttempts };
}

function folderOf(text: string): string {
  if (text === '') throw wrongCall('--data must name a folder');
  return text;
}

function flushOf(text: string): FlushMode {
  if (text === 'sync' || text === 'async') return text;
  throw wrongCall(`--flush must be sync or async, not "${text}"`);
}

/** Warnings and errors of the broker on standard error. */
const logger: Logger = {
  debug() {},
  info() {},
  warn: (message, fields) => console.error(`broker: ${message}`, fields ?? ''),
  error: (message, fields) => console.error(`broker: ${message}`, fields ?? ''),
};

/** Resolves when someone wants the process to end: by a signal, or because the parent that started it is gone. */
function askedToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    if (process.channel !== undefined && process.channel !== null) process.once('disconnect', () => resolve());
  });
}

async function serve(broker: EmbeddedBroker, { adminPort, data }: EmbeddedBrokerOptions): Promise<void> {
  const hasAdmin = adminPort !== undefined;
  const stop = askedToStop();
  await broker.start();
  const place = data === undefined ? 'in memory, stopping it loses them' : `in ${data}`;
  console.log(`embedded broker ready on ${broker.endpoints}; it keeps messages ${place}`);
  if (hasAdmin) console.log(`administration on ${broker.adminEndpoint}`);
  const adminEndpoint = hasAdmin ? broker.adminEndpoint : undefined;
  process.send?.({ ready: true, endpoints: broker.endpoints, adminEndpoint });
  await stop;
  await broker.stop();
  // The channel to a parent would keep the process alive.
  if (process.connected) process.disconnect();
}

/**
 * The options of the broker: what the command line says, else the file, else the default. Topics and groups of both are
 * declared; of one name, as the command line has it.
 * @param readConfig reads the file of `--config`, and those that it names
 * @throws UsageError for a wrong command line or file
 */
export async function brokerOptionsOf(
  args: readonly string[],
  readConfig: (file: string) => Promise<string>,
): Promise<EmbeddedBrokerOptions> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const file: BrokerConfig = values.config === undefined ? {} : parseBrokerConfig(await readConfig(values.config));
  const { host, strict, 'admin-port': adminPort } = values;
  const { tls, ...rest } = file;
  const given: EmbeddedBrokerOptions = {
    ...(values.port === undefined ? {} : { port: portOf('--port', values.port) }),
    ...(adminPort === undefined ? {} : { adminPort: portOf('--admin-port', adminPort) }),
    ...(host === undefined ? {} : { host }),
    ...(strict === undefined ? {} : { strict }),
    ...(values.data === undefined ? {} : { data: folderOf(values.data) }),
    ...(values.flush === undefined ? {} : { flush: flushOf(values.flush) }),
    topics: merged(file.topics, values.topic?.map(declaredTopic)),
    groups: merged(file.groups, values.group?.map(declaredGroup)),
  };
  const read = (name: string): Promise<string> => readConfig(join(dirname(values.config ?? ''), name));
  return { port: DEFAULT_PORT, ...rest, ...(tls && { tls: await tlsIn(tls, read) }), ...given };
}

async function tlsIn(files: TlsFiles, read: (file: string) => Promise<string>): Promise<BrokerTlsOptions> {
  const { certFile, keyFile, passphrase, clientCaFile } = files;
  return {
    cert: await read(certFile),
    key: await read(keyFile),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(clientCaFile === undefined ? {} : { clientCa: await read(clientCaFile) }),
  };
}

/** The second list goes over the first, by name. */
function merged<T extends { readonly name: string }>(below: readonly T[] = [], above: readonly T[] = []): T[] {
  const isAbove = new Set(above.map(({ name }) => name));
  return [...below.filter(({ name }) => !isAbove.has(name)), ...above];
}

async function readConfigFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw wrongCall(`--config: cannot read ${file}: ${describeError(error)}`);
  }
}

export const brokerCommand: Command = {
  usage: [
    `broker [--port ${DEFAULT_PORT}] [--host 127.0.0.1] [--admin-port PORT] [--strict]`,
    '[--data DIR [--flush sync|async]]  (keeps messages there; without it in memory)',
    '[--topic name:normal|fifo|delay|transaction|priority:queues]... [--group name:fifo|normal:maxAttempts]...',
    '[--config FILE]  (JSON with the options of EmbeddedBroker; the command line goes before)',
  ],
  async run(args) {
    const options = await brokerOptionsOf(args, readConfigFile);
    const { EmbeddedBroker } = await import('../broker/index.js');
    const broker = new EmbeddedBroker({ ...options, logger });
    try {
      await serve(broker, options);
    } catch (error) {
      await broker.stop();
      throw new Error(`the broker could not start: ${describeError(error)}`, { cause: error });
    }
  },
};
