// `nestjs-rocketmq topic create` and `group create`: what an application needs on a cluster, without a JVM.

import { parseArgs } from 'node:util';
import { ACCESS_OPTIONS, ACCESS_USAGE, withAdmin } from './admin-access.js';
import { type Command, countOf, topicTypeOf, wrongCall } from './command.js';

/** The name in `create <name>`. */
function nameToCreate(command: string, [verb, name, ...more]: readonly string[]): string {
  if (verb !== 'create' || name === undefined || more.length > 0) throw wrongCall(`${command} takes: create <name>`);
  return name;
}

export const topicCommand: Command = {
  usage: ['topic create <name> [--type normal|fifo|delay|transaction|priority] [--queues 8]', ...ACCESS_USAGE],
  async run(args) {
    const options = {
      ...ACCESS_OPTIONS,
      type: { type: 'string', default: 'normal' },
      queues: { type: 'string', default: '8' },
    } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const topic = nameToCreate('topic', positionals);
    const type = topicTypeOf('--type', values.type);
    const queues = countOf('--queues', values.queues);
    await withAdmin(values, (admin) => admin.createTopic({ topic, type, queues }));
    console.log(`topic ${topic} takes ${type} messages in ${queues} queues on each broker`);
  },
};

export const groupCommand: Command = {
  usage: ['group create <name> [--fifo] [--max-attempts 17]', ...ACCESS_USAGE],
  async run(args) {
    const options = {
      ...ACCESS_OPTIONS,
      fifo: { type: 'boolean', default: false },
      'max-attempts': { type: 'string', default: '17' },
    } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const consumerGroup = nameToCreate('group', positionals);
    const maxDeliveryAttempts = countOf('--max-attempts', values['max-attempts']);
    const { fifo } = values;
    await withAdmin(values, (admin) => admin.createGroup({ consumerGroup, fifo, maxDeliveryAttempts }));
    console.log(`${fifo ? 'ordered ' : ''}group ${consumerGroup} delivers at most ${maxDeliveryAttempts} times`);
  },
};
