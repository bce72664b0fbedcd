// `nestjs-rocketmq topic create` and `group create`: what an application needs on a cluster, without a JVM.

import { parseArgs } from 'node:util';
import type { RocketMQAdmin } from '../admin/index.js';
import { type Command, countOf, topicTypeOf, wrongCall } from './command.js';

const NAME_SERVER = { 'name-server': { type: 'string', default: '127.0.0.1:9876' } } as const;

async function withAdmin(nameServer: string, work: (admin: RocketMQAdmin) => Promise<void>): Promise<void> {
  const { RocketMQAdmin } = await import('../admin/index.js');
  const admin = new RocketMQAdmin({ nameServer });
  try {
    await work(admin);
  } finally {
    await admin.close();
  }
}

/** The name in `create <name>`. */
function nameToCreate(command: string, [verb, name, ...more]: readonly string[]): string {
  if (verb !== 'create' || name === undefined || more.length > 0) throw wrongCall(`${command} takes: create <name>`);
  return name;
}

export const topicCommand: Command = {
  usage: [
    'topic create <name> [--type normal|fifo|delay|transaction|priority] [--queues 8]',
    '[--name-server 127.0.0.1:9876]',
  ],
  async run(args) {
    const options = {
      ...NAME_SERVER,
      type: { type: 'string', default: 'normal' },
      queues: { type: 'string', default: '8' },
    } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const topic = nameToCreate('topic', positionals);
    const type = topicTypeOf('--type', values.type);
    const queues = countOf('--queues', values.queues);
    await withAdmin(values['name-server'], (admin) => admin.createTopic({ topic, type, queues }));
    console.log(`topic ${topic} takes ${type} messages in ${queues} queues on each broker`);
  },
};

export const groupCommand: Command = {
  usage: ['group create <name> [--fifo] [--max-attempts 17] [--name-server 127.0.0.1:9876]'],
  async run(args) {
    const options = {
      ...NAME_SERVER,
      fifo: { type: 'boolean', default: false },
      'max-attempts': { type: 'string', default: '17' },
    } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const consumerGroup = nameToCreate('group', positionals);
    const maxDeliveryAttempts = countOf('--max-attempts', values['max-attempts']);
    const { fifo } = values;
    await withAdmin(values['name-server'], (admin) => admin.createGroup({ consumerGroup, fifo, maxDeliveryAttempts }));
    console.log(`${fifo ? 'ordered ' : ''}group ${consumerGroup} delivers at most ${maxDeliveryAttempts} times`);
  },
};
