// `nestjs-rocketmq transaction`: half messages that the server has given up, listed and checked again.

import type { Command } from 'commander';
import type { GivenUpHalfMessage } from '../admin/message-pages.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type AddCommand, type CommandIo, countOf, eachOf, plural, withExamples, yesOption } from './command.js';
import { messageTable } from './message-text.js';
import { print, tellFailures } from './output.js';

export const addTransactionCommand: AddCommand = (program, io) => {
  const transaction = program
    .command('transaction')
    .description('Lists the half messages that the server has given up, and has them checked again.');
  withExamples(transaction, [['transaction list', 'transactions whose checks nobody answered']]);
  addList(transaction, io);
  addResume(transaction, io);
};

/** A half message that was given up. */
interface Listed extends GivenUpHalfMessage {
  /** It lies in its topic, too: it was committed since. Undefined when a broker did not answer. */
  readonly isDelivered: boolean | undefined;
}

type ListValues = AccessValues & { limit: number; after?: string };

function addList(transaction: Command, io: CommandIo): void {
  const command = transaction
    .command('list')
    .description(
      'Lists half messages that the server has given up after its checks, page by page, and whether each was delivered since. What is not delivered is lost if its local transaction was committed.',
    )
    .option('--limit <count>', 'the most messages of a page, up to 100', countOf, 32)
    .option('--after <position>', 'where the page before ended');
  accessOptions(command).action(async ({ limit, after, ...values }: ListValues) => {
    const page = await withAdmin(values, io, async (admin) => {
      const found = await admin.givenUpHalfMessages({ limit, after });
      return { ...found, messages: await lookedUp(admin, found.messages) };
    });
    print(io, values, page, () => {
      const next = page.next === undefined ? '' : `; go on with --after ${page.next}`;
      return `${halfTable(page.messages)}${page.messages.length} of ${plural(page.total, 'half message')}${next}\n`;
    });
    tellFailures(io, page.failures);
  });
  withExamples(command, [
    ['transaction list', 'the oldest of each broker first'],
    ['transaction list --limit 100 --json', 'for a program, bodies as base64'],
  ]);
}

type ResumeValues = AccessValues & { id?: readonly string[]; topic?: readonly string[]; yes?: boolean };

function addResume(transaction: Command, io: CommandIo): void {
  const command = transaction
    .command('resume')
    .description(
      'Has the server check half messages again that it has given up: it asks the service that sent them, whose transaction log or checker decides whether each is delivered or dropped. That service has to run. What was delivered since is left alone. Resume once and wait: what is resumed twice may be delivered twice.',
    )
    .option('--id <id>', 'only the one with this message id; may be repeated', eachOf(String))
    .option('--topic <topic>', 'only those of this topic; may be repeated', eachOf(String))
    .addOption(yesOption());
  accessOptions(command).action(async (values: ResumeValues) => {
    const chosen = await withAdmin(values, io, async (admin) => {
      const open = (await lookedUp(admin, await allChosen(admin, values))).filter(({ isDelivered }) => !isDelivered);
      const unknown = open.find(({ isDelivered }) => isDelivered === undefined);
      if (unknown !== undefined) throw notKnown(unknown);
      if (values.yes === true) await resumeAll(admin, open, io);
      return open;
    });
    const done = values.yes === true;
    print(io, values, { done, messages: chosen }, () => {
      const what = plural(chosen.length, 'half message');
      if (done) return `${what} resumed; the server asks for them within its check interval (30 s by default)\n`;
      return `${halfTable(chosen)}${what} would be checked again; nothing was changed: repeat it with --yes\n`;
    });
  });
  withExamples(command, [
    ['transaction resume', 'what would be checked again'],
    ['transaction resume --topic order-created --yes', 'those of one service'],
  ]);
}

const PAGE = 100;

async function resumeAll(admin: RocketMQAdmin, messages: readonly Listed[], io: CommandIo): Promise<void> {
  for (const [index, message] of messages.entries()) {
    try {
      await admin.resumeHalfMessage(message);
    } catch (error) {
      if (index > 0)
        io.warn(`${plural(index, 'half message')} resumed before this failed; wait before you resume again`);
      throw error;
    }
  }
}

function notKnown({ messageId, originTopic }: Listed): Error {
  return new Error(
    `a broker did not answer whether ${messageId} of ${originTopic} was delivered since; nothing was resumed, since it could be ` +
      'delivered twice; try again when all brokers answer',
  );
}

/** The newest copy of each: one that was resumed and given up again lies there twice. */
async function allChosen(admin: RocketMQAdmin, { id, topic }: ResumeValues): Promise<GivenUpHalfMessage[]> {
  const chosen = new Map<string, GivenUpHalfMessage>();
  let after: string | undefined;
  do {
    const page = await admin.givenUpHalfMessages({ limit: PAGE, after });
    const [failure] = page.failures;
    if (failure !== undefined) throw failure.error;
    for (const message of page.messages) {
      const { messageId, originTopic } = message;
      if (id !== undefined && !id.includes(messageId)) continue;
      if (topic !== undefined && (originTopic === undefined || !topic.includes(originTopic))) continue;
      chosen.set(messageId, message);
    }
    after = page.next;
  } while (after !== undefined);
  return [...chosen.values()];
}

/** One by one: each is a request to every broker. */
async function lookedUp(admin: RocketMQAdmin, messages: readonly GivenUpHalfMessage[]): Promise<Listed[]> {
  const listed: Listed[] = [];
  for (const message of messages) {
    const { originTopic: topic, messageId } = message;
    const found = topic === undefined ? undefined : await admin.findMessages({ topic, messageId });
    const isFound = found !== undefined && found.messages.length > 0;
    const isUnknown = !isFound && found !== undefined && found.failures.length > 0;
    listed.push({ ...message, isDelivered: isUnknown ? undefined : isFound });
  }
  return listed;
}

function halfTable(messages: readonly Listed[]): string {
  return messageTable(messages, {
    heading: 'OF TOPIC',
    of: ({ originTopic = '-', isDelivered }) => `${originTopic}${isDelivered ? ' (delivered since)' : ''}`,
  });
}
