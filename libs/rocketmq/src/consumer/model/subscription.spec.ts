import { afterAll, describe, expect, it } from '@jest/globals';
import { Connection } from '../../client/connection.js';
import { PushConsumer } from '../push-consumer.js';
import { SimpleConsumer } from '../simple/simple-consumer.js';

const connection = new Connection({ endpoints: '127.0.0.1:1' });
afterAll(() => connection.close());
const consumerGroup = 'shop';
const handler = (): void => {};

describe.each([' * ', '*\t', '*||A', 'A || *', '  ', '||', ' || '])('the filter by tag %j', (expression) => {
  const filtered = { topic: 'orders', filter: { kind: 'tag', expression } as const };
  const rejected = expect.objectContaining({ code: 'ILLEGAL_FILTER', outcome: 'not-sent', field: 'filter' });

  it.each([
    ['a push consumer', () => new PushConsumer(connection, { consumerGroup, subscriptions: [filtered], handler })],
    [
      'a listener',
      () => new PushConsumer(connection, { consumerGroup, listeners: [{ name: 'one', ...filtered, handler }] }),
    ],
    ['a simple consumer', () => new SimpleConsumer(connection, { consumerGroup, subscriptions: [filtered] })],
  ])('is rejected by %s, as servers read it otherwise than it looks', (_, create) => {
    expect(create).toThrow(rejected);
  });
});

it.each(['*', '', 'A', ' A || B ', 'A||', 'A*'])('the filter by tag %j is taken', (expression) => {
  const subscriptions = [{ topic: 'orders', filter: { kind: 'tag', expression } as const }];
  expect(() => new PushConsumer(connection, { consumerGroup, subscriptions, handler })).not.toThrow();
});
