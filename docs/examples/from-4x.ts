// The programs of a team that runs RocketMQ 4.x, moved: each region stands beside its Java or Go program in docs/coming-from/rocketmq-4x.md.

import { Injectable, Logger, Module } from '@nestjs/common';
import {
  currentTransaction,
  defineTopic,
  delayLevelMs,
  type QueueSelector,
  RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
  TransactionalSend,
  type TransactionCheck,
  TransactionChecker,
} from 'nestjs-rocketmq';
import { type Connection, SECOND_MS, SimpleConsumer } from 'nestjs-rocketmq/client';

interface Order {
  readonly orderId: string;
  readonly cents: number;
  readonly note?: string;
}

// #region topics
export const OrderPlaced = defineTopic<Order>('order-placed', { type: 'normal' });
export const OrderStep = defineTopic<{ orderId: string; step: string }>('order-step', { type: 'fifo' });
export const PaymentDue = defineTopic<{ orderId: string }>('payment-due', { type: 'delay' });
export const StockReserved = defineTopic<{ orderId: string }>('stock-reserved', { type: 'transaction' });
// #endregion

@Injectable()
export class OrderSender {
  private readonly logger = new Logger(OrderSender.name);

  constructor(private readonly producer: RocketMQProducer) {}

  // #region sends
  /** Resolves when the broker has stored the message, rejects when it has not. */
  async placeAndWait(order: Order): Promise<string> {
    const { messageId } = await this.producer.send(OrderPlaced, order, { keys: [order.orderId], tag: 'eu' });
    return messageId;
  }

  /** The same call, not awaited. Handle its rejection: Node.js ends a process that leaves one unhandled. */
  place(order: Order, onStored: (messageId: string) => void): void {
    this.producer.send(OrderPlaced, order, { keys: [order.orderId], tag: 'eu' }).then(
      ({ messageId }) => onStored(messageId),
      (error) => this.logger.error(`order ${order.orderId}`, error),
    );
  }

  /** Asks for no answer. What the client notices is logged; what the broker loses stays unknown. */
  async placeOneway(order: Order): Promise<void> {
    await this.producer.sendOneway(OrderPlaced, order, { keys: [order.orderId] });
  }
  // #endregion

  // #region batch
  /** Any number of orders. @returns the ids of those that were not stored */
  async placeAll(orders: readonly Order[]): Promise<string[]> {
    const outcomes = await this.producer.sendBatch(
      OrderPlaced,
      orders.map((order) => ({ body: order, keys: [order.orderId] })),
    );
    return orders.filter((_, index) => outcomes[index]?.status !== 'sent').map(({ orderId }) => orderId);
  }
  // #endregion

  // #region delay
  /** Level 4 is 30 s: `delayMs: 30 * SECOND_MS` is the same. */
  async remind(orderId: string, level = 4): Promise<void> {
    await this.producer.send(PaymentDue, { orderId }, { delayMs: delayLevelMs(level) });
  }
  // #endregion

  // #region any-delay
  /** With `producer: { delayLevels: 'chain' }` of the module. */
  async remindAt(orderId: string, deliverAt: Date): Promise<void> {
    await this.producer.send(PaymentDue, { orderId }, { deliverAt });
  }
  // #endregion

  // #region properties
  /** `cents` is also a property, because a filter sees properties and never the body. */
  async placeWithPrice(order: Order): Promise<void> {
    await this.producer.send(OrderPlaced, order, { properties: { cents: String(order.cents) } });
  }
  // #endregion
}

// #region push
/** Clustering: the instances of the service share the messages. */
@Injectable()
export class Shipping {
  readonly shipped: string[] = [];

  // Returning is CONSUME_SUCCESS, throwing is RECONSUME_LATER.
  @RocketMQListener(OrderPlaced, { consumerGroup: 'shipping', concurrency: 20 })
  async ship({ orderId }: Order, { deliveryAttempt }: RocketMQContext): Promise<void> {
    if (orderId === 'not-packed-yet' && deliveryAttempt === 1) throw new Error(`${orderId}: try again`);
    this.shipped.push(orderId);
  }
}
// #endregion

// #region ordered
@Injectable()
export class OrderSteps {
  readonly steps: string[] = [];

  constructor(private readonly producer: RocketMQProducer) {}

  /** Steps of one order go to one queue, in the order of the calls. */
  async record(orderId: string, step: string): Promise<void> {
    await this.producer.send(OrderStep, { orderId, step }, { messageGroup: orderId });
  }

  @RocketMQListener(OrderStep, { consumerGroup: 'order-steps' })
  async follow({ orderId, step }: { orderId: string; step: string }): Promise<void> {
    this.steps.push(`${orderId} ${step}`);
  }
}
// #endregion

@Injectable()
export class Reminders {
  readonly mails: string[] = [];

  @RocketMQListener(PaymentDue, { consumerGroup: 'reminders' })
  async mail({ orderId }: { orderId: string }): Promise<void> {
    this.mails.push(orderId);
  }
}

// #region transaction
@Injectable()
export class Stock {
  /** Stands in for a table: what was reserved, by the id of its transaction. */
  readonly reserved = new Map<string, string>();

  // executeLocalTransaction: returning is COMMIT_MESSAGE, rollback() is ROLLBACK_MESSAGE. After an error, the checker decides.
  @TransactionalSend(StockReserved, { message: (orderId: string) => ({ body: { orderId }, keys: [orderId] }) })
  async reserve(orderId: string): Promise<boolean> {
    const transaction = currentTransaction();
    if (orderId === 'sold-out') {
      transaction.rollback();
      return false;
    }
    this.reserved.set(transaction.transactionId, orderId);
    return true;
  }

  // checkLocalTransaction. Not found means rollback only if the local transaction cannot run any more.
  @TransactionChecker(StockReserved)
  async check({ transactionId, mayStillRun }: TransactionCheck): Promise<'commit' | 'rollback' | 'unknown'> {
    if (this.reserved.has(transactionId)) return 'commit';
    return mayStillRun ? 'unknown' : 'rollback';
  }
}
// #endregion

@Injectable()
export class Parcels {
  readonly packed: string[] = [];

  @RocketMQListener(StockReserved, { consumerGroup: 'parcels' })
  async pack({ orderId }: { orderId: string }): Promise<void> {
    this.packed.push(orderId);
  }
}

// #region filters
@Injectable()
export class Filtered {
  readonly european: string[] = [];
  readonly expensive: string[] = [];

  @RocketMQListener(OrderPlaced, { consumerGroup: 'european', filter: 'eu || uk' })
  async inEurope({ orderId }: Order): Promise<void> {
    this.european.push(orderId);
  }

  @RocketMQListener(OrderPlaced, { consumerGroup: 'expensive', filter: { sql: 'cents >= 10000' } })
  async aboveLimit({ orderId }: Order): Promise<void> {
    this.expensive.push(orderId);
  }
}
// #endregion

// #region broadcast
@Injectable()
export class PriceList {
  readonly orders: string[] = [];

  @RocketMQListener(OrderPlaced, { consumerGroup: 'price-list', mode: 'broadcast' })
  async add({ orderId }: Order): Promise<void> {
    this.orders.push(orderId);
  }
}
// #endregion

// #region pull
/** Receives what is there, and returns. @param topic for example `order-placed` */
export async function nightlyReport(connection: Connection, topic: string, consumerGroup: string): Promise<string[]> {
  const consumer = new SimpleConsumer(connection, { consumerGroup, subscriptions: [{ topic }] });
  await consumer.start();
  const lines: string[] = [];
  try {
    for (;;) {
      const messages = await consumer.receive({
        maxMessages: 32,
        invisibleDurationMs: 30 * SECOND_MS,
        longPollingTimeoutMs: 5 * SECOND_MS,
      });
      if (messages.length === 0) return lines;
      lines.push(...messages.map(({ body }) => body.toString()));
      // There is no offset to store: what is acknowledged is not received again.
      await consumer.ackBatch(messages);
    }
  } finally {
    await consumer.close();
  }
}
// #endregion

// #region one-topic
/** Ordinary and delayed messages in one topic: on brokers of 4.x only. */
@Injectable()
export class OneTopic {
  constructor(private readonly producer: RocketMQProducer) {}

  async place(orderId: string): Promise<void> {
    await this.producer.send({ topic: 'orders', body: { orderId } });
    await this.producer.send({ topic: 'orders', body: { orderId }, delayMs: delayLevelMs(1) });
  }
}

// Without a definition, which would name one type.
@Injectable()
export class OneTopicReader {
  readonly seen: string[] = [];

  @RocketMQListener('orders', { consumerGroup: 'one-topic' })
  async read({ orderId }: { orderId: string }): Promise<void> {
    this.seen.push(orderId);
  }
}
// #endregion

// #region queue-selector
/** `queues.get(Math.floorMod(id.hashCode(), queues.size()))` of Java, for messages with a message group. */
export const likeJava: QueueSelector = ({ messageGroup }, queues) => {
  if (messageGroup === undefined) return undefined;
  let hash = 0;
  for (let index = 0; index < messageGroup.length; index++) hash = (31 * hash + messageGroup.charCodeAt(index)) | 0;
  return queues[((hash % queues.length) + queues.length) % queues.length];
};

@Module({
  imports: [
    RocketMQModule.forRoot({
      endpoints: 'name-server:ns-1:9876;ns-2:9876',
      producer: { queueSelector: likeJava },
    }),
  ],
  providers: [OrderSteps],
})
export class StepsModule {}
// #endregion

// #region module
@Module({
  imports: [RocketMQModule.forRoot({ endpoints: 'name-server:ns-1:9876;ns-2:9876' })],
  providers: [OrderSender, Shipping],
})
export class OrdersModule {}
// #endregion
