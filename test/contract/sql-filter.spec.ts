import { describe, expect } from '@jest/globals';
import type { OutgoingMessage } from 'nestjs-rocketmq/client';
import { toDuration } from '../../libs/rocketmq/src/protocol/grpc/duration.js';
import {
  type FilterExpression,
  FilterType,
  type Message,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { codeName } from '../../libs/rocketmq/src/protocol/grpc/status.js';
import { messagesIn, statusIn } from '../../tools/wire/broker-wire.js';
import { consumerSettings, RawClient, receiveRequest, resource } from '../../tools/wire/raw-grpc-client.js';
import { contractSuite } from './support/contract.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** The messages sent before each case, by body. Property `a` is a number in some, text in others, and missing in the rest. */
const MESSAGES: Readonly<Record<string, Omit<OutgoingMessage, 'topic' | 'body'>>> = {
  bare: {},
  one: { tag: 'A', properties: { a: '1', b: 'x' } },
  ten: { properties: { a: '10', b: '10' } },
  decimal: { properties: { a: '1.5' } },
  minus: { properties: { a: '-5' } },
  zeros: { properties: { a: '007' } },
  large: { properties: { a: '3000000000' } },
  text: { properties: { a: 'abc' } },
  yes: { properties: { flag: 'TRUE' } },
  no: { properties: { flag: 'false' } },
  quote: { properties: { s: "it's" } },
  vip: { tag: 'vip', keys: ['k1', 'k2'], properties: { region: 'eu', amount: '150', $x_1: 'dollar' } },
};
const NAMES = Object.keys(MESSAGES);
const ALL = NAMES.join(' ');
const WITH_A = 'one ten decimal minus zeros large text';
const WITHOUT_A = 'bare yes no quote vip';
/** The shortest poll that the server accepts. */
const POLL_MS = 5_000;

/** The bodies that each expression delivers to its own group, or the code of the error. */
async function deliveredBy(
  world: World,
  expressions: readonly string[],
  type = FilterType.SQL,
): Promise<Record<string, string>> {
  const topic = await world.topic();
  const producer = await world.producer();
  for (const [body, message] of Object.entries(MESSAGES)) await producer.send({ topic, body, ...message });
  const groups = await Promise.all(expressions.map(() => world.group()));
  const client = new RawClient(world.backend.proxy, `filter@${topic}`);
  try {
    const { call } = await client.settle(consumerSettings(groups[0] as string));
    const delivered = await Promise.all(
      expressions.map((expression, index) => receiveAll(client, topic, groups[index] as string, { type, expression })),
    );
    call.end();
    return Object.fromEntries(expressions.map((expression, index) => [expression, delivered[index] as string]));
  } finally {
    client.close();
  }
}

function entriesOf(messages: readonly Message[]) {
  return messages.map(({ systemProperties }) => {
    return { messageId: systemProperties?.messageId ?? '', receiptHandle: systemProperties?.receiptHandle ?? '' };
  });
}

async function receiveAll(
  client: RawClient,
  topic: string,
  group: string,
  filterExpression: FilterExpression,
): Promise<string> {
  const request = {
    ...receiveRequest(topic, group),
    filterExpression,
    longPollingTimeout: toDuration(POLL_MS),
  };
  const bodies: string[] = [];
  for (;;) {
    const items = await client.receive(request);
    const messages = messagesIn(items);
    bodies.push(...messages.map(({ body }) => body.toString()));
    const entries = entriesOf(messages);
    if (entries.length > 0) await client.call('ackMessage', { group: request.group, topic: resource(topic), entries });
    const code = codeName(statusIn(items) ?? 0);
    if (code !== 'OK' && code !== 'MESSAGE_NOT_FOUND') return code;
    const isEnd = items.some(
      ({ content }) => content?.$case === 'status' && content.value.message === 'no new message',
    );
    if (isEnd) return bodies.sort((one, other) => NAMES.indexOf(one) - NAMES.indexOf(other)).join(' ');
  }
}

/** The bodies of {@link MESSAGES} that are delivered, by expression. The real server is the reference. */
const DELIVERED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a property is compared as a number with a number, and as text with text': {
    "a = '1'": 'one',
    "a <> '1'": 'ten decimal minus zeros large text',
    "'1' = a": 'one',
    'a = 1': 'one',
    'a = 1L': 'one',
    'a = 7': 'zeros',
    'a = 1.5': 'decimal',
    'a = 10.0': 'ten',
    'a = -5': 'minus',
    'a = +10': 'ten',
    '5 < a': 'ten zeros',
    'a > .5': 'one ten decimal zeros large',
    'a > 5.': 'ten zeros large',
    'a >= 1E1': 'ten large',
    'a BETWEEN 1 AND 10': 'one ten zeros',
    'a BETWEEN 1.0 AND 10.0': 'one ten decimal zeros',
    'a NOT BETWEEN 1.0 AND 9.0': 'ten minus large',
    '1 = 1.0': ALL,
    'a = 3000000000': 'large',
    'a < 3000000000': 'one ten minus zeros',
    "region = 'eu' AND amount > 100": 'vip',
  },
  'texts are looked for in a list, inside, at the beginning and at the end of a property': {
    "a IN ('1', '10')": 'one ten',
    "a NOT IN ('1', '10')": 'decimal minus zeros large text',
    "a CONTAINS '0'": 'ten zeros large',
    "a NOT CONTAINS '0'": 'one decimal minus text',
    "a STARTSWITH '1'": 'one ten decimal',
    "a NOT STARTSWITH '1'": 'minus zeros large text',
    "a ENDSWITH '0'": 'ten large',
    "a NOT ENDSWITH '0'": 'one decimal minus zeros text',
    "s = 'it''s'": 'quote',
    "s CONTAINS ''''": 'quote',
  },
  'tag, keys and id are properties, too': {
    "TAGS = 'A'": 'one',
    "TAGS IN ('A', 'vip')": 'one vip',
    'TAGS IS NULL': 'bare ten decimal minus zeros large text yes no quote',
    "KEYS = 'k1 k2'": 'vip',
    'UNIQ_KEY IS NOT NULL': ALL,
    "tags = 'A'": '',
    "$x_1 = 'dollar'": 'vip',
  },
  'a missing property makes a comparison unknown, and what is unknown is not delivered': {
    'a IS NULL': WITHOUT_A,
    'a IS NOT NULL': WITH_A,
    'NOT a IS NULL': WITHOUT_A,
    'NOT (a IS NULL)': WITH_A,
    "NOT (missing = 'x')": '',
    "missing <> 'x'": '',
    "missing NOT IN ('x')": '',
    "missing > 5 OR flag = 'TRUE'": 'yes',
    "(a = '1') IS NULL": WITHOUT_A,
    'NULL IS NULL': ALL,
    TRUE: ALL,
    FALSE: '',
    NULL: '',
  },
  'AND binds closer than OR, NOT closest; parentheses, comments, cases and blanks are as in SQL': {
    "flag = 'TRUE' OR b = 'x' AND a = '1'": 'one yes',
    "(flag = 'TRUE' OR b = 'x') AND a = '1'": 'one',
    "NOT (a = '1') AND NOT (a = '10')": 'decimal minus zeros large text',
    'NOT NOT TRUE': ALL,
    "((((a = '1'))))": 'one',
    'a is null and flag is not null': 'yes no',
    "a startswith '1' and b endswith 'x'": 'one',
    "a -- a comment\n = '1'": 'one',
    "a = '1' -- at the end": 'one',
    "a /* a comment */ = /**/ '1'": 'one',
    "a\t=\r\n'1'": 'one',
  },
  'a comparison that cannot be made takes the message out, whatever stands beside it': {
    'a <> 1': 'ten minus zeros',
    "a > 5 OR flag = 'TRUE'": 'ten zeros yes',
    'a = 10 OR TRUE': `bare one ten minus zeros yes no quote vip`,
    'TRUE OR a = 10': ALL,
    'a > b': '',
    'a >= b': 'ten',
  },
  'the surprises of the real server are kept': {
    // A property is not a boolean, so it is false if it exists.
    a: '',
    'NOT a': WITH_A,
    'NOT flag': 'yes no',
    // NOT binds closer than "=".
    "NOT a = '1'": '',
    'flag = TRUE': 'yes',
    'flag <> TRUE': 'no',
    'TRUE = flag': '',
    // Only the left side makes the comparison unknown.
    'missing = other': ALL,
    'a = b': 'bare ten yes no quote vip',
    "'1' <> missing": ALL,
    // Never unknown; no string contains the empty string.
    "NOT (missing CONTAINS 'x')": ALL,
    "missing NOT CONTAINS 'x'": '',
    "a CONTAINS ''": '',
    "a NOT CONTAINS ''": '',
    'a = - -5': '',
    '-a IS NULL': ALL,
    'a NOT BETWEEN 10 AND 1': 'one ten minus zeros',
    '1 = TRUE': '',
  },
};

describe('tag filters', () => {
  contract('are compared before they are trimmed, and nothing but separators is rejected', async (world) => {
    const expected = {
      '*': ALL,
      '': ALL,
      A: 'one',
      ' A || vip ': 'one vip',
      'A||': 'one',
      '*||A': 'one',
      ' * ': '',
      '  ': '',
      ' || ': '',
      '||': 'ILLEGAL_FILTER_EXPRESSION',
    };
    expect(await deliveredBy(world, Object.keys(expected), FilterType.TAG)).toEqual(expected);
  });
});

describe('SQL filters', () => {
  contract('each expression delivers what the real server delivers for it', async (world) => {
    const delivered = await deliveredBy(world, Object.values(DELIVERED).flatMap(Object.keys));
    const sections = Object.entries(DELIVERED).map(([section, table]) => {
      const found = Object.keys(table).map((expression) => [expression, delivered[expression]]);
      return [section, Object.fromEntries(found)];
    });
    expect(Object.fromEntries(sections)).toEqual(DELIVERED);
  });

  contract.answers(
    'SQL that cannot be read or makes no sense is rejected',
    'ILLEGAL_FILTER_EXPRESSION',
    async (world) => {
      const rejected = [
        '5',
        "'x'",
        '-5',
        '-a',
        '- TRUE',
        '/* only */',
        'a IN ()',
        'a IN (1, 10)',
        "'x' IN ('x')",
        "NOT a IN ('1')",
        "a BETWEEN '1' AND '2'",
        'a BETWEEN 10 AND 1',
        "a > 'x'",
        'a > TRUE',
        'a > NULL',
        'a = NULL',
        'NULL = a',
        'TRUE = 1',
        '1 < 2 < 3',
        'a = 99999999999999999999',
        'a > 1e400',
        'a > 0.0',
        "a != '1'",
        "a == '1'",
        'a = "1"',
        "a = '1' #",
        "a = '1' /* open",
        "(a = '1'",
        "a = '1' AND",
        "= '1'",
        'BETWEEN = 1',
        'a.b = 1',
      ];
      const answers = await deliveredBy(world, rejected);
      return [...new Set(Object.values(answers))].join(', ');
    },
  );

  contract('an empty SQL expression is rejected as illegal', async (world) => {
    expect(await deliveredBy(world, [''])).toEqual({ '': 'ILLEGAL_FILTER_EXPRESSION' });
  });

  contract('text after a complete SQL expression is rejected', async (world) => {
    const expressions = ["a = '1' garbage", "a = '1' )", "a LIKE '1%'", 'a = 007'];
    const answers = Object.values(await deliveredBy(world, expressions));
    expect(new Set(answers)).toEqual(new Set(['ILLEGAL_FILTER_EXPRESSION']));
  });

  contract('by name server, an expression that cannot be read is rejected before it is used', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const { nameServer } = world.backend;
    const direct = { endpoints: `name-server:${nameServer}`, clock: undefined, transport: undefined };
    const { consumer, deliveries } = await world.record({ topic, consumerGroup }, world.connection(direct));
    const producer = await world.producer();
    await producer.send({ topic, body: 'one', properties: { amount: '1' } });
    await world.until('the first one is delivered', () => deliveries.length === 1);
    const sql = (expression: string) => ({ topic, filter: { kind: 'sql', expression } as const });
    await expect(consumer.subscribe(sql('amount >'))).rejects.toMatchObject({
      code: 'ILLEGAL_FILTER_EXPRESSION',
      outcome: 'rejected',
    });
    await producer.send({ topic, body: 'two', properties: { amount: '2' } });
    await world.until('the second one is delivered', () => deliveries.length === 2);
    const next = () =>
      consumer.subscribe(sql('amount > 3')).then(
        () => true,
        () => false,
      );
    // The session that was rejected begins anew.
    await world.until('one that can be read is accepted', next);
  });

  contract('a push consumer gets what its SQL filter takes, and the rest is consumed for its group', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    const filter = { kind: 'sql', expression: "region = 'eu' AND amount >= 100" } as const;
    const { deliveries } = await world.record({ topic, consumerGroup, filter });
    const producer = await world.producer();
    await producer.send({ topic, body: 'small', properties: { region: 'eu', amount: '99' } });
    await producer.send({ topic, body: 'elsewhere', properties: { region: 'us', amount: '200' } });
    await producer.send({ topic, body: 'wanted', properties: { region: 'eu', amount: '100' } });
    await world.until('the wanted one is delivered', () => deliveries.length > 0);
    await world.backend.quiet();
    expect(deliveries.map(({ text }) => text)).toEqual(['wanted']);
  });
});
