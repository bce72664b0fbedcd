import { Injectable } from '@nestjs/common';
import { defineTopic, MINUTE_MS, RocketMQListener, RocketMQProducer, SECOND_MS } from 'nestjs-rocketmq';

interface Invoice {
  readonly number: string;
}

// A topic is the exchange, a tag the routing key, and a consumer group the queue that is bound to it.
export const Invoices = defineTopic<Invoice>('invoices', { type: 'normal' });
export const DeadInvoices = defineTopic('dead-invoices', { type: 'normal' });

@Injectable()
export class Ledger {
  readonly booked: string[] = [];

  constructor(private readonly producer: RocketMQProducer) {}

  async pay(number: string): Promise<void> {
    await this.producer.send(Invoices, { number }, { tag: 'paid' });
  }

  @RocketMQListener(Invoices, {
    consumerGroup: 'ledger',
    filter: 'paid || refunded',
    // The prefetch count.
    concurrency: 10,
    // Two options replace the TTL queue and the header that counts attempts.
    backoff: [SECOND_MS, 10 * SECOND_MS, MINUTE_MS],
    maxAttempts: 4,
    deadLetterTopic: DeadInvoices,
  })
  async book({ number }: Invoice): Promise<void> {
    if (number === '') throw new Error('an invoice has a number');
    this.booked.push(number);
  }
}
