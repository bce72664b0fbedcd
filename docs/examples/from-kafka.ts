import { Injectable } from '@nestjs/common';
import { defineTopic, RocketMQListener, RocketMQProducer } from 'nestjs-rocketmq';

interface OrderChange {
  readonly orderId: string;
  readonly state: string;
}

// `fifo`: messages of one group are delivered in order, like records of one key in a partition.
export const OrderChanged = defineTopic<OrderChange>('order-changed', { type: 'fifo' });

@Injectable()
export class OrderView {
  readonly states = new Map<string, string>();

  constructor(private readonly producer: RocketMQProducer) {}

  async change(orderId: string, state: string): Promise<void> {
    await this.producer.send(OrderChanged, { orderId, state }, { messageGroup: orderId, keys: [orderId] });
  }

  @RocketMQListener(OrderChanged, { consumerGroup: 'order-view' })
  async apply({ orderId, state }: OrderChange): Promise<void> {
    this.states.set(orderId, state);
  }
}
