// The inventory's answers, told apart by their tag.

import { Injectable } from '@nestjs/common';
import { type OrderReference, StockResult } from 'demo-kit';
import { DeadLetterError, RocketMQContext, RocketMQListener } from 'nestjs-rocketmq';
import { isStockAnswer, StockAnswer } from '../orders/stock-answer.js';

@Injectable()
export class StockResultListener {
  constructor(private readonly answers: StockAnswer) {}

  @RocketMQListener(StockResult)
  async onStockResult({ orderId }: OrderReference, context: RocketMQContext): Promise<void> {
    const { tag } = context.message;
    if (!isStockAnswer(tag)) throw new DeadLetterError(`tag "${tag}" is no answer of the inventory`);
    const { messageId, deliveryAttempt } = context;
    await this.answers.take(orderId, tag, { messageId, attempt: deliveryAttempt });
  }
}
