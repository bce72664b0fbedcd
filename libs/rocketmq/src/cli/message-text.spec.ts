import { describe, expect, it } from '@jest/globals';
import type { StoredMessageView } from '../admin/messages/message-view.js';
import { messageInFull, messageLine, messageTable, trailText } from './message-text.js';

function view(body: string | Buffer): StoredMessageView {
  return {
    topic: 'orders',
    messageId: 'ID-1',
    body: Buffer.from(body as string),
    isPacked: false,
    tag: undefined,
    keys: [],
    properties: {},
    systemProperties: {},
    messageGroup: undefined,
    priority: undefined,
    liteTopic: undefined,
    deliveryTimestampMs: undefined,
    bornTimestampMs: 0,
    bornHost: 'here:1',
    storeTimestampMs: 0,
    storeHost: 'there:1',
    broker: 'a',
    queueId: 0,
    queueOffset: 0,
    reconsumeTimes: 0,
  };
}

const shortBody = (body: string | Buffer): string | undefined => messageLine(view(body)).trimEnd().split('  -  -  ')[1];

describe('a body in a list', () => {
  it.each([
    ['numbers that no double has', '{"id":1790000000000000001,"by":0.10}', undefined],
    ['blanks that are a part of a value', '{"sku":"a  b",  "t":"c\u00a0\u3000d"}', undefined],
    ['line ends with their indents', '{\r\n  "a": 1,\n\t"b":\t2\n}', '{ "a": 1, "b": 2 }'],
    ['characters of several bytes, cut', '订'.repeat(60), `${'订'.repeat(39)}…`],
    ['bytes that are not text', Buffer.from([0, 255, 1]), '(3 bytes)'],
  ])('is its beginning as it is stored: %s', (_, body, shown = body as string) => {
    expect(shortBody(body)).toBe(shown);
    expect(
      messageTable([view(body)])
        .trimEnd()
        .endsWith(shown),
    ).toBe(true);
  });
});

it('a message in full has its body as it is stored', () => {
  const body = '{"id":1790000000000000001,"amount":0.10,"a":1,  "a":1e400}';
  expect(messageInFull(view(body)).trimEnd().endsWith(`\n\n${body}`)).toBe(true);
});

it('a list shows the beginning of keys and tags that are very long', () => {
  const long = { ...view('body'), keys: Array.from({ length: 170 }, () => 'k'.repeat(99)), tag: 't'.repeat(300) };
  const lines = messageTable([long, view('other')]).split('\n');
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(300);
  expect(lines[1]).toContain(`${'t'.repeat(80)}…  ${'k'.repeat(80)}…  body`);
});

it('a line break or a tab in a message does not break its row', () => {
  const foreign = 'a\nb\tc\u001bd\u2028e';
  const shown = 'a\\nb\\tc\\x1bd\\u2028e';
  const one = {
    ...view('body'),
    messageId: foreign,
    tag: foreign,
    keys: [foreign],
    properties: { [foreign]: foreign },
  };
  const list = messageTable([one]);
  expect(list.split('\n')).toHaveLength(3);
  expect(list.split(shown)).toHaveLength(4);
  expect(messageLine(one)).toContain(`  ${shown}  ${shown}  ${shown}  body\n`);
  expect(messageInFull(one)).toContain(`\nproperty ${shown}  ${shown}\n`);
});

it('the trail of a transaction has one half message, and its checks by number', () => {
  const half = (checks: number): StoredMessageView => ({
    ...view('x'),
    storeTimestampMs: checks,
    queueOffset: checks,
    properties: checks === 0 ? {} : { TRANSACTION_CHECK_TIMES: String(checks) },
  });
  const nothing = {
    topic: 'orders',
    messageId: 'ID-1',
    givenUp: [],
    delayed: [],
    recalls: [],
    stored: [],
    groups: [],
    mayBeMore: false,
  };
  const stepsOf = (...halfMessages: StoredMessageView[]): string[] => {
    const text = trailText({ ...nothing, halfMessages, gaps: [], failures: [] });
    const steps = text.split('\n').map((line) => line.slice(line.indexOf('  ') + 2));
    return steps.slice(1, -1);
  };
  expect(stepsOf(half(0), half(1), half(2))).toEqual([
    'half message stored in orders: a queue 0 offset 0',
    'check 1 of the half message, stored in orders: a queue 0 offset 1',
    'check 2 of the half message, stored in orders: a queue 0 offset 2',
  ]);
  // A server returns 32 of one id.
  expect(stepsOf(half(29))).toEqual(['check 29 of the half message, stored in orders: a queue 0 offset 29']);
});
