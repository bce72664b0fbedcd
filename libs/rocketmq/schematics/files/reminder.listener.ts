import { Injectable, Logger } from '@nestjs/common';
import { type BodyOf, RocketMQListener } from 'nestjs-rocketmq';
import { Reminder } from './reminder.topic.js';

@Injectable()
export class ReminderListener {
  private readonly logger = new Logger(ReminderListener.name);

  // Returning acknowledges the message. Throwing retries it with increasing
  // delays; after the last attempt it becomes a dead letter.
  @RocketMQListener(Reminder, { consumerGroup: 'reminder' })
  handle(body: BodyOf<typeof Reminder>): void {
    this.logger.log(`Received ${JSON.stringify(body)}`);
  }
}
