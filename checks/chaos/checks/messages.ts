// The effects of messages: each is about one order and one step, and the stock received what the order service sent.

import type { Book } from './books.js';

/** The line with which a message is sent, and the steps that it causes at the stock. */
const SENT: readonly { readonly topic: string; readonly line: string; readonly steps: RegExp }[] = [
  {
    topic: 'order-created',
    line: 'created',
    steps: /^(reserved|rejected|not reserved: .*|redelivered: nothing to reserve)$/,
  },
  { topic: 'order-paid', line: 'paid', steps: /^(sold|redelivered: nothing to sell)$/ },
  {
    topic: 'stock-return',
    line: 'stock return sent',
    steps: /^(returned|returned before the reservation|nothing to return|redelivered: nothing to return)$/,
  },
];

/** What each line of the order service is about. */
const TOPIC_OF: readonly (readonly [RegExp, string])[] = [
  [/^(half message sent|created|order-created received|order-created: .*)$/, 'order-created'],
  [/^(time-out (scheduled|recalled|came too late)|canceled: not paid in time)$/, 'order-timeout'],
  [/^stock (reserved|rejected)(, too late)?$/, 'stock-result'],
  [/^(paid|order-paid: .*)$/, 'order-paid'],
  [/^(stock return sent|stock-return: .*)$/, 'stock-return'],
];

export function messageViolations({ order, history, steps }: Book): string[] {
  const wrong: string[] = [];
  for (const { topic, line, steps: caused } of SENT) {
    const sent = history.find(({ what }) => what === line)?.messageId;
    for (const { what, messageId } of steps.filter((step) => caused.test(step.what))) {
      if (sent === undefined) wrong.push(`stock: "${what}" and no ${topic} was sent`);
      else if (messageId !== sent) wrong.push(`stock: "${what}" by ${messageId}, and its ${topic} is ${sent}`);
    }
  }
  const topics = new Map<string, string>();
  for (const { what, messageId } of history) {
    const topic = TOPIC_OF.find(([line]) => line.test(what))?.[1];
    if (messageId === null || topic === undefined) continue;
    const other = topics.get(messageId) ?? topic;
    if (other !== topic) wrong.push(`message ${messageId} is of ${other} and of ${topic}`);
    topics.set(messageId, topic);
    if (topic !== 'order-timeout' && topic !== 'stock-result') wrong.push(...ofOwn(topic, what, messageId, history));
  }
  return wrong.map((text) => `order ${order.id}: ${text}`);
}

/** Topics with at most one message per order. */
function ofOwn(topic: string, what: string, messageId: string, history: Book['history']): string[] {
  const line = SENT.find((one) => one.topic === topic)?.line;
  const sent = history.find((entry) => entry.what === line)?.messageId;
  return sent === messageId ? [] : [`"${what}" by ${messageId}, and its ${topic} is ${sent ?? 'not there'}`];
}
