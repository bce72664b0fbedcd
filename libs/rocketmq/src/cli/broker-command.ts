// `nestjs-rocketmq broker`: the embedded broker as a process of its own, on loopback.

import { parseArgs } from 'node:util';
import type { EmbeddedBroker } from '../broker/index.js';
import { describeError, type Logger } from '../support/logger.js';
import { type Command, countOf, portOf, topicTypeOf, wrongCall } from './command.js';

const OPTIONS = {
  port: { type: 'string', default: '8081' },
  host: { type: 'string', default: '127.0.0.1' },
  strict: { type: 'boolean', default: false },
  topic: { type: 'string', multiple: true, default: [] as string[] },
  group: { type: 'string', multiple: true, default: [] as string[] },
} as const;

/** `name:type:queues`, the last two optional. */
function declaredTopic(text: string) {
  const [name, type = 'normal', queues = '8'] = text.split(':');
  if (name === undefined || name === '') throw wrongCall(`--topic must be name:type:queues, not "${text}"`);
  return { name, type: topicTypeOf('the type in --topic', type), queues: countOf('the queues in --topic', queues) };
}

/** `name:fifo:maxAttempts`, the last two optional. */
function declaredGroup(text: string) {
  const [name, kind = 'normal', attempts = '17'] = text.split(':');
  if (name === undefined || name === '' || !['fifo', 'normal'].includes(kind)) {
    throw wrongCall(`--group must be name:fifo:maxAttempts or name:normal:maxAttempts, not "${text}"`);
  }
  const maxDeliveryAttempts = countOf('the attempts in --group', attempts);
  return { name, fifo: kind === 'fifo', maxDeliveryAttempts };
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

async function serve(broker: EmbeddedBroker): Promise<void> {
  const stop = askedToStop();
  await broker.start();
  console.log(`embedded broker ready on ${broker.endpoints}; it keeps messages in memory, stopping it loses them`);
  process.send?.({ ready: true, endpoints: broker.endpoints });
  await stop;
  await broker.stop();
  // The channel to a parent would keep the process alive.
  if (process.connected) process.disconnect();
}

export const brokerCommand: Command = {
  usage: [
    'broker [--port 8081] [--host 127.0.0.1] [--strict]',
    '[--topic name:normal|fifo|delay|transaction|priority:queues]... [--group name:fifo|normal:maxAttempts]...',
  ],
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    const { EmbeddedBroker } = await import('../broker/index.js');
    const broker = new EmbeddedBroker({
      port: portOf('--port', values.port),
      host: values.host,
      strict: values.strict,
      topics: values.topic.map(declaredTopic),
      groups: values.group.map(declaredGroup),
      logger,
    });
    try {
      await serve(broker);
    } catch (error) {
      await broker.stop();
      throw new Error(`the broker could not start: ${describeError(error)}`, { cause: error });
    }
  },
};
