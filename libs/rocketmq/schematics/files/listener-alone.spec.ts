import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { RocketMQModule } from 'nestjs-rocketmq';
import { deliver } from 'nestjs-rocketmq/testing';
import { ReminderListener } from './reminder.listener.js';

// The first run on a slow machine can take longer than test runners wait.
it('acknowledges a message', async () => {
  // Without a broker: nothing is connected unless the application is started.
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints: 'nowhere:8081' })],
    providers: [ReminderListener],
  }).compile();

  const body = { id: '1' };
  expect(await deliver(app, ReminderListener, 'handle', body)).toEqual({
    outcome: 'acked',
  });
}, 60_000);
