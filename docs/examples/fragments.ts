// Snippets of a few lines that the guides embed, each inside the code it needs to compile.

import type { PGlite } from '@electric-sql/pglite';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Type } from 'class-transformer';
import { IsDate, IsInt, Min } from 'class-validator';
import {
  currentTransaction,
  defineTopic,
  MINUTE_MS,
  RocketMQListener,
  RocketMQModule,
  type RocketMQProducer,
  ServerRocketMQ,
  TransactionalSend,
} from 'nestjs-rocketmq';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import type { Producer, TransactionCheckHandler } from 'nestjs-rocketmq/client';
import type { TransactionLog } from 'nestjs-rocketmq/sql';
import { seatBooked } from './plain-transactions.js';
import { PricesModule } from './price-service.js';

// #region class-schema
class PlaceOrder {
  @IsInt() @Min(1) readonly quantity!: number;
  @Type(() => Date) @IsDate() readonly at!: Date;
}

export const OrderWished = defineTopic('order-wished', { type: 'normal', schema: PlaceOrder });
// #endregion

export const Reserved = defineTopic<{ orderId: string }>('reserved', { type: 'transaction' });

export class Reservation {
  @TransactionalSend(Reserved)
  async reserve(orderId: string): Promise<void> {
    // #region prepare
    await currentTransaction().prepare({ body: { orderId }, tag: 'reserved' });
    // #endregion
  }
}

export const OrderPlaced = defineTopic<{ orderId: string }>('order-placed', { type: 'normal' });
export const PaymentDue = defineTopic<{ orderId: string }>('payment-due', { type: 'delay' });

export async function place(producer: RocketMQProducer, orderId: string): Promise<void> {
  // #region sends
  await producer.send(OrderPlaced, { orderId });
  // With a key, by which the console and the command line find it, and a tag, by which listeners filter.
  await producer.send(OrderPlaced, { orderId }, { keys: [orderId], tag: 'web' });
  // In thirty minutes.
  await producer.send(PaymentDue, { orderId }, { delayMs: 30 * MINUTE_MS });
  // #endregion
}

/** The module for a cluster with proxies, and for one without. */
export function clusters(): readonly DynamicModule[] {
  // #region clusters
  // A cluster with proxies: their addresses.
  const byProxy = RocketMQModule.forRoot({ endpoints: 'proxy-1:8081;proxy-2:8081' });
  // A cluster without a proxy: the addresses of its name servers.
  const byNameServer = RocketMQModule.forRoot({ endpoints: 'name-server:ns-1:9876;ns-2:9876' });
  // #endregion
  return [byProxy, byNameServer];
}

export function openAdmin(): RocketMQAdmin {
  // #region admin
  // Of several name servers, with ";" between.
  const admin = new RocketMQAdmin({ nameServer: '127.0.0.1:9876' });
  // #endregion
  return admin;
}

export async function createResources(nameServer: string): Promise<void> {
  // #region resources
  const admin = new RocketMQAdmin({ nameServer });
  await admin.createTopic({ topic: 'order-timeout', type: 'delay' });
  await admin.createGroup({ consumerGroup: 'order-service', maxDeliveryAttempts: 5 });
  await admin.close();
  // #endregion
}

export async function startPricesAlone(): Promise<void> {
  // #region no-http
  const app = await NestFactory.createMicroservice(PricesModule, {
    inject: [ServerRocketMQ],
    useFactory: (strategy: ServerRocketMQ) => ({ strategy }),
  });
  await app.listen();
  // #endregion
}

// #region begin-transaction
export async function bookByHand(producer: Producer, database: PGlite, log: TransactionLog, seat: string) {
  const transaction = await producer.beginTransaction(seatBooked(seat));
  // If this throws, the transaction stays open and a check resolves it: the COMMIT may have succeeded nevertheless.
  await database.transaction(async (tx) => {
    await tx.query('INSERT INTO booking VALUES ($1)', [seat]);
    await log.record(tx, transaction);
  });
  return transaction.commit();
}
// #endregion

// #region own-checker
export interface Bookings {
  find(seat: string, signal: AbortSignal): Promise<'booked' | 'rejected' | undefined>;
}

export const checkedBy =
  (bookings: Bookings): TransactionCheckHandler =>
  async ({ message, signal }) => {
    const { seat } = JSON.parse(message.body.toString());
    const state = await bookings.find(seat, signal);
    if (state === 'booked') return 'commit';
    if (state === 'rejected') return 'rollback';
    // Neither is stored: the booking may still commit.
    return 'unknown';
  };
// #endregion

export class Totals {
  count = 0;

  // #region start-from
  @RocketMQListener(OrderWished, { consumerGroup: 'totals', startFrom: 'beginning' })
  add(): void {
    this.count++;
  }
  // #endregion
}
