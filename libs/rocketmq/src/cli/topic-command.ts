// `nestjs-rocketmq topic`: lists, shows, creates and deletes topics of a cluster without a JVM.

import { type Command, Option } from 'commander';
import type { TopicDescription } from '../admin/topics/topics.js';
import type { TopicType } from '../protocol/model/message.js';
import { type AccessValues, accessOptions, commandOn, withAdmin } from './admin-access.js';
import {
  type AddCommand,
  alterOption,
  type CommandIo,
  CommandRejection,
  countOf,
  plural,
  rejectToAlter,
  TOPIC_TYPES,
  withExamples,
  yesOption,
} from './command.js';
import { print, reportFailures, table, timeText } from './output.js';
import { addLayout } from './topic-layout-command.js';

export const addTopicCommand: AddCommand = (program, io) => {
  const topic = program.command('topic').description('Lists, shows, creates and deletes topics.');
  withExamples(topic, [
    ['topic list', 'all topics with their types'],
    ['topic show orders', 'the brokers, queues and messages of a topic'],
  ]);
  addList(topic, io);
  addShow(topic, io);
  addCreate(topic, io);
  addLayout(topic, io);
  addDelete(topic, io);
};

function addList(topic: Command, io: CommandIo): void {
  const command = topic
    .command('list')
    .description('Lists the topics of the cluster.')
    .option('--system', "include the server's own topics: retries, dead letters and internal ones");
  accessOptions(command).action(async (values: AccessValues & { system?: boolean }) => {
    const { topics, failures } = await withAdmin(values, io, (admin) =>
      admin.listTopics({ includeSystem: values.system === true }),
    );
    print(io, values, { topics, failures }, () =>
      table(
        ['TOPIC', 'TYPE', 'QUEUES', 'KIND', 'BROKERS'],
        topics.map((one) => [one.topic, one.type, one.queues, one.kind, one.brokers.map(({ name }) => name).join(',')]),
      ),
    );
    reportFailures(io, failures);
  });
  withExamples(command, [
    ["topic list --name-server 'ns1:9876;ns2:9876'", 'the topics of a cluster with two name servers'],
    ['topic list --json', 'as JSON'],
  ]);
}

function addShow(topic: Command, io: CommandIo): void {
  const command = topic
    .command('show')
    .description(
      'Shows the type and the queues of a topic, how many messages they contain, and the groups that consume it. Fails when the topic does not exist.',
    )
    .argument('<topic>');
  accessOptions(command).action(async (name: string, values: AccessValues) => {
    const { described, offsets, consumerGroups } = await withAdmin(values, io, async (admin) => {
      const asked = [admin.describeTopic(name), admin.topicOffsets(name), admin.groupsOfTopic(name)] as const;
      const [described, offsets, { consumerGroups }] = await Promise.all(asked);
      return { described, offsets, consumerGroups };
    });
    if (described === undefined) {
      const cure = commandOn(values, 'topic', 'create', name, '--type', 'normal');
      throw new CommandRejection('TOPIC_NOT_FOUND', `topic "${name}" does not exist; create it with: ${cure}`);
    }
    const { queues, total, failures } = offsets;
    print(io, values, { ...described, queueOffsets: queues, messages: total, consumerGroups, failures }, () => {
      const settings = settingsText(described, ', ', `each of ${plural(described.brokers.length, 'broker')}`);
      const head = `topic ${name}: ${settings}, ${plural(total, 'message')}\n`;
      const groups = `consumed by: ${consumerGroups.length === 0 ? 'no group' : consumerGroups.join(', ')}\n`;
      return `${head}${groups}${table(
        ['BROKER', 'QUEUE', 'FIRST', 'NEXT', 'MESSAGES', 'NEWEST'],
        queues.map((one) => [
          one.broker,
          one.queueId,
          one.minOffset,
          one.maxOffset,
          one.maxOffset - one.minOffset,
          timeText(one.lastTimestampMs),
        ]),
      )}`;
    });
    reportFailures(io, failures);
  });
  withExamples(command, [['topic show orders', 'its type, and the messages in each queue']]);
}

function addCreate(topic: Command, io: CommandIo): void {
  const command = topic
    .command('create')
    .description(
      'Creates a topic on every master broker of the cluster on which it does not exist. An existing topic stays unchanged unless you add --yes, which changes the settings that you give and keeps the others.',
    )
    .argument('<topic>')
    .addOption(
      new Option('--type <type>', 'the type of its messages (default for a new topic: normal)').choices(TOPIC_TYPES),
    )
    .option('--queues <count>', 'queues on each broker (default for a new topic: 8)', countOf)
    .option(
      '--layout <layout>',
      'set the order configuration: "broker-a:8;broker-b:8", or "present" for all brokers that can be written',
    )
    .addOption(alterOption());
  accessOptions(command).action(async (name: string, values: AccessValues & Wanted & { yes?: boolean }) => {
    const made = await withAdmin(values, io, async (admin) => {
      const found = await admin.describeTopic(name);
      const { type = found === undefined ? 'normal' : commonType(found), queues, layout } = values;
      await admin
        .createTopic({ topic: name, type, queues, layout }, { ifExists: values.yes === true ? 'update' : 'reject' })
        .catch(rejectToAlter);
      const after = await admin.describeTopic(name);
      if (after === undefined) throw new Error(`topic "${name}" was deleted while this command ran`);
      return after;
    });
    print(io, values, made, () => `topic ${name} has type ${settingsText(made, ' and ', 'each broker')}\n`);
  });
  withExamples(command, [
    ['topic create orders --type transaction', 'a topic for transactional messages'],
    ['topic create steps --type fifo --queues 16', 'an ordered topic'],
    [
      'topic create steps --type fifo --layout present',
      'an ordered topic whose message groups stay when a broker is missing',
    ],
    ['topic create steps --queues 32 --yes', 'alter the existing topic: more queues, same type'],
  ]);
}

interface Wanted {
  readonly type?: TopicType;
  readonly queues?: number;
  readonly layout?: string;
}

/** The type for brokers that lack the topic. Undefined: each broker keeps its type, since they differ or it is none that can be requested. */
function commonType({ type, brokers }: TopicDescription): TopicType | undefined {
  return brokers.every((one) => one.type === type) ? TOPIC_TYPES.find((known) => known === type) : undefined;
}

/** Type and queues, by broker if they differ. */
function settingsText({ type, queues, brokers }: TopicDescription, and: string, everywhere: string): string {
  const textOf = (one: { readonly type: string; readonly queues: number }): string =>
    `${one.type}${and}${plural(one.queues, 'queue')}`;
  if (brokers.every((one) => one.type === type && one.queues === queues))
    return `${textOf({ type, queues })} on ${everywhere}`;
  return brokers.map((one) => `${textOf(one)} on ${one.name}`).join('; ');
}

function addDelete(topic: Command, io: CommandIo): void {
  const command = topic
    .command('delete')
    .description('Permanently deletes a topic and its messages from all brokers and name servers.')
    .argument('<topic>')
    .addOption(yesOption());
  accessOptions(command).action(async (name: string, values: AccessValues & { yes?: boolean }) => {
    if (values.yes !== true) {
      const { total, queues } = await withAdmin(values, io, (admin) => admin.topicOffsets(name));
      const exists = queues.length > 0;
      print(io, values, { topic: name, done: false, exists, messages: total }, () =>
        exists
          ? `topic ${name} and its ${plural(total, 'message')} would be deleted; nothing was changed; add --yes to delete it\n`
          : `topic ${name} does not exist; there is nothing to delete\n`,
      );
      return;
    }
    const deleted = await withAdmin(values, io, (admin) => admin.deleteTopic(name));
    print(io, values, { ...deleted, done: true }, () =>
      deleted.deletedOn.length === 0
        ? `topic ${name} did not exist\n`
        : `topic ${name} was deleted from ${deleted.deletedOn.join(', ')}\n`,
    );
  });
  withExamples(command, [
    ['topic delete orders-2023', 'show what would be deleted'],
    ['topic delete orders-2023 --yes', 'delete it'],
  ]);
}
