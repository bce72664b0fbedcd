import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { call } from '../../../../../test/fixtures/command-line.js';
import { defineRequest, defineTopic, type TopicDefinition } from '../../entries/nest.js';
import { describeApplication } from '../../nest/asyncapi/describe-application.js';
import type { UsedConnection } from '../../nest/asyncapi/sources.js';
import { checkOptions } from '../../nest/runtime/module-options.js';
import { EVERY_MESSAGE, type Filter } from '../../protocol/model/filter.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'asyncapi-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Listening {
  readonly group?: string;
  readonly filter?: Filter;
  readonly mode?: 'broadcast';
  readonly liteTopics?: readonly string[];
  readonly name?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a definition is invariant in its body, and any one will do here
type AnyTopic = TopicDefinition<any, any>;

interface Application {
  readonly receives?: readonly (readonly [AnyTopic, Listening?])[];
  readonly sends?: readonly AnyTopic[];
  readonly answers?: ReturnType<typeof defineRequest>;
  /** The names of the connections, each to a cluster of its own. */
  readonly clusters?: readonly string[];
}

/** The document of an application that was never created. */
function documentOf({ receives = [], sends = [], answers, clusters = ['default'] }: Application) {
  const options = checkOptions({ endpoints: 'mq:8081', consumerGroup: 'billing' });
  const listeners = receives.map(
    ([topic, { group, filter = EVERY_MESSAGE, mode, liteTopics, name = `Billing.${topic.name}` } = {}]) => {
      return {
        name,
        topic,
        filter,
        settings: { consumerGroup: group, mode, liteTopics },
        deadLetterTopic: undefined,
        pattern: undefined,
      };
    },
  );
  const handlers = answers === undefined ? [] : [{ ...handlerOf(answers) }];
  const used = { options, listeners: [...listeners, ...handlers], topics: sends, transactional: [] };
  const connections = clusters.map((name) => {
    return { ...used, name, options: { ...options, target: { ...options.target, endpoints: `${name}:8081` } } };
  });
  return describeApplication(connections as unknown as UsedConnection[], { title: 'a', version: '1' });
}

function handlerOf({ topic, answer, pattern }: ReturnType<typeof defineRequest>) {
  const filter = { kind: 'tag', expression: pattern.split(':')[1] ?? '*' } as const;
  return {
    name: 'Prices.get',
    topic,
    filter,
    settings: {},
    deadLetterTopic: undefined,
    pattern: { kind: 'message', answer },
  };
}

function fileOf(name: string, content: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const diff = (before: unknown, after: unknown, ...options: string[]) =>
  call(['asyncapi', 'diff', fileOf('older.json', before), fileOf('newer.json', after), ...options]);

/** The changes as `kind: what`, and the exit code. */
async function changes(before: Application, after: Application, ...options: string[]) {
  const { code, out, err } = await diff(documentOf(before), documentOf(after), '--json', ...options);
  expect(err).toBe('');
  const { changes: found } = JSON.parse(out) as { changes: { kind: string; what: string }[] };
  return { code, found: found.map(({ kind, what }) => `${kind}: ${what}`) };
}

const orders = (shape: z.ZodRawShape, options: object = {}) =>
  defineTopic('orders', { type: 'normal', schema: z.object(shape), ...options });
const id = z.string();

describe('a change of a body', () => {
  const missing = 'may be missing, but is required';
  it.each<[string, z.ZodRawShape, z.ZodRawShape, string | undefined, string | undefined]>([
    ['nothing', { id }, { id }, undefined, undefined],
    [
      'a new required field',
      { id },
      { id, total: z.number() },
      `breaking: this version: total in the body ${missing}`,
      undefined,
    ],
    ['a new optional field', { id }, { id, total: z.number().optional() }, undefined, undefined],
    [
      'a removed field',
      { id, note: z.string() },
      { id },
      undefined,
      `breaking: receivers of the older version: note in the body ${missing}`,
    ],
    [
      'a wider type',
      { id },
      { id: z.union([id, z.number()]) },
      undefined,
      'breaking: receivers of the older version: id in the body may be a number, but only string is accepted',
    ],
    [
      'a narrower type',
      { id: z.union([id, z.number()]) },
      { id },
      'breaking: this version: id in the body may be a number, but only string is accepted',
      undefined,
    ],
    [
      'a new value',
      { state: z.enum(['open']) },
      { state: z.enum(['open', 'paid']) },
      undefined,
      'breaking: receivers of the older version: state in the body may be "paid", but only "open" is accepted',
    ],
    [
      'a default',
      { id, note: z.string() },
      { id, note: z.string().default('') },
      undefined,
      `breaking: receivers of the older version: note in the body ${missing}`,
    ],
    [
      'another pattern',
      { id: z.string().regex(/^a/) },
      { id: z.string().regex(/^b/) },
      'unknown: this version: id in the body only the pattern ^b is accepted',
      'unknown: receivers of the older version: id in the body only the pattern ^a is accepted',
    ],
  ])('%s', async (_, before, after, whereReceived, whereSent) => {
    const expected = (what: string | undefined) => ({
      code: what === undefined ? 0 : 1,
      found: what === undefined ? [] : [what],
    });
    const [old, now] = [orders(before), orders(after)];
    expect(await changes({ receives: [[old]] }, { receives: [[now]] })).toEqual(expected(whereReceived));
    expect(await changes({ sends: [old] }, { sends: [now] })).toEqual(expected(whereSent));
  });

  it.each<[string, object, object, string[], string[]]>([
    [
      'a version with a step for older bodies',
      {},
      { version: 2, upgrade: { 1: () => ({}) } },
      ['compatible: the version of the body was 1 and is 2; older bodies are upgraded'],
      ['breaking: the version of the body was 1 and is 2; older receivers do not accept it'],
    ],
    [
      'a version without a step',
      {},
      { version: 2 },
      ['breaking: the version of the body was 1 and is 2; bodies of version 1 are no longer upgraded'],
      ['breaking: the version of the body was 1 and is 2; older receivers do not accept it'],
    ],
    [
      'a step that is gone',
      { version: 2, upgrade: { 1: () => ({}) } },
      { version: 2 },
      ['breaking: the version of the body was 2 and is 2; bodies of version 1 are no longer upgraded'],
      [],
    ],
    [
      'an older version',
      { version: 2 },
      {},
      ['breaking: the version of the body was 2 and is 1; what is sent already is not accepted'],
      ['breaking: the version of the body was 2 and is 1; older receivers do not accept it'],
    ],
  ])('%s', async (_, before, after, whereReceived, whereSent) => {
    const [old, now] = [orders({ id }, before), orders({ id }, after)];
    expect((await changes({ receives: [[old]] }, { receives: [[now]] })).found).toEqual(whereReceived);
    expect((await changes({ sends: [old] }, { sends: [now] })).found).toEqual(whereSent);
  });

  it('is unknown where a document has no schema', async () => {
    const dates = (date: z.ZodType) => defineTopic('dates', { type: 'normal', schema: z.object({ date }) });
    const hidden = await changes({ receives: [[dates(z.date())]] }, { receives: [[dates(z.date())]] });
    expect(hidden).toEqual({
      code: 1,
      found: [expect.stringMatching(/^unknown: the body has a schema that the document does not contain \(zod/)],
    });
    const bare = defineTopic('orders', { type: 'normal' });
    expect((await changes({ sends: [bare] }, { sends: [orders({ id })] })).found).toEqual([
      'unknown: the body has a schema now',
    ]);
    expect(await changes({ sends: [bare] }, { sends: [bare] })).toEqual({ code: 0, found: [] });
  });
});

describe('a change of what is sent and received', () => {
  const topic = orders({ id });
  const tags = (expression: string): Listening => ({ filter: { kind: 'tag', expression } });
  const sql = (expression: string): Listening => ({ filter: { kind: 'sql', expression } });
  it.each<[string, Application, Application, string[]]>([
    [
      'a listener is gone',
      { receives: [[topic]] },
      {},
      ['breaking: the listener of orders in group billing is no longer there'],
    ],
    ['a send is gone', { sends: [topic] }, {}, ['breaking: the send to orders is no longer there']],
    ['a listener is new', {}, { receives: [[topic]] }, ['compatible: the listener of orders in group billing is new']],
    [
      'the type',
      { sends: [topic] },
      { sends: [{ ...topic, type: 'fifo' }] },
      ['breaking: the type of topic orders was normal and is fifo'],
    ],
    [
      'the group',
      { receives: [[topic]] },
      { receives: [[topic, { group: 'b' }]] },
      [expect.stringMatching(/^breaking: the consumer group was billing and is b/) as never],
    ],
    [
      'the mode',
      { receives: [[topic]] },
      { receives: [[topic, { mode: 'broadcast' }]] },
      [expect.stringMatching(/^breaking: messages go to one/) as never],
    ],
    [
      'other lite topics',
      { receives: [[topic, { liteTopics: ['a', 'b'] }]] },
      { receives: [[topic, { liteTopics: ['c', 'b'] }]] },
      [
        'breaking: messages of the lite topics a are no longer received',
        'compatible: messages of the lite topics c are received now',
      ],
    ],
    [
      'the order of lite topics',
      { receives: [[topic, { liteTopics: ['a', 'b'] }]] },
      { receives: [[topic, { liteTopics: ['b', 'a'] }]] },
      [],
    ],
    [
      'fewer tags',
      { receives: [[topic]] },
      { receives: [[topic, tags('a')]] },
      ['breaking: the filter was * and is a'],
    ],
    [
      'more tags',
      { receives: [[topic, tags('a')]] },
      { receives: [[topic, tags('b || a')]] },
      ['compatible: the filter was a and is b || a'],
    ],
    [
      'all tags',
      { receives: [[topic, sql('a')]] },
      { receives: [[topic]] },
      ['compatible: the filter was {"sql":"a"} and is *'],
    ],
    [
      'an expression',
      { receives: [[topic, sql('a')]] },
      { receives: [[topic, sql('b')]] },
      ['unknown: the filter was {"sql":"a"} and is {"sql":"b"}'],
    ],
    [
      'a method is renamed',
      { receives: [[topic]] },
      { receives: [[topic, { name: 'Money.bill' }]] },
      ['compatible: is named Money.bill now'],
    ],
    [
      'the content type',
      { sends: [topic] },
      { sends: [{ ...topic, codec: { encode: () => Buffer.alloc(0), decode: String, contentType: 'text/plain' } }] },
      ['breaking: the content type of the body was application/json and is text/plain'],
    ],
  ])('%s', async (_, before, after, found) => {
    expect((await changes(before, after)).found).toEqual(found);
  });
});

describe('another connection', () => {
  const application = { sends: [orders({ id })], receives: [[orders({ id })]] } as const;
  it.each([['default'], ['eu']])('leaves what is sent and received over %s as it was', async (name) => {
    const clusters = ['default', 'eu'];
    const { code, found } = await changes({ ...application, clusters: [name] }, { ...application, clusters });
    expect(code).toBe(0);
    const added = name === 'default' ? 'eu/orders' : 'orders';
    expect(found).toContain(`compatible: the send to ${added} is new`);
  });

  it('is not taken for the one that is gone', async () => {
    const { found } = await changes({ ...application, clusters: ['default'] }, { ...application, clusters: ['eu'] });
    expect(found).toContain('breaking: the send to orders is no longer there');
  });
});

describe('a change of a request', () => {
  const price = (request: z.ZodRawShape, answer: z.ZodRawShape) =>
    defineRequest('prices:get', { request: z.object(request), answer: z.object(answer) }) as ReturnType<
      typeof defineRequest
    >;
  const [old, asks, answers] = [
    price({ id }, { cents: id }),
    price({ id, country: id }, { cents: id }),
    price({ id }, {}),
  ];

  it('breaks whoever sends the request, and whoever gets the answer', async () => {
    expect((await changes({ answers: old }, { answers: asks })).found).toEqual([
      'breaking: this version: country in the body may be missing, but is required',
    ]);
    expect((await changes({ sends: [old.topic] }, { sends: [asks.topic] })).found).toEqual([]);
    expect((await changes({ answers: old }, { answers })).found).toEqual([
      'breaking: receivers of the older version: cents in the answer may be missing, but is required',
    ]);
    expect((await changes({ sends: [old.topic] }, { sends: [answers.topic] })).found).toEqual([]);
    expect((await changes({ sends: [answers.topic] }, { sends: [old.topic] })).found).toEqual([
      'breaking: this version: cents in the answer may be missing, but is required',
    ]);
  });

  it('is one when it is gone', async () => {
    expect((await changes({ answers: old }, {})).found).toEqual([
      'breaking: the handler of requests to prices is no longer there',
    ]);
    expect((await changes({ sends: [old.topic] }, {})).found).toEqual([
      'breaking: the request to prices is no longer there',
    ]);
  });
});

describe('nestjs-rocketmq asyncapi diff', () => {
  const before = documentOf({ receives: [[orders({ id })]] });

  it('prints the breaking changes first', async () => {
    const after = documentOf({ receives: [[orders({ id, total: z.number() })]], sends: [orders({ id })] });
    expect(await diff(before, after)).toEqual({
      code: 1,
      err: '',
      out: [
        'CHANGE      OPERATION               WHAT',
        'breaking    receive Billing.orders  this version: total in the body may be missing, but is required',
        'compatible  send send.orders        the send to orders is new',
        '1 breaking, 0 unknown, 1 compatible',
        '',
      ].join('\n'),
    });
    expect(await diff(before, before)).toEqual({ code: 0, err: '', out: 'no changes\n' });
  });

  it('succeeds with unknown changes on request, never with a breaking one', async () => {
    const [old, now] = [/^a/, /^b/].map((pattern) =>
      documentOf({ sends: [orders({ id: z.string().regex(pattern) })] }),
    );
    expect((await diff(old, now)).code).toBe(1);
    expect((await diff(old, now, '--allow-unknown')).code).toBe(0);
    expect((await diff(before, documentOf({}), '--allow-unknown')).code).toBe(1);
  });

  it('compares documents of other tools as far as they say something', async () => {
    const other = {
      asyncapi: '3.1.0',
      channels: { a: { address: 'orders', messages: { m: { payload: { type: 'object', required: ['id'] } } } } },
      operations: { in: { action: 'receive', channel: { $ref: '#/channels/a' } } },
    };
    const stricter = JSON.parse(JSON.stringify(other).replace('["id"]', '["id","total"]'));
    expect(await diff(other, stricter)).toMatchObject({ code: 1, out: expect.stringContaining('total in the body') });
  });

  describe('of other tools', () => {
    const ORDER = { payload: { type: 'object' }, contentType: 'application/json' };
    const REPLY = { channel: { $ref: '#/channels/a' } };
    const other = (message: object = ORDER, reply: object = REPLY, more: object = {}) => ({
      asyncapi: '3.0.0',
      ...more,
      channels: { a: { address: 'orders', messages: { m: message } } },
      operations: { in: { action: 'receive', channel: { $ref: '#/channels/a' }, reply } },
    });
    const header = (required: string[]) => ({ ...ORDER, headers: { type: 'object', required } });
    const undeclared = { payload: ORDER.payload };

    it.each<[string, object, object, string, string]>([
      [
        'a new required header',
        other(),
        other(header(['a'])),
        'breaking',
        'a in the headers of the body may be missing',
      ],
      [
        'a header that is gone from an answer',
        other(header(['a'])),
        other(),
        'breaking',
        'in the headers of the answer',
      ],
      [
        'another default content type',
        other(undeclared, REPLY, { defaultContentType: 'application/json' }),
        other(undeclared, REPLY, { defaultContentType: 'application/xml' }),
        'breaking',
        'the content type of the body was application/json and is application/xml',
      ],
      [
        'a message in another file',
        other({ $ref: 'a.json#/m' }),
        other({ $ref: 'b.json#/m' }),
        'unknown',
        'the body is not in the document: b.json#/m leads nowhere',
      ],
      [
        'answers in a channel that does not exist',
        other(),
        other(ORDER, { channel: { $ref: '#/channels/none' } }),
        'unknown',
        'the answer is not in the document: #/channels/none leads nowhere',
      ],
    ])('%s is found', async (_, older, newer, kind, what) => {
      const { code, out } = await diff(older, newer, '--json');
      expect(code).toBe(1);
      expect(JSON.parse(out).changes).toContainEqual(
        expect.objectContaining({ kind, what: expect.stringContaining(what) }),
      );
    });
  });

  it.each([
    ['not JSON', '{', 'is not JSON'],
    ['of an older AsyncAPI', { asyncapi: '2.6.0' }, 'is not an AsyncAPI 3 document'],
    ['no object', [], 'is not an AsyncAPI 3 document'],
    [
      'an operation without a channel',
      { asyncapi: '3.0.0', operations: { a: { action: 'send' } } },
      'operation a has no',
    ],
  ])('rejects a file that is %s', async (_, content, text) => {
    expect(await diff(before, content)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(text) });
  });

  it('rejects a file that does not exist, as a wrong call', async () => {
    const { code, err } = await call(['asyncapi', 'diff', join(folder, 'none.json'), fileOf('a.json', before)]);
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringMatching(/none\.json cannot be read.*nothing was done/),
    });
  });

  it('names a file that is nested too deep', async () => {
    const deep = `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`;
    expect(await diff(before, `{"asyncapi":"3.0.0","info":${deep}}`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/newer\.json is nested more than 500 levels deep/),
    });
  });

  it('takes a file with a byte order mark', async () => {
    expect(await diff(before, `\uFEFF${JSON.stringify(before)}`)).toMatchObject({ code: 0, out: 'no changes\n' });
  });

  it('prints a key with a newline in one line', async () => {
    const named = JSON.parse(JSON.stringify(before).replace('"Billing.orders":', '"Billing\\norders":'));
    const { out } = await diff(named, documentOf({}));
    expect(out.split('\n')).toHaveLength(4);
    expect(out).toContain('receive Billing\\norders');
  });
});
