// The examples of docs/guide/sending.md and of tests without a broker, run.

import { afterEach, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { type RocketMQContext, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { Encryption, EncryptionModule, LettersModule } from '../../docs/examples/encrypted-bodies.js';
import { Orders, OrdersModule } from '../../docs/examples/sending.js';
import { soon } from '../../tools/until.js';
import '../../docs/examples/stock.test.js';

describe('the examples of sending', () => {
  let app: INestApplicationContext | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  it('sending: an order is placed, and its handler gets what the schema makes of it', async () => {
    app = await NestFactory.createApplicationContext(OrdersModule, { logger: false, abortOnError: false });
    const orders = app.get(Orders);
    await orders.place('order-1');
    await soon(() => orders.placed.length > 0);
    expect(orders.placed).toEqual(['1 for order-1 in 2026']);
  });

  it('encrypted bodies: sealed on the wire, plain for the handler', async () => {
    const broker = await TestBroker.start();
    const got: string[] = [];
    class Reader {
      @RocketMQListener('letters', { consumerGroup: 'readers' })
      async read(_body: unknown, { message }: RocketMQContext): Promise<void> {
        got.push(message.body.toString());
      }
    }
    const rocketmq = RocketMQModule.forRoot({ endpoints: broker.endpoints, hooks: [Encryption] });
    const compiled = await Test.createTestingModule({
      imports: [EncryptionModule, rocketmq],
      providers: [Reader],
    }).compile();
    app = await compiled.init();
    await compiled.get(RocketMQProducer).send({ topic: 'letters', body: { to: 'Ada' } });
    await broker.idle();
    expect(got).toEqual(['{"to":"Ada"}']);
    expect(broker.messages('letters')[0]?.body.includes('Ada')).toBe(false);
    await app.close();
    await broker.stop();
  });

  it('encrypted bodies: its module starts', async () => {
    app = await NestFactory.createApplicationContext(LettersModule, { logger: false, abortOnError: false });
    expect(await app.get(RocketMQProducer).send({ topic: 'letters', body: 'x' })).toMatchObject({ topic: 'letters' });
  });
});
