import { randomUUID } from 'node:crypto';
import {
  ConflictException,
  Injectable,
  Logger,
  NotFoundException,
} from '@nestjs/common';
import {
  type BodyOf,
  MINUTE_MS,
  RocketMQListener,
  RocketMQProducer,
} from 'nestjs-rocketmq';
import { OrderEvents, PaymentDue, StockAnswers } from '../topics.js';

export const PAYMENT_TIMEOUT_MS = 30 * MINUTE_MS;

export interface Order {
  id: string;
  item: string;
  status: 'placed' | 'reserved' | 'out of stock' | 'paid' | 'canceled';
}

@Injectable()
export class OrdersService {
  private readonly logger = new Logger(OrdersService.name);
  // In memory, to keep this short. A real service has a database.
  private readonly orders = new Map<string, Order>();

  constructor(private readonly producer: RocketMQProducer) {}

  async place(item: string): Promise<Order> {
    const id = randomUUID();
    const order: Order = { id, item, status: 'placed' };
    this.orders.set(id, order);
    // The timeout first: if the second message fails, no stock stays reserved.
    await this.producer.send(
      PaymentDue,
      { orderId: id },
      { delayMs: PAYMENT_TIMEOUT_MS, keys: [id] },
    );
    await this.producer.send(
      OrderEvents,
      { kind: 'placed', orderId: id, item },
      { messageGroup: id, keys: [id] },
    );
    return order;
  }

  pay(id: string): Order {
    const order = this.find(id);
    if (order.status !== 'reserved') {
      throw new ConflictException(`The order is ${order.status}.`);
    }
    return this.change(order, 'paid');
  }

  all(): Order[] {
    return [...this.orders.values()];
  }

  @RocketMQListener(StockAnswers, { consumerGroup: 'orders' })
  onStockAnswer({ orderId, hasItem }: BodyOf<typeof StockAnswers>): void {
    const order = this.orders.get(orderId);
    // A message can be delivered twice, so look before you act.
    if (order?.status !== 'placed') return;
    this.change(order, hasItem ? 'reserved' : 'out of stock');
  }

  // If this throws, the message is delivered again, so stock always returns.
  @RocketMQListener(PaymentDue, { consumerGroup: 'orders' })
  async onPaymentDue({ orderId }: BodyOf<typeof PaymentDue>): Promise<void> {
    const order = this.orders.get(orderId);
    if (order === undefined) return;
    if (order.status === 'paid' || order.status === 'out of stock') return;
    this.change(order, 'canceled');
    await this.producer.send(
      OrderEvents,
      { kind: 'canceled', orderId, item: order.item },
      { messageGroup: orderId, keys: [orderId] },
    );
  }

  private find(id: string): Order {
    const order = this.orders.get(id);
    if (order === undefined) throw new NotFoundException('No such order.');
    return order;
  }

  private change(order: Order, status: Order['status']): Order {
    order.status = status;
    this.logger.log(`Order ${order.id} is ${status}`);
    return order;
  }
}
