// The module option `operations`: what handlers of every instance threw is in a topic, whatever becomes of the instance.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import {
  DeadLetterError,
  RetryLaterError,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
} from '../entries/nest.js';
import { type FailureRecord, parseFailureRecord } from '../protocol/model/failure-record.js';

@Injectable()
class Billing {
  @RocketMQListener('orders', { consumerGroup: 'billing', backoff: 10, maxAttempts: 2 })
  charge(body: string): void {
    if (body === 'later') throw new RetryLaterError({ delayMs: 10, countsAsAttempt: false });
    if (body === 'hopeless') throw new DeadLetterError('no such account');
    if (body !== 'good') throw new TypeError(`cannot charge ${body}`);
  }
}

@Injectable()
class Broken {
  calls = 0;

  @RocketMQListener('operations', { consumerGroup: 'operators', maxAttempts: 1 })
  read(): void {
    this.calls++;
    throw new Error('the alert cannot be sent');
  }
}

describe('the module option operations', () => {
  let bench: NestBench;

  beforeEach(async () => {
    bench = await NestBench.open();
    // In one queue, in order.
    bench.broker.declareTopic({ name: 'operations', type: 'normal', queues: 1 });
  });
  afterEach(() => bench.close());

  const kept = (topic = 'operations') =>
    bench.broker.messages(topic).map(({ body }) => parseFailureRecord(body) as FailureRecord);

  it('keeps each failed attempt and each dead letter, without the body, and survives the application', async () => {
    const app = await bench.start({ providers: [Billing], options: { operations: { topic: 'operations' } } });
    const producer = app.get(RocketMQProducer);
    await producer.send({ topic: 'orders', body: '"good"' });
    const { messageId } = await producer.send({ topic: 'orders', body: '"bad"', keys: ['order-1'] });
    await until(() => kept().length === 1);
    await bench.broker.advance(1_000);
    await until(() => kept().length === 2);
    await producer.send({ topic: 'orders', body: '"hopeless"' });
    await until(() => kept().length === 3);
    await bench.closeApps();
    expect(kept()).toMatchObject([
      { messageId, deliveryAttempt: 1, settlement: { kind: 'retry', delayMs: 10 } },
      { messageId, deliveryAttempt: 2, settlement: { kind: 'deadLetter', reason: 'attempts-exhausted' } },
      { settlement: { kind: 'deadLetter', reason: 'handler-decided' }, error: { name: 'DeadLetterError' } },
    ]);
    expect(kept()[0]).toMatchObject({
      consumerGroup: 'billing',
      topic: 'orders',
      error: { name: 'TypeError', text: 'cannot charge bad', stack: expect.stringContaining('Billing.charge') },
      instance: expect.stringContaining(`@${process.pid}@`),
    });
    expect(JSON.stringify(bench.broker.messages('operations'))).not.toContain('order-1');
  });

  it('keeps nothing of a message that is postponed, and of the listeners of the topic itself', async () => {
    const options = { operations: { topic: 'operations' } };
    const app = await bench.start({ providers: [Billing, Broken], options });
    await bench.send(app, 'orders', '"later"', '"bad"');
    await until(() => app.get(Broken).calls === 1);
    await bench.closeApps();
    expect(kept().map(({ error }) => error.name)).toEqual(['TypeError']);
  });

  it('leaves out the texts where they are not wanted, and uses the prefix of the topics', async () => {
    const options = { operations: { topic: 'operations', texts: false }, topicPrefix: 'eu-', groupPrefix: 'eu-' };
    const app = await bench.start({ providers: [Billing], options });
    await bench.send(app, 'orders', '"secret"');
    await until(() => kept('eu-operations').length === 1);
    expect(kept('eu-operations')[0]).toMatchObject({ consumerGroup: 'eu-billing', topic: 'eu-orders' });
    expect(JSON.stringify(kept('eu-operations'))).not.toContain('secret');
  });

  it('needs the topic at startup, which fails with those that are missing', async () => {
    await bench.close();
    bench = await NestBench.open({ strict: true });
    bench.broker.declareTopic({ name: 'orders', type: 'normal' });
    bench.broker.declareGroup({ name: 'billing' });
    const options = { operations: { topic: 'operations' }, startTimeoutMs: 3_000 };
    await expect(bench.start({ providers: [Billing], options })).rejects.toThrow(/topic "operations" does not exist/);
  });

  it('is rejected by field', () => {
    const withOperations = (operations: unknown) => () =>
      RocketMQModule.forRoot({ endpoints: 'embedded:', operations: operations as { topic: string } });
    expect(withOperations('operations')).toThrow(/option operations must be an object/);
    expect(withOperations({})).toThrow(/operations\.topic/);
    expect(withOperations({ topic: 'a b' })).toThrow(/option operations\.topic "a b"/);
    expect(withOperations({ topic: 'a', texts: 'no' })).toThrow(/option operations\.texts/);
    expect(withOperations({ topic: 'a', text: false })).toThrow(/option operations\.text is unknown/);
  });
});
