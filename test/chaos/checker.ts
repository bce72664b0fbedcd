// What must not be in the facts of a run, whatever was broken meanwhile. Pure: facts in, violations out. Knows nothing of the apps but
// what they show: every line of a history must be explained.

import { answerViolations } from './checks/answers.js';
import { booksOf } from './checks/books.js';
import { messageViolations } from './checks/messages.js';
import { orderViolations } from './checks/orders.js';
import { stockViolations } from './checks/stock.js';
import { stockSumViolations } from './checks/stock-sums.js';
import type { ChaosFacts } from './facts.js';

/** Each thing that cannot be, as a sentence. @param facts of a run that had the time to come to its end */
export function chaosViolations(facts: ChaosFacts): string[] {
  const { books, strays } = booksOf(facts);
  const ofOrders = books.flatMap((book) => {
    return [...orderViolations(book), ...stockViolations(book), ...messageViolations(book), ...answerViolations(book)];
  });
  return [...strays, ...ofOrders, ...stockSumViolations(facts, books)];
}
