// `nestjs-rocketmq message send`: one message, as a producer of this library sends it.

import { type Command, InvalidArgumentError } from 'commander';
import type { OutgoingMessage } from '../protocol/model/message.js';
import { type AccessValues, accessOptions, adminOptionsOf, readGiven } from './admin-access.js';
import type { bodyDoubts } from './asyncapi/body-check.js';
import { type CommandIo, countOf, eachOf, withExamples, wrongCall } from './command.js';
import { print } from './output.js';

type Values = AccessValues & {
  body?: string;
  file?: string;
  tag?: string;
  key?: readonly string[];
  property?: readonly (readonly [name: string, value: string])[];
  messageGroup?: string;
  delay?: number;
  asyncapi?: string;
};

export function addSend(message: Command, io: CommandIo): void {
  const command = message
    .command('send')
    .description('Sends a message to a topic, by its name servers. Every group of the topic receives it.')
    .argument('<topic>')
    .option('--body <text>', 'the body, in UTF-8')
    .option('--file <file>', 'the file with the body, as it is')
    .option('--tag <tag>', 'its tag')
    .option('--key <key>', 'one of its keys; can be repeated', eachOf(String))
    .option('--property <name=value>', 'one of its properties; can be repeated', eachOf(propertyOf))
    .option('--message-group <group>', 'its message group, for a topic of type fifo')
    .option('--delay <ms>', 'deliver it so much later, for a topic of type delay', countOf)
    .option('--asyncapi <file>', 'do not send a JSON body that does not fit the topic in this AsyncAPI document');
  accessOptions(command).action(async (topic: string, values: Values) => {
    const { tag, key: keys, property, messageGroup, delay: delayMs } = values;
    const properties = property && Object.fromEntries(property);
    const sent = { topic, body: await bodyOf(values), tag, keys, properties, messageGroup, delayMs };
    const given = Object.entries(sent).filter(([, value]) => value !== undefined);
    if (values.asyncapi !== undefined) await checkBody(sent, values.asyncapi, io);
    const receipt = await sendOne(Object.fromEntries(given) as unknown as OutgoingMessage, values, io);
    const { messageId, brokerName, queueId, offset } = receipt;
    print(io, values, receipt, () => {
      const place = delayMs === undefined ? `: ${brokerName} queue ${queueId} offset ${offset}` : '';
      return `message ${messageId} is stored in ${topic}${place}\n`;
    });
  });
  withExamples(command, [
    [`message send orders --body '{"orderId":"42"}' --key order-42 --tag paid`, 'an order, again'],
    ['message send orders --file order.json --asyncapi asyncapi.json', 'only if it is as the application expects it'],
    ['message send payment-due --file body.json --delay 60000', 'in a minute'],
  ]);
}

async function sendOne(message: OutgoingMessage, values: Values, { env }: CommandIo) {
  const { Connection } = await import('../client/connection.js');
  const { Producer } = await import('../producer/producer.js');
  const { tls, credentials } = await adminOptionsOf(values, env);
  const { nameServer, timeout: timeoutMs } = values;
  const connection = new Connection({ endpoints: `name-server:${nameServer}`, tls, credentials });
  const producer = new Producer(connection);
  try {
    await producer.start({ timeoutMs });
    return await producer.send(message, { timeoutMs });
  } finally {
    await producer.close();
    connection.close();
  }
}

async function checkBody(sent: Parameters<typeof bodyDoubts>[1], file: string, io: CommandIo): Promise<void> {
  const { bodyDoubts, doubtText } = await import('./asyncapi/body-check.js');
  const { documentView } = await import('./asyncapi/document-view.js');
  const document = documentView(file, (await readGiven('--asyncapi', file)).toString('utf8'));
  const doubts = bodyDoubts(document, sent);
  if (doubts.length > 0) io.warn(`it cannot be decided whether the body fits: ${doubtText(doubts)}`);
}

async function bodyOf({ body, file }: Values): Promise<string | Buffer> {
  if ((body === undefined) === (file === undefined)) throw wrongCall('give the body by either --body or --file');
  return file === undefined ? (body ?? '') : readGiven('--file', file);
}

function propertyOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new InvalidArgumentError('It must be name=value.');
}
