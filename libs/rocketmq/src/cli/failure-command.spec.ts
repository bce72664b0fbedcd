// Failures that applications have kept, shown after they have ended.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { type Called, call, words } from '../../../../test/fixtures/command-line.js';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import { DeadLetterError, RocketMQListener, RocketMQProducer } from '../entries/nest.js';

class CardError extends Error {
  override readonly name = 'CardError';
  readonly code = 'E_DECLINED';
}

@Injectable()
class Billing {
  @RocketMQListener('orders', { consumerGroup: 'billing', backoff: 10, maxAttempts: 2 })
  charge(body: string): void {
    if (body === 'hopeless') throw new DeadLetterError('no\u001bsuch account');
    throw new CardError(`card of ${body} declined\nask the customer`);
  }
}

@Injectable()
class Stock {
  @RocketMQListener('orders', { consumerGroup: 'stock' })
  reserve(): void {}
}

let bench: NestBench;
let adaId: string;

beforeAll(async () => {
  bench = await NestBench.open({ nameServerPort: 0 });
  bench.broker.declareTopic({ name: 'operations', type: 'normal', queues: 2 });
  const app = await bench.start({ providers: [Billing, Stock], options: { operations: { topic: 'operations' } } });
  const producer = app.get(RocketMQProducer);
  ({ messageId: adaId } = await producer.send({ topic: 'orders', body: '"Ada"' }));
  await producer.send({ topic: 'orders', body: '"Bob"' });
  await until(() => bench.broker.messages('operations').length === 2);
  await bench.broker.advance(1_000);
  await until(() => bench.broker.messages('operations').length === 4);
  await producer.send({ topic: 'orders', body: '"hopeless"' });
  await until(() => bench.broker.messages('operations').length === 5);
  // What is no record is left out.
  await producer.send({ topic: 'operations', body: 'something else' });
  await bench.closeApps();
});
afterAll(() => bench.close());

const on = (line: string): Promise<Called> =>
  call([...words(line), '--name-server', bench.broker.nameServerEndpoint ?? '']);
async function json(line: string): Promise<Record<string, never>> {
  const { code, out, err } = await on(`${line} --json`);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

describe('failure list', () => {
  it('groups by error, the most frequent first, with the latest text and stack', async () => {
    const { out, code } = await on('failure list billing --operations-topic operations');
    expect(code).toBe(0);
    const [cards, others, count] = out.split('\n\n');
    const lines = (cards ?? '').split('\n');
    expect(lines[0]).toBe('4 times CardError E_DECLINED: group billing, topic orders');
    expect(lines[1]).toBe('  2 retried, 2 dead-lettered');
    expect(lines[2]).toMatch(/^ {2}from \d{4}-\S+Z to \d{4}-\S+Z$/);
    expect(lines[3]).toMatch(/^ {2}latest: message \w+, attempt 2, dead-lettered \(attempts-exhausted\), on \S+@\d+@/);
    expect(lines[4]).toMatch(/^ {2}card of (Ada|Bob) declined$/);
    expect(lines[5]).toBe('  ask the customer');
    expect(lines[6]).toMatch(/^ {2}at Billing\.charge \(.*failure-command\.spec\.ts:\d+:\d+\)$/);
    expect(others).toMatch(/^1 time DeadLetterError: .*\n {2}0 retried, 1 dead-lettered\n/);
    expect(others).toContain('no\\x1bsuch account');
    expect(count).toBe('5 failures\n');
  });

  it('lists each, the newest first, and as many as were asked for', async () => {
    const { out } = await on('failure list --operations-topic operations --each --limit 3');
    expect(out).toMatch(/^FAILED +GROUP +TOPIC +MESSAGE ID +ATTEMPT +OUTCOME +INSTANCE +ERROR\n/);
    expect(out).toMatch(
      /handler-decided.*\n.*attempts-exhausted.*\n.*attempts-exhausted.*CardError E_DECLINED: card of/,
    );
    expect(out).toContain('\n3 failures; there may be older ones: increase --limit, or set --to\n');
  });

  it('lists those of a message', async () => {
    const { out } = await on(`failure list --operations-topic operations --each --id ${adaId}`);
    expect(out.split('\n').filter((line) => line.includes(adaId))).toHaveLength(2);
    expect(out).toContain('\n2 failures\n');
  });

  it('prints JSON', async () => {
    expect(await json('failure list billing --operations-topic operations')).toMatchObject({
      errors: [
        { error: { name: 'CardError', code: 'E_DECLINED' }, retried: 2, deadLettered: 2, leftOut: 0 },
        { error: { name: 'DeadLetterError' }, retried: 0, deadLettered: 1 },
      ],
      mayBeMore: false,
      failures: [],
    });
    const { records } = await json('failure list billing --operations-topic operations --each');
    expect(records).toHaveLength(5);
  });

  it('is empty for a group without failures, and fails for a group or topic that does not exist', async () => {
    expect(await on('failure list stock --operations-topic operations')).toEqual({
      code: 0,
      out: '0 failures\n',
      err: '',
    });
    for (const line of [
      'failure list nope --operations-topic operations',
      'failure list billing --operations-topic nope',
    ])
      expect(await on(line)).toMatchObject({ code: 1, out: '', err: expect.stringContaining('"nope" does not exist') });
    expect(await on('failure list billing')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--operations-topic'),
    });
  });
});

describe('dlq list', () => {
  it('shows why each message failed', async () => {
    const { out, code } = await on('dlq list billing --operations-topic operations');
    expect(code).toBe(0);
    expect(out).toMatch(/^MESSAGE ID .* REPLAYED +REASON +BODY\n/);
    expect(out).toMatch(/ attempts-exhausted: CardError E_DECLINED: card of Ada declined ask the customer +"Ada"\n/);
    expect(out).toContain('handler-decided: DeadLetterError: no');
    const { deadLetters } = await json('dlq list billing --operations-topic operations');
    expect(deadLetters).toContainEqual(
      expect.objectContaining({ messageId: adaId, failure: expect.objectContaining({ deliveryAttempt: 2 }) }),
    );
  });

  it('lists them although the topic of the failures does not exist', async () => {
    const { code, out, err } = await on('dlq list billing --operations-topic nope');
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringMatching(/^warning: why .* is not known: .*"nope" does not/),
    });
    expect(out).toContain('3 of 3 dead letters\n');
  });
});
