// What `nestjs-rocketmq asyncapi document` is called with.

import { Injectable, Module } from '@nestjs/common';
import { RocketMQListener, RocketMQModule } from 'nestjs-rocketmq';
import { OrderPaid, OrderPlaced } from './shop.js';

@Injectable()
class Billing {
  constructor() {
    throw new Error('the command creates no provider');
  }

  @RocketMQListener(OrderPlaced)
  async bill(_order: unknown): Promise<void> {}
}

@Module({
  imports: [
    RocketMQModule.forRoot({ endpoints: 'nowhere.invalid:8081', consumerGroup: 'billing', topics: [OrderPaid] }),
  ],
  providers: [Billing],
})
export class AppModule {}
