import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import {
  HOUR_MS,
  MINUTE_MS,
  RocketMQEvents,
  RocketMQModule,
  RocketMQProducer,
} from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ReminderListener } from './reminder.listener.js';
import { Reminder } from './reminder.topic.js';

// The first run on a slow machine can take longer than test runners wait.
it('handles a reminder after an hour', async () => {
  // A real broker in this process. Its time stands still until the test moves it.
  const broker = await TestBroker.start({ manualClock: true });
  const { endpoints, clock } = broker;
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints, clock })],
    providers: [ReminderListener],
  }).compile();
  const attempts: string[] = [];
  app
    .get(RocketMQEvents)
    .attempts$.subscribe(({ result }) => attempts.push(result.kind));
  await app.init();

  const producer = app.get(RocketMQProducer);
  await producer.send(Reminder, { id: '1' }, { delayMs: HOUR_MS });
  await broker.advance(HOUR_MS - MINUTE_MS);
  expect(attempts).toEqual([]);
  await broker.advance(MINUTE_MS);
  expect(attempts).toEqual(['handled']);

  await app.close();
  await broker.stop();
}, 60_000);
