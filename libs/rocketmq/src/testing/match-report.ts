// What a matcher prints when it fails.

import {
  bodyOf,
  type Claim,
  type Comparing,
  expectedFields,
  fieldsOf,
  likeness,
  withAccepted,
} from './expected-message.js';
import type { Observed, ObservedMessage } from './observation.js';

const MAX_MESSAGES = 10;
const MAX_BODY_LENGTH = 200;
/** Longer ones take seconds to compare, and nobody reads the result. */
const MAX_COMPARED_BYTES = 10_000;

/** The printers of `expect`. */
export interface Printing {
  stringify(value: unknown): string;
  diff(expected: unknown, received: unknown): string | null | undefined;
}

/** What a matcher has found. */
interface Found {
  readonly matcher: string;
  readonly what: Observed;
  readonly claim: Claim;
  readonly matched: readonly ObservedMessage[];
  readonly candidates: readonly ObservedMessage[];
  readonly all: readonly ObservedMessage[];
  readonly moment: string;
  readonly isNot: boolean;
}

const DONE: Readonly<Record<Observed, string>> = {
  sent: 'sent to',
  delivered: 'delivered and acknowledged from',
  'dead-lettered': 'dead-lettered from',
};

export function report(found: Found, comparing: Comparing, printing: Printing): string {
  const { matcher, what, claim, matched, isNot, moment } = found;
  const { topic, expected } = claim;
  const fields = expectedFields(claim);
  const hasFields = Object.keys(fields).length > 0;
  const count = countText(expected.times, isNot);
  const parts = [
    `expect(broker)${isNot ? '.not' : ''}.${matcher}("${topic}")`,
    `Expected ${count} ${DONE[what]} "${topic}"${hasFields ? ` with ${printing.stringify(fields)}` : ''}; found ${matched.length}.`,
    listOf(found, printing),
    matched.length === 0 ? nearest(found, fields, comparing, printing) : '',
    moment,
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function countText(times: number | undefined, isNot: boolean): string {
  if (times === undefined) return isNot ? 'no message' : 'a message';
  const messages = times === 1 ? '1 message' : `${times} messages`;
  return isNot ? `any number but ${messages}` : messages;
}

function listOf({ claim, matched, all }: Found, printing: Printing): string {
  const isMatched = new Set(matched.map(({ identity }) => identity));
  if (all.length === 0) return `No message was sent to "${claim.topic}".`;
  const lines = all.slice(0, MAX_MESSAGES).map((message) => {
    const body = isLong(message)
      ? message.bytes.toString('utf8', 0, MAX_BODY_LENGTH + 1)
      : printing.stringify(bodyOf(message, claim));
    const shown = body.length > MAX_BODY_LENGTH ? `${body.slice(0, MAX_BODY_LENGTH)}…` : body;
    return `  ${isMatched.has(message.identity) ? '*' : ' '} ${message.messageId} ${shown}: ${message.state}`;
  });
  const more = all.length > MAX_MESSAGES ? [`    and ${all.length - MAX_MESSAGES} more`] : [];
  return [`Messages of "${claim.topic}"${matched.length > 0 ? ' (*: matches)' : ''}:`, ...lines, ...more].join('\n');
}

/** The message that has most of what is expected, and what differs. */
function nearest(
  { claim, candidates, all }: Found,
  expected: Readonly<Record<string, unknown>>,
  comparing: Comparing,
  printing: Printing,
): string {
  if (Object.keys(expected).length === 0) return '';
  let best: { message: ObservedMessage; actual: Readonly<Record<string, unknown>>; score: number } | undefined;
  // What was sent has no group.
  for (const message of 'group' in expected ? candidates : [...candidates, ...all]) {
    const actual = fieldsOf(message, claim, expected, comparing);
    const score = likeness(comparing, actual, expected);
    if (best === undefined || score > best.score) best = { message, actual, score };
  }
  if (best === undefined) return '';
  const { messageId } = best.message;
  if (isLong(best.message)) return `The nearest is ${messageId}; its body is too long to show the difference.`;
  const diff = printing.diff(withAccepted(expected, best.actual), best.actual);
  return `The nearest is ${messageId}:\n${diff ?? 'it has all of these fields'}`;
}

function isLong({ bytes }: ObservedMessage): boolean {
  return bytes.length > MAX_COMPARED_BYTES;
}
