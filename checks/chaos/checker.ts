// Checks the facts of a run, whatever faults it had. Pure: facts in, violations out. It uses nothing of the apps but their output: every
// line of a history must be explained.

import { answerViolations } from './checks/answers.js';
import { booksOf } from './checks/books.js';
import { messageViolations } from './checks/messages.js';
import { orderViolations } from './checks/orders.js';
import { stockViolations } from './checks/stock.js';
import { stockSumViolations } from './checks/stock-sums.js';
import type { ChaosFacts } from './facts.js';

/** Each violation, as a sentence. @param facts of a run that had time to settle */
export function chaosViolations(facts: ChaosFacts): string[] {
  const { books, strays } = booksOf(facts);
  const ofOrders = books.flatMap((book) => {
    return [...orderViolations(book), ...stockViolations(book), ...messageViolations(book), ...answerViolations(book)];
  });
  return [...strays, ...ofOrders, ...stockSumViolations(facts, books)];
}
