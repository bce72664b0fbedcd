// `nestjs-rocketmq group`: lists, shows, creates and deletes consumer groups of a cluster without a JVM. group-pause-command.ts pauses them.

import type { Command } from 'commander';
import type { GroupDescription, GroupOnBroker } from '../admin/groups/groups.js';
import type { LiteGroup } from '../protocol/model/lite-group.js';
import type { BackoffPolicy } from '../support/backoff.js';
import { type AccessValues, accessOptions, commandOn, withAdmin } from './admin-access.js';
import {
  type AddCommand,
  alterOption,
  assertGroupExists,
  type CommandIo,
  CommandRejection,
  countOf,
  plural,
  rejectToAlter,
  withExamples,
  yesOption,
} from './command.js';
import { addPause, addResume, pauseOn } from './group-pause-command.js';
import { print, reportFailures, table } from './output.js';

export const addGroupCommand: AddCommand = (program, io) => {
  const group = program.command('group').description('Lists, shows, creates, pauses and deletes consumer groups.');
  withExamples(group, [
    ['group list', 'all groups with their retries'],
    ['group clients billing', 'the connected consumers and their subscriptions'],
  ]);
  addList(group, io);
  addShow(group, io);
  addCreate(group, io);
  addDelete(group, io);
  addPause(group, io);
  addResume(group, io);
  addClients(group, io);
  addClient(group, io);
};

function addList(group: Command, io: CommandIo): void {
  const command = group
    .command('list')
    .description('Lists the consumer groups of the cluster.')
    .option('--system', "include the server's own groups");
  accessOptions(command).action(async (values: AccessValues & { system?: boolean }) => {
    const { groups, failures } = await withAdmin(values, io, (admin) =>
      admin.listGroups({ includeSystem: values.system === true }),
    );
    const { isDeliverable } = await import('../remoting/group-config.js');
    const cellOf = ({ brokers }: GroupDescription, show: (one: GroupOnBroker) => string): string =>
      new Set(brokers.map(show)).size > 1 ? 'differs' : (brokers.map(show)[0] ?? '');
    print(io, values, { groups, failures }, () =>
      table(
        ['GROUP', 'ORDERED', 'ATTEMPTS', 'BACKOFF', 'PAUSED', 'BROKERS'],
        groups.map((one) => [
          one.consumerGroup,
          cellOf(one, ({ fifo, keepsRules }) => (keepsRules ? (fifo ? 'yes' : 'no') : '-')),
          cellOf(one, ({ maxDeliveryAttempts: most }) => (isDeliverable(most) ? `${most}` : 'none')),
          cellOf(one, ({ backoff, keepsRules }) => (keepsRules ? waitsOf(backoff) : '-')) === 'differs'
            ? 'differs'
            : cellOf(one, ({ backoff, keepsRules }) => (keepsRules ? backoff.kind : '-')),
          cellOf(one, ({ isPaused }) => (isPaused ? 'yes' : 'no')),
          one.brokers.map(({ name }) => name).join(','),
        ]),
      ),
    );
    reportFailures(io, failures);
  });
  withExamples(command, [['group list --json', 'as JSON']]);
}

function addShow(group: Command, io: CommandIo): void {
  const command = group
    .command('show')
    .description("Shows the brokers' settings of a consumer group. Fails when the group does not exist.")
    .argument('<group>');
  accessOptions(command).action(async (name: string, values: AccessValues) => {
    const described = await withAdmin(values, io, (admin) => admin.describeGroup(name));
    const cure = commandOn(values, 'group', 'create', name);
    if (described === undefined)
      throw new CommandRejection('CONSUMER_GROUP_NOT_FOUND', `group "${name}" does not exist; create it with: ${cure}`);
    const { brokers } = described;
    const { isDeliverable, losesWhatIsReleased } = await import('../remoting/group-config.js');
    print(io, values, described, () => {
      const order = byBroker(brokers, orderText);
      const attempts = (one: GroupOnBroker) =>
        attemptsText(one.maxDeliveryAttempts, isDeliverable(one.maxDeliveryAttempts)) +
        (losesWhatIsReleased(one) ? `; ${RELEASES_ARE_LOST}` : '');
      const paused = pauseOn(described);
      const hasLite = brokers.some(({ lite }) => lite !== undefined);
      return [
        `group ${name}: ${order.isSame ? `${order.text}, on ${brokers.map((one) => one.name).join(', ')}` : order.text}`,
        `attempts  ${byBroker(brokers, attempts).text}`,
        `backoff   ${byBroker(brokers, ({ backoff, keepsRules }) => (keepsRules ? waitsOf(backoff) : BY_CONSUMERS)).text}`,
        ...(paused === undefined ? [] : [`paused    ${paused}`]),
        ...(hasLite ? [`lite      ${byBroker(brokers, ({ lite }) => liteText(lite)).text}`] : []),
        '',
      ].join('\n');
    });
  });
  withExamples(command, [['group show billing', 'whether it is ordered, its attempts and its backoff']]);
}

/** On brokers of 4.x. */
const BY_CONSUMERS = 'as its consumers decide';

/** Whether a broker hands out the messages of a group in order. */
export function orderText({ fifo, keepsRules }: Pick<GroupOnBroker, 'fifo' | 'keepsRules'>): string {
  if (!keepsRules) return 'in the order that its consumers decide';
  return fifo ? 'ordered' : 'not ordered';
}

/** A setting; with the brokers that have each value where they differ. */
export function byBroker(brokers: readonly GroupOnBroker[], show: (broker: GroupOnBroker) => string) {
  const names = new Map<string, string[]>();
  for (const broker of brokers) names.set(show(broker), [...(names.get(show(broker)) ?? []), broker.name]);
  const values = [...names.keys()];
  const isSame = values.length < 2;
  return {
    isSame,
    text: isSame ? (values[0] ?? '') : values.map((one) => `${one} on ${names.get(one)?.join(', ')}`).join('; '),
  };
}

export const waitsOf = (backoff: BackoffPolicy): string =>
  backoff.kind === 'customized'
    ? backoff.nextMs.map(seconds).join(' ')
    : `${seconds(backoff.initialMs)}, multiplied by ${backoff.multiplier} each time, at most ${seconds(backoff.maxMs)}`;

export const liteText = (lite: Required<LiteGroup> | undefined): string =>
  lite === undefined
    ? 'no'
    : `lite topics of ${lite.topic}, at most ${lite.subscriptionQuota} for each consumer${lite.exclusive ? ', one consumer for each lite topic' : ''}`;

const attemptsText = (attempts: number, isDeliverable: boolean): string =>
  isDeliverable
    ? `${attempts}, then a dead letter`
    : `none: retryMaxTimes is ${attempts - 1}, with which a proxy moves every message to the dead letters; set --max-attempts`;

const RELEASES_ARE_LOST =
  'in an ordered group each release counts, so a deployment makes dead letters of messages that no handler has seen; set --max-attempts';

const seconds = (ms: number): string => `${ms / 1000}s`;

function addCreate(group: Command, io: CommandIo): void {
  const command = group
    .command('create')
    .description(
      'Creates a consumer group on every master broker of the cluster on which it does not exist. An existing group stays unchanged unless you add --yes, which changes the settings that you give and keeps the others.',
    )
    .argument('<group>')
    .option('--fifo', 'deliver the messages of a message group one after another')
    .option('--no-fifo', 'deliver messages in any order (default for a new group)')
    .option(
      '--max-attempts <count>',
      'deliveries before a message becomes a dead letter (default for a new group: 17)',
      countOf,
    )
    .option('--lite <topic>', 'receive lite topics of this topic, which is of type lite')
    .addOption(alterOption());
  type Values = AccessValues & { fifo?: boolean; maxAttempts?: number; lite?: string; yes?: boolean };
  accessOptions(command).action(async (consumerGroup: string, values: Values) => {
    const made = await withAdmin(values, io, async (admin) => {
      const { fifo, maxAttempts: maxDeliveryAttempts } = values;
      await admin
        .createGroup(
          {
            consumerGroup,
            fifo,
            maxDeliveryAttempts,
            lite: values.lite === undefined ? undefined : { topic: values.lite },
          },
          { ifExists: values.yes === true ? 'update' : 'reject' },
        )
        .catch(rejectToAlter);
      return admin.describeGroup(consumerGroup);
    });
    const brokers = made?.brokers ?? [];
    const { isDeliverable, losesWhatIsReleased } = await import('../remoting/group-config.js');
    const created = (one: GroupOnBroker): string => {
      const { fifo, maxDeliveryAttempts: most, lite, keepsRules } = one;
      const what = lite === undefined ? '' : ` messages of lite topics of ${lite.topic}`;
      const times = isDeliverable(most) ? `at most ${plural(most, 'time')}` : `nothing: retryMaxTimes is ${most - 1}`;
      const danger = losesWhatIsReleased(one) ? `: ${RELEASES_ARE_LOST}` : '';
      const order = keepsRules ? '' : `, ${orderText(one)}`;
      return `${fifo ? 'ordered ' : ''}group ${consumerGroup} delivers${what} ${times}${order}${danger}`;
    };
    const { fifo, maxDeliveryAttempts, lite } = made ?? {};
    const result = { consumerGroup, fifo, maxDeliveryAttempts, liteTopic: lite?.topic };
    print(io, values, result, () => `${byBroker(brokers, created).text}\n`);
  });
  withExamples(command, [
    ['group create billing --max-attempts 5', 'a group with five delivery attempts'],
    ['group create shipping --fifo', 'an ordered group'],
    ['group create assistants --lite chats', 'a group for the lite topics of topic chats'],
    ['group create shipping --max-attempts 8 --yes', 'alter the existing group: more attempts, still ordered'],
  ]);
}

function addDelete(group: Command, io: CommandIo): void {
  const command = group
    .command('delete')
    .description('Deletes a consumer group, its offsets and its pending retries. Stop its consumers first.')
    .argument('<group>')
    .option('--with-dead-letters', 'also delete its dead letters permanently')
    .addOption(yesOption());
  type Values = AccessValues & { yes?: boolean; withDeadLetters?: boolean };
  accessOptions(command).action(async (name: string, values: Values) => {
    const withDeadLetters = values.withDeadLetters === true;
    if (values.yes === true) {
      const deleted = await withAdmin(values, io, (admin) => admin.deleteGroup(name, { withDeadLetters }));
      const { deletedOn, deletedTopics } = deleted;
      print(io, values, { ...deleted, done: true }, () =>
        deletedOn.length === 0
          ? `group ${name} did not exist\n`
          : `group ${name} was deleted from ${deletedOn.join(', ')}; topics deleted with it: ${deletedTopics.join(', ') || 'none'}\n`,
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
      const letters = `${withDeadLetters ? 'with' : 'without'} its ${plural(total, 'dead letter')}`;
      return exists
        ? `group ${name} ${letters} would be deleted (${plural(clients, 'consumer')} connected); nothing was changed; add --yes to delete it\n`
        : `group ${name} does not exist; there is nothing to delete\n`;
    });
  });
  withExamples(command, [
    ['group delete billing-old', 'show what would be deleted, and how many consumers are still connected'],
    ['group delete billing-old --with-dead-letters --yes', 'delete the group and its dead letters'],
  ]);
}

function addClient(group: Command, io: CommandIo): void {
  const command = group
    .command('client')
    .description(
      'Shows what a connected consumer is doing: its running handlers, or the threads of one in Java. Apache RocketMQ asks consumers of the remoting protocol only; the embedded broker asks every consumer.',
    )
    .argument('<group>')
    .argument('<client>', 'its id, from "group clients"');
  accessOptions(command).action(async (consumerGroup: string, clientId: string, values: AccessValues) => {
    const report = await withAdmin(values, io, (admin) => admin.describeClient(consumerGroup, clientId));
    if (report === undefined) {
      const cure = commandOn(values, 'group', 'clients', consumerGroup);
      const problem = `client "${clientId}" of group "${consumerGroup}" is not connected; list those that are`;
      throw new CommandRejection('NOT_FOUND', `${problem}: ${cure}`);
    }
    print(io, values, { consumerGroup, clientId, report }, () => `${report}\n`);
  });
  withExamples(command, [['group client billing host@4711@0@x', 'which handlers run there, and for how long']]);
}

function addClients(group: Command, io: CommandIo): void {
  const command = group
    .command('clients')
    .description('Shows the connected consumers of a group and their subscriptions.')
    .argument('<group>')
    .option('--compare', 'ask each consumer for its subscriptions, and fail when they differ');
  accessOptions(command).action(async (name: string, values: AccessValues & { compare?: boolean }) => {
    const report = await withAdmin(values, io, async (admin) => {
      const found = await admin.groupClients(name, { compareMembers: values.compare === true });
      // Brokers answer alike for a group without consumers and for a misspelled one.
      if (found.clients.length === 0 && found.failures.length === 0)
        await assertGroupExists(admin, name, commandOn(values, 'group', 'list'));
      return found;
    });
    const { clients, subscriptions, differences, failures } = report;
    print(io, values, report, () => {
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
    reportFailures(io, failures);
  });
  withExamples(command, [
    ['group clients billing', 'the connected consumers'],
    ['group clients billing --compare', 'check that all have the same subscriptions; otherwise messages are lost'],
  ]);
}

function agreement(differences: readonly { readonly topic: string }[] | undefined): string {
  if (differences === undefined)
    return 'cannot compare subscriptions: the server did not return those of each consumer';
  if (differences.length === 0) return 'all consumers have the same subscriptions';
  return `the consumers have different subscriptions to ${differences.map(({ topic }) => topic).join(', ')}: messages are lost`;
}
