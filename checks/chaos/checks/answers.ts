// The answers to customers, compared with what became of the order.

import type { Call, Status } from '../facts.js';
import type { Book } from './books.js';

const ENDS: readonly Status[] = ['PAID', 'REJECTED', 'CANCELED'];
const DONE: Readonly<Partial<Record<Call['kind'], Status>>> = { pay: 'PAID', cancel: 'CANCELED' };

export function answerViolations({ order, history, calls }: Book): string[] {
  const way = wayOf(history);
  const wrong: string[] = [];
  for (const call of calls) {
    const { kind, answer } = call;
    if (answer.kind === 'wrong') wrong.push(answer.text);
    if (answer.kind !== 'done' && answer.kind !== 'conflict') continue;
    const claimed = answer.status;
    const wanted = DONE[kind];
    if (answer.kind === 'done' && wanted !== undefined && claimed !== wanted)
      wrong.push(`${kind} was confirmed as ${claimed}`);
    if (!way.includes(claimed)) wrong.push(`an answer said that it is ${claimed}, and it never was`);
    else if (ENDS.includes(claimed) && claimed !== order.status)
      wrong.push(`${kind} was answered with ${claimed}, and it is ${order.status}`);
    if (call.kind === 'place' && (call.sku !== order.sku || call.quantity !== order.quantity)) {
      wrong.push(`of ${call.quantity} ${call.sku} was confirmed, and it is of ${order.quantity} ${order.sku}`);
    }
  }
  wrong.push(...backwards(way, calls));
  return wrong.map((text) => `order ${order.id}: ${text}`);
}

/** The states of the order, in order. */
function wayOf(history: Book['history']): Status[] {
  const way: Status[] = [];
  const moves = /^(half message sent|stock reserved|stock rejected|paid|canceled: .*)$/;
  for (const { what, status } of history) if (moves.test(what)) way.push(status);
  return way;
}

/** No order goes back to an earlier state, not even in the answers to different calls. */
function backwards(way: readonly Status[], calls: readonly Call[]): string[] {
  const answered = calls.flatMap((call) => {
    const { answer } = call;
    return answer.kind === 'done' || answer.kind === 'conflict' ? [{ call, at: way.indexOf(answer.status) }] : [];
  });
  return answered.flatMap(({ call, at }) => {
    const before = answered.find((other) => other.call.endedAtMs < call.beganAtMs && other.at > at);
    return before === undefined ? [] : [`was ${way[before.at]} to a customer, and ${way[at]} to a later call`];
  });
}
