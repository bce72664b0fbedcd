import { describe, expect, it } from '@jest/globals';
import { UsageError } from '../../support/errors.js';
import { bodyDoubts, doubtText } from './body-check.js';
import { documentView } from './document-view.js';

const LINE = {
  type: 'object',
  properties: { sku: { type: 'string' }, price: { type: ['number', 'null'], exclusiveMinimum: 0 } },
  required: ['sku', 'price'],
  additionalProperties: false,
};
const PAID = {
  type: 'object',
  properties: {
    orderId: { type: 'string', minLength: 2, maxLength: 4 },
    pieces: { type: 'integer', minimum: 1 },
    state: { enum: ['open', 'closed'] },
    lines: { type: 'array', items: { $ref: '#/components/schemas/Line' }, minItems: 1, uniqueItems: true },
    by: { anyOf: [{ type: 'string' }, { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] }] },
  },
  required: ['orderId', 'pieces', 'lines'],
  additionalProperties: false,
};
const SHIPPED = { type: 'object', properties: { at: { type: 'string', format: 'date-time' } }, required: ['at'] };
const JSON_TYPE = 'application/json';
const messages = {
  paid: { contentType: JSON_TYPE, payload: PAID, 'x-rocketmq': { tag: 'paid' } },
  shipped: { contentType: JSON_TYPE, payload: SHIPPED, 'x-rocketmq': { tag: 'shipped' } },
};
const document = documentView(
  'shop.json',
  JSON.stringify({
    asyncapi: '3.0.0',
    channels: {
      orders: { address: 'orders', messages },
      parcels: {
        address: 'parcels',
        'x-rocketmq': { connection: 'depot' },
        messages: { p: { contentType: JSON_TYPE, payload: { type: 'string' }, 'x-rocketmq': { version: 2 } } },
      },
      scans: { address: 'scans', messages: { s: { contentType: 'application/octet-stream', payload: {} } } },
      notes: { address: 'notes', messages: { n: {} } },
    },
    operations: Object.fromEntries(
      ['orders', 'parcels', 'scans', 'notes'].map((name) => [
        name,
        { action: 'receive', channel: { $ref: `#/channels/${name}` } },
      ]),
    ),
    components: { schemas: { Line: LINE } },
  }),
);

const LINES = [{ sku: 'a', price: 1.5 }];
const GOOD = { orderId: '42', pieces: 1, lines: LINES };

/** The error, or the doubts, or nothing. */
function said(sent: { topic?: string; tag?: string; body: unknown; properties?: Record<string, string> }): string {
  const { topic = 'orders', tag = topic === 'orders' ? 'paid' : undefined, properties } = sent;
  const body = typeof sent.body === 'string' ? sent.body : JSON.stringify(sent.body);
  try {
    return doubtText(bodyDoubts(document, { topic, tag, properties, body }));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message;
  }
}

describe('a body and the document of its topic', () => {
  it.each<[string, object]>([
    ['all that is required', GOOD],
    ['a null, and an alternative', { ...GOOD, lines: [{ sku: '', price: null }], by: { id: 7, name: 'x' } }],
    ['two elements of a set', { ...GOOD, lines: [...LINES, { sku: 'b', price: 1.5 }] }],
    ['a listed value', { ...GOOD, state: 'open' }],
  ])('fit: %s', (_, body) => {
    expect(said({ body })).toBe('');
  });

  it.each<[string, unknown, string]>([
    ['a missing field', { orderId: '42', lines: LINES }, 'pieces is missing, but is required'],
    ['a field too many', { ...GOOD, total: 3 }, 'total is not accepted'],
    ['another type', { ...GOOD, pieces: '1' }, 'pieces is a string, but only number is accepted'],
    ['no integer', { ...GOOD, pieces: 1.5 }, 'pieces is any number, but only integers are accepted'],
    ['too small', { ...GOOD, pieces: 0 }, 'pieces is below the accepted minimum 1'],
    ['too long', { ...GOOD, orderId: '12345' }, 'orderId is above the accepted maxLength 4'],
    ['no listed value', { ...GOOD, state: 'lost' }, 'state is "lost", but only "open", "closed" is accepted'],
    ['too few elements', { ...GOOD, lines: [] }, 'lines is below the accepted minItems 1'],
    ['an element twice', { ...GOOD, lines: [...LINES, ...LINES] }, 'lines contains an element twice'],
    ['a part of a reference', { ...GOOD, lines: [{ sku: 'a', price: 0 }] }, 'lines[0].price'],
    ['no alternative', { ...GOOD, by: 7 }, 'by is a number, but only'],
    ['no object', [GOOD], 'the body is an array, but only object is accepted'],
    ['no JSON', '{"orderId":', 'the body is not JSON'],
  ])('do not fit: %s', (_, body, why) => {
    const text = said({ body });
    expect(text).toContain('[ILLEGAL_BODY] the body does not fit topic orders: ');
    expect(text).toContain(why);
    expect(text).toMatch(/; nothing was sent$/);
  });

  it('are compared by tag and by version', () => {
    expect(said({ body: GOOD, tag: 'lost' })).toContain('no message of the topic has the tag lost');
    expect(said({ body: GOOD, tag: 'shipped' })).toContain('at is missing');
    expect(said({ topic: 'parcels', body: '"p"' })).toContain('set --property rocketmq-body-version=2');
    expect(said({ topic: 'parcels', body: '"p"', properties: { 'rocketmq-body-version': '2' } })).toBe('');
    expect(said({ topic: 'elsewhere', body: '1' })).toContain('[ILLEGAL_DOCUMENT] the AsyncAPI document has no topic');
  });

  it('leave a doubt where the comparison cannot decide', () => {
    expect(said({ tag: 'shipped', body: { at: '2026-11-29T00:00:00Z' } })).toBe(
      'at only the format date-time is accepted',
    );
    expect(said({ topic: 'scans', body: 'x' })).toContain('of which only JSON can be checked');
    expect(said({ topic: 'notes', body: 'x' })).toContain('has no schema in the document');
    expect(said({ body: `${'['.repeat(600)}${']'.repeat(600)}` })).toBe('the body is nested too deep');
  });
});
