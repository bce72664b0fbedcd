// Sends a message that a viewer has written.

import type { OutgoingMessage } from 'nestjs-rocketmq/client';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRejection } from '../http/exchange.js';
import type { PageContext } from '../pages/context.js';
import type { ConsoleSource } from '../source.js';
import { type Fields, MAX_DATE_MS, wrong } from './fields.js';

/** What a person edits in a browser. */
const MAX_BODY_BYTES = 512 * 1024;
const MAX_KEYS = 32;

/** @throws ConsoleRejection when nothing here can send */
export function senderOf({ source: { send } }: PageContext): NonNullable<ConsoleSource['send']> {
  if (send !== undefined) return send;
  const text = 'this console cannot send: it has no addresses of proxies; start it with --endpoints; nothing was sent';
  throw new ConsoleRejection(409, 'CANNOT_SEND', text);
}

export function bodyIn(fields: Fields): string {
  const text = fields.text('text', MAX_BODY_BYTES);
  if (Buffer.byteLength(text) <= MAX_BODY_BYTES) return text;
  throw wrong(`text has more than ${MAX_BODY_BYTES} bytes`);
}

/**
 * Rejects the topics that brokers keep for themselves: what is written to the retries of a group is delivered as a message of another topic,
 * about which no rule was asked.
 * @throws ConsoleRejection
 */
export function assertOrdinary(topic: string): void {
  if (topic.startsWith('%'))
    throw wrong(`topic must be one that applications send to, not ${topic}, which brokers keep for a group`);
}

export async function planSend(context: PageContext, fields: Fields): Promise<Change> {
  const send = senderOf(context);
  const { admin, request } = context;
  const topic = fields.text('topic');
  assertOrdinary(topic);
  const deliverAtMs = fields.optionalCount('deliverAtMs', 0, MAX_DATE_MS);
  const message: OutgoingMessage = {
    topic,
    body: bodyIn(fields),
    tag: fields.optionalText('tag'),
    keys: fields.texts('keys', MAX_KEYS),
    properties: fields.record('properties'),
    messageGroup: fields.optionalText('messageGroup'),
    deliverAt: deliverAtMs === undefined ? undefined : new Date(deliverAtMs),
  };
  fields.end();
  const { signal } = request;
  const [described, { consumerGroups }] = await Promise.all([
    admin.describeTopic(topic, { signal }),
    admin.groupsOfTopic(topic, { signal }),
  ]);
  if (described === undefined)
    throw new ConsoleRejection(404, 'NO_TOPIC', `topic ${topic} does not exist; create it first; nothing was sent`);
  const run = async (runSignal: AbortSignal): Promise<ChangeResult> => {
    const receipt = await send(message, { signal: runSignal });
    return { outcome: 'done', text: `sent as message ${receipt.messageId}`, details: receipt };
  };
  const bytes = Buffer.byteLength(message.body);
  const preview = { topic, type: described.type, consumerGroups, bytes, deliverAtMs };
  return { action: 'send', target: {}, topics: [topic], preview, run };
}
