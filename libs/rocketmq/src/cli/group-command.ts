// `nestjs-rocketmq group`: consumer groups of a cluster, made, told and deleted without a JVM.

import type { Command } from 'commander';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import {
  type AddCommand,
  alterOption,
  type CommandIo,
  countOf,
  existsOtherwise,
  plural,
  withExamples,
  yesOption,
} from './command.js';
import { print, table, tellFailures } from './output.js';

export const addGroupCommand: AddCommand = (program, io) => {
  const group = program.command('group').description('Makes, shows and deletes consumer groups.');
  withExamples(group, [
    ['group list', 'every group with its retries'],
    ['group clients billing', 'who is connected, and whether they subscribe alike'],
  ]);
  addList(group, io);
  addShow(group, io);
  addCreate(group, io);
  addDelete(group, io);
  addClients(group, io);
};

function addList(group: Command, io: CommandIo): void {
  const command = group
    .command('list')
    .description('Lists the consumer groups of the cluster.')
    .option('--system', "also the server's own");
  accessOptions(command).action(async (values: AccessValues & { system?: boolean }) => {
    const { groups, failures } = await withAdmin(values, io, (admin) =>
      admin.listGroups({ includeSystem: values.system === true }),
    );
    print(io, values, { groups, failures }, () =>
      table(
        ['GROUP', 'ORDERED', 'ATTEMPTS', 'BACKOFF', 'BROKERS'],
        groups.map((one) => [
          ...[one.consumerGroup, one.fifo ? 'yes' : 'no', one.maxDeliveryAttempts, one.backoff.kind],
          one.brokers.map(({ name }) => name).join(','),
        ]),
      ),
    );
    tellFailures(io, failures);
  });
  withExamples(command, [['group list --json', 'for a program']]);
}

function addShow(group: Command, io: CommandIo): void {
  const command = group
    .command('show')
    .description('Shows a consumer group as the brokers have it. A group that is not there is a failure.')
    .argument('<group>');
  accessOptions(command).action(async (name: string, values: AccessValues) => {
    const described = await withAdmin(values, io, (admin) => admin.describeGroup(name));
    if (described === undefined) throw new Error(`group "${name}" does not exist; make it with: group create ${name}`);
    const { fifo, maxDeliveryAttempts, backoff, brokers } = described;
    print(io, values, described, () => {
      const waits =
        backoff.kind === 'customized'
          ? backoff.nextMs.map(seconds).join(' ')
          : `${seconds(backoff.initialMs)}, times ${backoff.multiplier} each, at most ${seconds(backoff.maxMs)}`;
      return [
        `group ${name}: ${fifo ? 'ordered' : 'not ordered'}, on ${brokers.map((one) => one.name).join(', ')}`,
        `attempts  ${maxDeliveryAttempts}, then a dead letter`,
        `waits     ${waits}`,
        '',
      ].join('\n');
    });
  });
  withExamples(command, [['group show billing', 'whether it is ordered, how often and when it tries again']]);
}

const seconds = (ms: number): string => `${ms / 1000}s`;

function addCreate(group: Command, io: CommandIo): void {
  const command = group
    .command('create')
    .description(
      'Makes a consumer group on every master broker of the cluster that lacks it. One that is there stays as it is, unless --yes is given: then it gets what the options say, and keeps the rest.',
    )
    .argument('<group>')
    .option('--fifo', 'hand out the messages of a message group one after another')
    .option('--no-fifo', 'do not (default for a new group)')
    .option(
      '--max-attempts <count>',
      'deliveries until a message is a dead letter (default for a new group: 17)',
      countOf,
    )
    .addOption(alterOption());
  accessOptions(command).action(
    async (consumerGroup: string, values: AccessValues & { fifo?: boolean; maxAttempts?: number; yes?: boolean }) => {
      const alters = values.yes === true;
      const made = await withAdmin(values, io, async (admin) => {
        const found = await admin.describeGroup(consumerGroup);
        const { fifo = found?.fifo ?? false, maxAttempts: maxDeliveryAttempts = found?.maxDeliveryAttempts ?? 17 } =
          values;
        const wanted = { consumerGroup, fifo, maxDeliveryAttempts };
        const differences = (found?.brokers ?? []).flatMap((broker) => groupDifferences(broker, wanted));
        if (differences.length > 0 && !alters) throw existsOtherwise(`group "${consumerGroup}"`, differences);
        await admin.createGroup(wanted, { keepExisting: !alters });
        return wanted;
      });
      const { fifo, maxDeliveryAttempts } = made;
      const text = `${fifo ? 'ordered ' : ''}group ${consumerGroup} delivers at most ${maxDeliveryAttempts} times\n`;
      print(io, values, made, () => text);
    },
  );
  withExamples(command, [
    ['group create billing --max-attempts 5', 'a group that tries five times'],
    ['group create shipping --fifo', 'an ordered group'],
    ['group create shipping --max-attempts 8 --yes', 'alters the one that is there: more attempts, it stays ordered'],
  ]);
}

interface Delivery {
  readonly fifo: boolean;
  readonly maxDeliveryAttempts: number;
}

function groupDifferences(found: Delivery & { readonly name: string }, wanted: Delivery): string[] {
  const { fifo, maxDeliveryAttempts } = wanted;
  const order = (isOrdered: boolean): string => (isOrdered ? 'ordered' : 'not ordered');
  return [
    ...(fifo === found.fifo ? [] : [`it is ${order(found.fifo)} on ${found.name}`]),
    ...(maxDeliveryAttempts === found.maxDeliveryAttempts
      ? []
      : [`it delivers at most ${found.maxDeliveryAttempts} times on ${found.name}, not ${maxDeliveryAttempts}`]),
  ];
}

function addDelete(group: Command, io: CommandIo): void {
  const command = group
    .command('delete')
    .description('Deletes a consumer group, its offsets and what it was to get again. Stop its consumers before.')
    .argument('<group>')
    .option('--with-dead-letters', 'also its dead letters, for good')
    .addOption(yesOption());
  type Values = AccessValues & { yes?: boolean; withDeadLetters?: boolean };
  accessOptions(command).action(async (name: string, values: Values) => {
    const withDeadLetters = values.withDeadLetters === true;
    if (values.yes === true) {
      const deleted = await withAdmin(values, io, (admin) => admin.deleteGroup(name, { withDeadLetters }));
      const { deletedOn, deletedTopics } = deleted;
      print(io, values, { ...deleted, done: true }, () =>
        deletedOn.length === 0
          ? `group ${name} was not there\n`
          : `group ${name} was deleted from ${deletedOn.join(', ')}; topics that went with it: ${deletedTopics.join(', ') || 'none'}\n`,
      );
      return;
    }
    const { described, clients, total } = await withAdmin(values, io, async (admin) => ({
      described: await admin.describeGroup(name),
      clients: (await admin.groupClients(name)).clients.length,
      total: (await admin.listDeadLetters(name, { limit: 1 })).total,
    }));
    const exists = described !== undefined;
    print(io, values, { consumerGroup: name, done: false, exists, clients, deadLetters: total }, () => {
      const letters = `${withDeadLetters ? 'and' : 'without'} its ${plural(total, 'dead letter')}`;
      return exists
        ? `group ${name} ${letters} would be deleted (${plural(clients, 'consumer')} connected); nothing was changed: repeat it with --yes\n`
        : `group ${name} does not exist; there is nothing to delete\n`;
    });
  });
  withExamples(command, [
    ['group delete billing-old', 'what would be deleted, and who is still connected'],
    ['group delete billing-old --with-dead-letters --yes', 'deletes all of it'],
  ]);
}

function addClients(group: Command, io: CommandIo): void {
  const command = group
    .command('clients')
    .description('Shows the consumers of a group that are connected, and what they subscribe to.')
    .argument('<group>')
    .option('--compare', 'ask each consumer itself, and fail when they do not subscribe alike');
  accessOptions(command).action(async (name: string, values: AccessValues & { compare?: boolean }) => {
    const told = await withAdmin(values, io, (admin) =>
      admin.groupClients(name, { compareMembers: values.compare === true }),
    );
    const { clients, subscriptions, differences, failures } = told;
    print(io, values, told, () => {
      const people = table(
        ['CLIENT', 'ADDRESS', 'LANGUAGE', 'BROKERS'],
        clients.map((one) => [one.clientId, one.address, one.language, one.brokers.join(',')]),
      );
      const topics = table(
        ['TOPIC', 'BY', 'FILTER'],
        subscriptions.map((one) => [one.topic, one.kind, one.expression]),
      );
      return `${people}\n${topics}${values.compare === true ? `\n${agreement(differences)}\n` : ''}`;
    });
    if (differences !== undefined && differences.length > 0) io.fail();
    tellFailures(io, failures);
  });
  withExamples(command, [
    ['group clients billing', 'who is connected'],
    ['group clients billing --compare', 'and whether they agree: those that do not lose messages for each other'],
  ]);
}

function agreement(differences: readonly { readonly topic: string }[] | undefined): string {
  if (differences === undefined) return 'whether they subscribe alike is not known: the server did not tell';
  if (differences.length === 0) return 'they subscribe alike';
  return `they do not subscribe alike to ${differences.map(({ topic }) => topic).join(', ')}: messages are lost`;
}
