// `nestjs-rocketmq topic layout`: what the message groups of a topic are spread over, and how to change it.

import { type Command, Option } from 'commander';
import type { TopicLayout } from '../admin/topics/topic-layouts.js';
import { type AccessValues, accessOptions, commandOn, withAdmin } from './admin-access.js';
import { type CommandIo, CommandRejection, withExamples, yesOption } from './command.js';
import { print, table } from './output.js';

interface Change {
  readonly set?: string;
  readonly accept?: boolean;
  readonly remove?: boolean;
  readonly yes?: boolean;
}

export function addLayout(topic: Command, io: CommandIo): void {
  const command = topic
    .command('layout')
    .description(
      'Shows what the message groups and lite topics of a topic are spread over: the brokers that can be written now, and the order configuration at each name server. Clients send nothing elsewhere while a broker of it is missing. A change moves message groups: stop the producers of the topic and let its consumers finish first.',
    )
    .argument('<topic>')
    .addOption(
      new Option('--set <layout>', 'set the order configuration, as "broker-a:8;broker-b:8"').conflicts([
        'accept',
        'remove',
      ]),
    )
    .addOption(new Option('--accept', 'set it to the brokers and queues that can be written now').conflicts('remove'))
    .option('--remove', 'remove it: each process then uses the most brokers that it has seen')
    .addOption(yesOption());
  accessOptions(command).action(async (name: string, values: AccessValues & Change) => {
    const found = await withAdmin(values, io, (admin) => admin.topicLayout(name));
    if (found === undefined) {
      const cure = commandOn(values, 'topic', 'create', name, '--type', 'fifo');
      throw new CommandRejection('TOPIC_NOT_FOUND', `topic "${name}" does not exist; create it with: ${cure}`);
    }
    const wanted = values.accept === true ? found.present : values.set;
    if (wanted === undefined && values.remove !== true) {
      print(io, values, found, () => textOf(found));
      return;
    }
    if (values.yes !== true) {
      const change = wanted === undefined ? 'removed' : `set to ${wanted}`;
      const text = `the order configuration of topic ${name} would be ${change} at ${serversOf(found)}; nothing was changed; add --yes to do it\n`;
      print(io, values, { ...found, wanted, done: false }, () => `${textOf(found)}${text}`);
      return;
    }
    if (wanted === undefined) {
      await withAdmin(values, io, (admin) => admin.removeTopicLayout(name));
      print(io, values, { topic: name, done: true }, () => `the order configuration of topic ${name} was removed\n`);
      return;
    }
    const after = await withAdmin(values, io, (admin) => admin.setTopicLayout(name, wanted));
    print(io, values, { ...after, done: true }, () => textOf(after));
  });
  withExamples(command, [
    ['topic layout steps', 'the brokers of an ordered topic, and what differs'],
    ['topic layout steps --accept --yes', 'spread message groups over the brokers that are there now, for good'],
    ["topic layout steps --set 'broker-a:8;broker-b:8' --yes", 'name the brokers and queues'],
    ['topic layout steps --remove --yes', 'go back to what each process has seen'],
  ]);
}

function serversOf({ orderConfigurations }: TopicLayout): string {
  return orderConfigurations.map(({ nameServer }) => nameServer).join(', ');
}

function textOf({ topic, present, orderConfigurations, differences }: TopicLayout): string {
  const rows = orderConfigurations.map(({ nameServer, layout, error }) => {
    return [nameServer, error === undefined ? (layout ?? 'none') : `not known: ${error.message}`];
  });
  const different = differences.map((one) => `${one}\n`).join('');
  return `topic ${topic}: ${present === '' ? 'no queue can be written' : `${present} can be written`}\n${table(['NAME SERVER', 'ORDER CONFIGURATION'], rows)}${different}`;
}
