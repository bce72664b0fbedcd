// The inventory's answers, told apart by their tag.

import { Injectable } from '@nestjs/common';
import { type OrderReference, receivedFrom, StockResult } from 'demo-kit';
import { DeadLetterError, RocketMQContext, RocketMQListener } from 'nestjs-rocketmq';
import { isStockAnswer, StockAnswer } from '../orders/stock-answer.js';

@Injectable()
export class StockResultListener {
  constructor(private readonly answers: StockAnswer) {}

  @RocketMQListener(StockResult)
  async onStockResult({ orderId }: OrderReference, context: RocketMQContext): Promise<void> {
    const { tag } = context.message;
    if (!isStockAnswer(tag)) throw new DeadLetterError(`tag "${tag}" is no answer of the inventory`);
    await this.answers.take(orderId, tag, receivedFrom(context));
  }
}
