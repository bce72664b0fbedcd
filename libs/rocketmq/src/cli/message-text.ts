// Messages as text: a list of them, or one in full.

import type { DelayedMessage } from '../admin/messages/delayed-messages.js';
import type { GroupTrail, MessageTrail } from '../admin/messages/message-trail.js';
import type { StoredMessageView } from '../admin/messages/message-view.js';
import { plural } from './command.js';
import { bodyText, type Cell, inRow, isText, table, timeText } from './output.js';

/** How many characters of a body a list shows. */
const SHORT = 40;
/** How many characters of a tag or of all keys a list shows: other clients store thousands, and a column is as wide as its longest cell. */
const MAX_LABEL_LENGTH = 80;
/** In bytes of UTF-8. */
const MAX_CHARACTER_LENGTH = 4;

interface Column<T> {
  readonly heading: string;
  of(message: T): string | undefined;
}

/** A list of messages, of which only the rows are kept: bodies can be large. */
export class MessageTable<T extends StoredMessageView> {
  private readonly rows: (readonly Cell[])[] = [];

  /** @param more additional columns */
  constructor(private readonly more: readonly Column<T>[] = []) {}

  add(one: T): void {
    this.rows.push([
      one.messageId,
      timeText(one.storeTimestampMs),
      one.broker,
      one.queueId,
      one.queueOffset,
      one.tag && shortLabel(one.tag),
      shortLabel(one.keys.join(' ')),
      ...this.more.map(({ of }) => of(one)),
      shortBody(one),
    ]);
  }

  text(): string {
    const more = this.more.map(({ heading }) => heading);
    return table(['MESSAGE ID', 'STORED', 'BROKER', 'QUEUE', 'OFFSET', 'TAG', 'KEYS', ...more, 'BODY'], this.rows);
  }
}

/** @param more additional columns */
export function messageTable<T extends StoredMessageView>(messages: readonly T[], more?: readonly Column<T>[]): string {
  const rows = new MessageTable(more);
  for (const one of messages) rows.add(one);
  return rows.text();
}

export function delayedTable(messages: readonly DelayedMessage[]): string {
  return table(
    ['MESSAGE ID', 'TOPIC', 'DUE', 'BROKER', 'TAG', 'KEYS', 'BODY'],
    messages.map((one) => [
      one.messageId,
      one.originTopic,
      timeText(one.dueTimestampMs),
      one.broker,
      one.tag && shortLabel(one.tag),
      shortLabel(one.keys.join(' ')),
      shortBody(one),
    ]),
  );
}

function shortLabel(text: string): string {
  return text.length > MAX_LABEL_LENGTH ? `${text.slice(0, MAX_LABEL_LENGTH).replace(/\p{Surrogate}$/u, '')}…` : text;
}

export function messageInFull(one: StoredMessageView): string {
  const rows: [string, string | undefined][] = [
    ['message id', one.messageId],
    ['topic', one.topic],
    ['position', `${one.broker} queue ${one.queueId} offset ${one.queueOffset} (${one.storeHost})`],
    ['born', `${timeText(one.bornTimestampMs)} at ${one.bornHost}, by the producer's clock`],
    ['stored', timeText(one.storeTimestampMs)],
    ['due', timeText(one.deliveryTimestampMs)],
    ['tag', one.tag],
    ['keys', one.keys.join(' ') || undefined],
    ['group', one.messageGroup],
    ['priority', one.priority === undefined ? undefined : String(one.priority)],
    ['lite topic', one.liteTopic],
    ['retried', one.reconsumeTimes > 0 ? plural(one.reconsumeTimes, 'time') : undefined],
    ...Object.entries(one.properties).map(([name, value]): [string, string] => [`property ${name}`, value]),
    ['body', `${plural(one.body.length, 'byte')}${one.isPacked ? ', still compressed' : ''}`],
  ];
  const given = rows.filter((row): row is [string, string] => row[1] !== undefined);
  const width = Math.max(...given.map(([name]) => name.length));
  const lines = given.map(([name, value]) => `${inRow(name).padEnd(width)}  ${inRow(value)}`);
  return `${[...lines, '', bodyText(one.body)].join('\n')}\n`;
}

/** What happened to a message, by time, each with the place of the stored message that says so; then each group. */
export function trailText(trail: MessageTrail): string {
  const { halfMessages, givenUp, delayed, recalls, stored, groups, mayBeMore } = trail;
  const first = [...halfMessages, ...delayed, ...stored][0];
  const events: Event[] = [
    ...(first === undefined ? [] : [[first.bornTimestampMs, `sent by ${first.bornHost}`] as const]),
    ...halfMessages.map((one, index) => eventOf(halfText(one, index), one)),
    ...givenUp.map((one) => eventOf('half message given up, its checks were not answered', one)),
    ...delayed.map((one) => eventOf(`delayed until ${timeText(one.dueTimestampMs)}`, one)),
    ...recalls.map((one) => eventOf('canceled', one)),
    ...stored.map((one) => eventOf('stored', one)),
  ];
  return linesOf(events) + moreText(mayBeMore) + groups.map(groupText).join('');
}

/** A server stores a half message again for each check; the first one is not listed where it returns no more. */
function halfText({ properties }: StoredMessageView, index: number): string {
  const { TRANSACTION_CHECK_TIMES: checks = '0' } = properties;
  if (checks !== '0') return `check ${checks} of the half message, stored`;
  return index === 0 ? 'half message stored' : 'half message stored again';
}

function groupText({ consumerGroup, isOfTopic, copies, retries, deadLetters, mayBeMore }: GroupTrail): string {
  const waiting = copies.filter(({ isPassed }) => !isPassed).length;
  const firstReceivedMs = retries.find((one) => one.firstReceivedMs !== undefined)?.firstReceivedMs;
  const events: Event[] = [
    ...(firstReceivedMs === undefined ? [] : [[firstReceivedMs, 'received for the first time'] as const]),
    ...retries.map((one) =>
      eventOf(`ready for delivery ${one.attempt}${one.isPassed ? '' : ', which waits for a consumer'}`, one),
    ),
    ...deadLetters.map((one) => eventOf('dead-lettered', one)),
  ];
  const state = waiting > 0 ? 'waits to be delivered' : 'delivered, or not wanted by its filter';
  const known = copies.length === 0 ? 'nothing to deliver' : state;
  const text = isOfTopic ? known : 'has received nothing of the topic, and no consumer of it subscribes';
  return `\ngroup ${inRow(consumerGroup)}: ${text}\n${linesOf(events)}${moreText(mayBeMore)}`;
}

type Event = readonly [atMs: number, text: string];

function eventOf(what: string, one: StoredMessageView): Event {
  return [
    one.storeTimestampMs,
    `${what} in ${one.topic}: ${one.broker} queue ${one.queueId} offset ${one.queueOffset}`,
  ];
}

function moreText(mayBeMore: boolean): string {
  return mayBeMore ? 'there may be older ones: a server returns at most 32 of one id\n' : '';
}

function linesOf(events: readonly Event[]): string {
  return [...events]
    .sort(([left], [right]) => left - right)
    .map(([atMs, what]) => `${timeText(atMs)}  ${inRow(what)}\n`)
    .join('');
}

/** One message in a line, for output that has no end. */
export function messageLine(one: StoredMessageView): string {
  const cells = [timeText(one.storeTimestampMs), one.messageId, one.tag, one.keys.join(' '), shortBody(one)];
  return `${cells.map((cell) => (cell === undefined || cell === '' ? '-' : inRow(cell))).join('  ')}\n`;
}

function shortBody({ body }: StoredMessageView): string {
  if (!isText(body)) return `(${plural(body.length, 'byte')})`;
  // Other white space may be a part of a value.
  const start = body.toString('utf8', 0, SHORT * MAX_CHARACTER_LENGTH);
  const lines = start.split(/[\r\n\u2028\u2029]+/);
  const text = lines
    .map((line, index) => (index === 0 ? line : line.trimStart()))
    .map((line, index) => (index === lines.length - 1 ? line : line.trimEnd()))
    .join(' ')
    .replaceAll('\t', ' ');
  return text.length > SHORT ? `${text.slice(0, SHORT - 1)}…` : text;
}
