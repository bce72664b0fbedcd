// `nestjs-rocketmq transaction`: lists and resumes half messages that the server has given up.

import type { Command } from 'commander';
import type { GivenUpHalfMessage } from '../admin/messages/message-pages.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { RocketMQError } from '../support/errors.js';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type AddCommand, type CommandIo, eachOf, plural, withExamples, yesOption } from './command.js';
import { messageTable } from './message-text.js';
import { type PageValues, pageOptions, print, printPage } from './output.js';

export const addTransactionCommand: AddCommand = (program, io) => {
  const transaction = program
    .command('transaction')
    .description('Lists half messages that the server has given up, and asks the server to check them again.');
  withExamples(transaction, [['transaction list', 'transactions whose checks were never answered']]);
  addList(transaction, io);
  addResume(transaction, io);
};

/** A half message that the server has given up. */
interface Listed extends GivenUpHalfMessage {
  /** True when the message is also in its topic: it has been committed since. Undefined when a broker did not answer. */
  readonly isDelivered: boolean | undefined;
}

type ListValues = AccessValues & PageValues;

function addList(transaction: Command, io: CommandIo): void {
  const command = transaction
    .command('list')
    .description(
      'Lists page by page the half messages that the server has given up after its checks, and whether each has been delivered since. A message that is not delivered is lost if its local transaction committed.',
    );
  accessOptions(pageOptions(command, 'message')).action(async ({ limit, after, ...values }: ListValues) => {
    const page = await withAdmin(values, io, async (admin) => {
      const found = await admin.givenUpHalfMessages({ limit, after });
      return { ...found, messages: await lookedUp(admin, found.messages) };
    });
    printPage(
      io,
      values,
      page,
      () => `${halfTable(page.messages)}${page.messages.length} of ${plural(page.total, 'half message')}`,
    );
  });
  withExamples(command, [
    ['transaction list', 'the oldest of each broker first'],
    ['transaction list --limit 100 --json', 'as JSON, with bodies as base64'],
  ]);
}

type ResumeValues = AccessValues & { id?: readonly string[]; topic?: readonly string[]; yes?: boolean };

function addResume(transaction: Command, io: CommandIo): void {
  const command = transaction
    .command('resume')
    .description(
      'Asks the server to check half messages again that it has given up. The server asks the service that sent them, and its transaction log or checker decides whether each message is delivered or dropped. The service must be running. Messages that have been delivered since are skipped. Resume once and wait: a message that is resumed twice may be delivered twice.',
    )
    .option('--id <id>', 'only the message with this id; can be repeated', eachOf(String))
    .option('--topic <topic>', 'only messages of this topic; can be repeated', eachOf(String))
    .addOption(yesOption());
  accessOptions(command).action(async (values: ResumeValues) => {
    const chosen = await withAdmin(values, io, async (admin) => {
      const givenUp = await allChosen(admin, values);
      for (const id of values.id ?? []) if (!givenUp.some(({ messageId }) => messageId === id)) reportUnknown(io, id);
      const open = (await lookedUp(admin, givenUp)).filter(({ isDelivered }) => !isDelivered);
      const unknown = open.find(({ isDelivered }) => isDelivered === undefined);
      if (unknown !== undefined) throw notKnown(unknown);
      if (values.yes === true) await resumeAll(admin, open, io);
      return open;
    });
    const done = values.yes === true;
    print(io, values, { done, messages: chosen }, () => {
      const what = plural(chosen.length, 'half message');
      if (done) return `${what} resumed; the server checks them within its check interval (30 s by default)\n`;
      return `${halfTable(chosen)}${what} would be checked again; nothing was changed; add --yes to resume\n`;
    });
  });
  withExamples(command, [
    ['transaction resume', 'show what would be checked again'],
    ['transaction resume --topic order-created --yes', 'resume the messages of one topic'],
  ]);
}

const PAGE = 100;

async function resumeAll(admin: RocketMQAdmin, messages: readonly Listed[], io: CommandIo): Promise<void> {
  for (const [index, { broker, originTopic, offsetMessageId }] of messages.entries()) {
    try {
      await admin.resumeHalfMessage({ broker, originTopic, offsetMessageId });
    } catch (error) {
      if (index > 0)
        io.warn(
          `${plural(index, 'half message')} resumed before the failure below; wait for their checks before you resume again`,
        );
      throw error;
    }
  }
}

function reportUnknown(io: CommandIo, id: string): void {
  io.warn(`half message ${id} is not among those that the server has given up, so it is not resumed`);
  io.fail();
}

function notKnown({ messageId, originTopic }: Listed): Error {
  return new Error(
    `it is unknown whether ${messageId} of ${originTopic} has been delivered since: a broker did not answer; nothing was resumed, ` +
      'because the message could be delivered twice; try again when all brokers answer',
  );
}

/** The newest copy of each: a message that was resumed and given up again is listed twice. */
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

/** Looks up one message at a time, since each lookup is a request to every broker. */
async function lookedUp(admin: RocketMQAdmin, messages: readonly GivenUpHalfMessage[]): Promise<Listed[]> {
  const listed: Listed[] = [];
  for (const message of messages) {
    const { originTopic: topic, messageId } = message;
    const found = topic === undefined ? undefined : await admin.findMessages({ topic, messageId }).catch(ofNoTopic);
    const isFound = found !== undefined && found.messages.length > 0;
    const isUnknown = !isFound && found !== undefined && found.failures.length > 0;
    listed.push({ ...message, isDelivered: isUnknown ? undefined : isFound });
  }
  return listed;
}

/** A topic that was deleted has no messages. */
function ofNoTopic(error: unknown): { readonly messages: readonly never[]; readonly failures: readonly never[] } {
  if (RocketMQError.is(error) && error.code === 'UNKNOWN_TOPIC') return { messages: [], failures: [] };
  throw error;
}

function halfTable(messages: readonly Listed[]): string {
  const of = ({ originTopic = '-', isDelivered }: Listed) => `${originTopic}${isDelivered ? ' (delivered since)' : ''}`;
  return messageTable(messages, [{ heading: 'OF TOPIC', of }]);
}
