import { Module } from '@nestjs/common';
import { RocketMQModule } from 'nestjs-rocketmq';
import { RocketMQConsoleModule } from 'nestjs-rocketmq-console';
import { control, messaging } from '../messaging.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';

@Module({
  imports: [
    RocketMQModule.forRoot(messaging),
    // At /rocketmq, for this machine only.
    RocketMQConsoleModule.forRoot({ control, title: 'shop' }),
  ],
  controllers: [OrdersController],
  providers: [OrdersService],
})
export class OrdersModule {}
