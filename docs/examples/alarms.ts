import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { RocketMQEvents } from 'nestjs-rocketmq';
import type { Subscription } from 'rxjs';

@Injectable()
export class Alarms implements OnModuleDestroy {
  readonly raised: string[] = [];
  private readonly subscription: Subscription;

  // In the constructor: the connection opens before the first onModuleInit.
  constructor(events: RocketMQEvents) {
    this.subscription = events.of('lost', 'dead-lettered', 'transaction-unknown').subscribe((event) => {
      switch (event.type) {
        case 'lost':
          this.raised.push(`${event.consumerGroup ?? 'the producer'} has lost ${event.endpoint}`);
          break;
        case 'dead-lettered':
          this.raised.push(`${event.consumerGroup} gave up ${event.topic} ${event.keys.join()}: ${event.reason}`);
          break;
        case 'transaction-unknown':
          this.raised.push(`the check settles ${event.transactionId}`);
      }
    });
  }

  onModuleDestroy(): void {
    this.subscription.unsubscribe();
  }
}
