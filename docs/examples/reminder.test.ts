import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { HOUR_MS, MINUTE_MS, RocketMQModule } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { Reminder } from './reminder.js';

it('reminds a customer after two hours', async () => {
  const broker = await TestBroker.start({ manualClock: true });
  const { endpoints, clock } = broker;
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints, clock })],
    providers: [Reminder],
  }).compile();
  await app.init();
  const reminder = app.get(Reminder);

  await reminder.remindLater('Ada');
  await broker.advance(2 * HOUR_MS - MINUTE_MS);
  expect(reminder.mails).toEqual([]);
  await broker.advance(MINUTE_MS);
  expect(reminder.mails).toEqual(['Ada, your cart is waiting']);

  await app.close();
  await broker.stop();
});
