// `nestjs-rocketmq message`: shows, finds, lists and follows stored messages without consuming them. Sending is in send-command.ts.

import type { Command } from 'commander';
import type { TrailGap } from '../admin/messages/message-trail.js';
import type { StoredMessageView } from '../admin/messages/message-view.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type AddCommand, type CommandIo, countOf, dateOf, eachOf, plural, withExamples } from './command.js';
import { delayedTable, messageInFull, messageLine, messageTable, trailText } from './message-text.js';
import { jsonLine, type PageValues, pageOptions, print, printPage, reportFailures, warnOfFailures } from './output.js';
import { addSend } from './send-command.js';

/** How many groups a warning names. */
const MAX_NAMED = 10;

export const addMessageCommand: AddCommand = (program, io) => {
  const message = program
    .command('message')
    .description('Shows, finds, lists and follows messages without consuming them, and sends one.');
  withExamples(message, [['message find orders --key order-42', 'the messages of one order']]);
  addShow(message, io);
  addTrail(message, io);
  addFind(message, io);
  addList(message, io);
  addTail(message, io);
  addDelayed(message, io);
  addSend(message, io);
};

function addShow(message: Command, io: CommandIo): void {
  const command = message
    .command('show')
    .description(
      'Shows the messages of a topic with an id, in full. Servers do not deduplicate ids, so there may be several. Fails when there is none.',
    )
    .argument('<topic>')
    .argument('<id>');
  accessOptions(command).action(async (topic: string, messageId: string, values: AccessValues) => {
    const found = await withAdmin(values, io, (admin) => admin.findMessages({ topic, messageId }));
    print(io, values, found, () => found.messages.map(messageInFull).join('\n'));
    reportNone(io, found.messages.length, `topic ${topic} has no message ${messageId}`);
    reportFailures(io, found.failures);
  });
  withExamples(command, [
    ['message show orders 01A24C477AA4C02D7E0B1222CA00000001', 'everything that the server stores of the message'],
  ]);
}

function addTrail(message: Command, io: CommandIo): void {
  const command = message
    .command('trail')
    .description(
      'Shows the way of a message: its half message, its delay, its copies in its topic, and for each group how far it came, its redeliveries and its dead letters, each with the place where it is stored. Fails when the servers have nothing of it, and when it could not look at a group.',
    )
    .argument('<topic>')
    .argument('<id>')
    .option('--group <group>', 'only this consumer group; can be repeated', eachOf(String));
  accessOptions(command).action(
    async (topic: string, messageId: string, values: AccessValues & { group?: readonly string[] }) => {
      const query = { topic, messageId, ...(values.group && { consumerGroups: values.group }) };
      const trail = await withAdmin(values, io, (admin) => admin.messageTrail(query));
      const { halfMessages, givenUp, delayed, recalls, stored, groups } = trail;
      const ofGroups = groups.flatMap(({ retries, deadLetters }) => [...retries, ...deadLetters]);
      print(io, values, trail, () => trailText(trail));
      reportNone(
        io,
        [halfMessages, givenUp, delayed, recalls, stored, ofGroups].flat().length,
        `the servers have no message ${messageId} of topic ${topic}`,
      );
      reportGaps(io, trail.gaps);
      reportFailures(io, trail.failures);
    },
  );
  withExamples(command, [
    ['message trail orders 01A24C477AA4C02D7E0B1222CA00000001', 'what became of it, group by group'],
  ]);
}

type FindValues = AccessValues & { key: string; from?: Date; to?: Date; limit: number };

function addFind(message: Command, io: CommandIo): void {
  const command = message
    .command('find')
    .description(
      'Lists the messages of a topic with a key, in the order in which they were stored. Fails when there is none.',
    )
    .argument('<topic>')
    .requiredOption('--key <key>', 'one of the keys that the message was sent with')
    .option('--from <time>', 'stored at this time or later', dateOf)
    .option('--to <time>', 'stored at this time or earlier', dateOf)
    .option('--limit <count>', 'maximum messages from each broker, up to 64', countOf, 32);
  accessOptions(command).action(async (topic: string, values: FindValues) => {
    const { key, from, to, limit } = values;
    const found = await withAdmin(values, io, (admin) => admin.findMessages({ topic, key, from, to, limit }));
    print(
      io,
      values,
      found,
      () =>
        messageTable(found.messages) +
        (found.mayBeMore ? 'there may be more: increase --limit, or narrow the time with --from and --to\n' : ''),
    );
    reportNone(io, found.messages.length, `topic ${topic} has no message with the key ${key}`);
    reportFailures(io, found.failures);
  });
  withExamples(command, [
    ['message find orders --key order-42', 'the messages of one order'],
    [
      'message find orders --key order-42 --from 2026-03-01T00:00:00Z --json',
      'since March, as JSON with bodies as base64',
    ],
  ]);
}

type ListValues = AccessValues & PageValues & { newest?: boolean; from?: Date; to?: Date };

function addList(message: Command, io: CommandIo): void {
  const command = message
    .command('list')
    .description('Lists the messages of a topic page by page, the oldest of each queue first.')
    .argument('<topic>')
    .option('--newest', 'the newest of all queues first')
    .option('--from <time>', 'stored at this time or later', dateOf)
    .option('--to <time>', 'stored at this time or earlier', dateOf);
  accessOptions(pageOptions(command, 'message')).action(async (topic: string, values: ListValues) => {
    const { newest, from, to, limit, after } = values;
    const order = newest === true ? 'newest-first' : 'oldest-first';
    const page = await withAdmin(values, io, (admin) => admin.browseMessages(topic, { order, from, to, limit, after }));
    printPage(
      io,
      values,
      page,
      () => `${messageTable(page.messages)}${page.messages.length} of ${plural(page.total, 'message')}`,
    );
  });
  withExamples(command, [
    ['message list orders --limit 10', 'the ten oldest messages'],
    ['message list orders --newest --to 2026-03-01T12:00:00Z', 'what was stored before noon, the latest first'],
  ]);
}

type TailValues = AccessValues & { from?: Date; tag?: readonly string[]; key?: readonly string[] };

function addTail(message: Command, io: CommandIo): void {
  const command = message
    .command('tail')
    .description('Follows a topic: prints each message that is stored from now on, until it is interrupted.')
    .argument('<topic>')
    .option('--from <time>', 'begin with the messages that were stored at this time or later', dateOf)
    .option('--tag <tag>', 'only messages with this tag; can be repeated', eachOf(String))
    .option('--key <key>', 'only messages with this key; can be repeated', eachOf(String));
  accessOptions(command).action(async (topic: string, values: TailValues) => {
    const { from, tag, key, json } = values;
    const filter = (one: StoredMessageView): boolean =>
      (tag === undefined || (one.tag !== undefined && tag.includes(one.tag))) &&
      (key === undefined || key.some((sought) => one.keys.includes(sought)));
    const options = { from, filter, signal: io.closed };
    const follow = async (admin: RocketMQAdmin): Promise<void> => {
      for await (const { messages, skipped, failures } of admin.tailMessages(topic, options)) {
        for (const one of messages) {
          io.out(json === true ? jsonLine(one) : messageLine(one));
          await io.flushed();
        }
        if (skipped > 0) io.warn(`the server deleted ${plural(skipped, 'message')} before they could be read`);
        warnOfFailures(io, failures);
      }
    };
    await withAdmin(values, io, follow).catch((error: unknown) => {
      if (!io.closed.aborted) throw error;
    });
  });
  withExamples(command, [
    ['message tail orders --tag paid', 'each paid order, as it comes'],
    ['message tail orders --from 2026-03-01T12:00:00Z --json', 'since noon, one JSON document in a line'],
  ]);
}

function addDelayed(message: Command, io: CommandIo): void {
  const command = message
    .command('delayed')
    .description('Lists the messages that are delayed and not due yet, page by page, the last sent first.')
    .option('--topic <topic>', 'only those of this topic');
  accessOptions(pageOptions(command, 'message')).action(
    async (values: AccessValues & PageValues & { topic?: string }) => {
      const { topic, limit, after } = values;
      const page = await withAdmin(values, io, (admin) => admin.delayedMessages({ topic, limit, after }));
      printPage(
        io,
        values,
        page,
        () => `${delayedTable(page.messages)}${plural(page.messages.length, 'delayed message')}`,
      );
    },
  );
  withExamples(command, [['message delayed --topic payment-due', 'what will be delivered, and when']]);
}

/** Warns of what was not read. The command fails for a group; old brokers cannot be read at all, which is no failure of this message. */
function reportGaps(io: CommandIo, gaps: readonly TrailGap[]): void {
  for (const { name, consumerGroup, error } of gaps) {
    if (consumerGroup === undefined) io.warn(`delays on broker ${name} were not looked at: ${error.message}`);
  }
  const ofGroups = gaps.filter(({ consumerGroup }) => consumerGroup !== undefined);
  const [first] = ofGroups;
  if (first === undefined) return;
  const names = [...new Set(ofGroups.map(({ consumerGroup }) => consumerGroup))];
  const shown = `${names.slice(0, MAX_NAMED).join(', ')}${names.length > MAX_NAMED ? ', …' : ''}`;
  io.warn(
    `${plural(names.length, 'group')} not looked at on every broker: ${shown}: ${first.error.message}; choose some with --group, or increase --timeout`,
  );
  io.fail();
}

function reportNone(io: CommandIo, count: number, text: string): void {
  if (count > 0) return;
  io.warn(text);
  io.fail();
}
