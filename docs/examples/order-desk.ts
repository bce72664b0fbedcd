import { Injectable } from '@nestjs/common';
import { MINUTE_MS, RocketMQContext, RocketMQListener, RocketMQListeners } from 'nestjs-rocketmq';

interface Order {
  readonly id: string;
}

@Injectable()
export class OrderDesk {
  readonly log: string[] = [];
  private readonly open = new Map<string, RocketMQContext>();

  constructor(private readonly listeners: RocketMQListeners) {}

  // Two listeners share a group and a topic. Each one gets the messages with its tags.
  @RocketMQListener('orders', { consumerGroup: 'desk', filter: 'created || changed', concurrency: 8 })
  async enter({ id }: Order): Promise<void> {
    this.log.push(`entered ${id}`);
  }

  // Returning does not acknowledge the message: somebody decides within half an hour. The lease is renewed until then.
  @RocketMQListener('orders', {
    consumerGroup: 'desk',
    filter: 'disputed',
    name: 'disputes',
    manual: true,
    handlerTimeoutMs: 30 * MINUTE_MS,
  })
  async dispute({ id }: Order, context: RocketMQContext): Promise<void> {
    this.open.set(id, context);
    this.log.push(`took ${id}`);
  }

  decide(id: string, isSettled: boolean): void {
    const context = this.open.get(id);
    if (isSettled) context?.ack();
    else context?.retryLater({ delayMs: 10 * MINUTE_MS });
    this.log.push(`${isSettled ? 'settled' : 'put off'} ${id}`);
  }

  closeForToday(): void {
    this.listeners.pause('disputes');
  }

  openAgain(): void {
    this.listeners.resume('disputes');
  }
}
