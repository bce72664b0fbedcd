import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { RocketMQModule } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { Shop, Warehouse } from './first-steps.js';

it('packs what was ordered', async () => {
  const broker = await TestBroker.start();
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints: broker.endpoints })],
    providers: [Shop, Warehouse],
  }).compile();
  await app.init();

  await app.get(Shop).place('order-1', 2);
  // Resolves when every message is settled and no retry is due.
  await broker.idle();
  expect(app.get(Warehouse).packed).toEqual(['2 for order-1']);

  await app.close();
  await broker.stop();
});
