import { Module } from '@nestjs/common';
import { RocketMQModule } from 'nestjs-rocketmq';
import { messaging } from '../messaging.js';
import { StockController } from './stock.controller.js';
import { StockService } from './stock.service.js';

@Module({
  imports: [RocketMQModule.forRoot(messaging)],
  controllers: [StockController],
  providers: [StockService],
})
export class StockModule {}
