import { Controller, Param, Post } from '@nestjs/common';
import { RocketMQProducer } from 'nestjs-rocketmq';
import { Reminder } from './reminder.topic.js';

@Controller('reminder')
export class ReminderController {
  constructor(private readonly producer: RocketMQProducer) {}

  // curl -X POST http://localhost:3000/reminder/1
  @Post(':id')
  async remind(@Param('id') id: string): Promise<{ messageId: string }> {
    const { messageId } = await this.producer.send(
      Reminder,
      { id },
      { delayMs: 10_000 },
    );
    return { messageId };
  }
}
