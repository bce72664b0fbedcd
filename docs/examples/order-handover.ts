import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  defineTopic,
  type MessageView,
  RocketMQContext,
  RocketMQError,
  RocketMQListener,
  RocketMQProducer,
} from 'nestjs-rocketmq';

export const HandedOver = defineTopic<{ orderId: string }>('handed-over', { type: 'normal' });

@Injectable()
export class Handover {
  readonly seen = new Set<string>();
  readonly handled: string[] = [];

  constructor(private readonly producer: RocketMQProducer) {}

  /** @returns whether the server stored the message; rejects if that is unknown even after a second send */
  async handOver(orderId: string): Promise<boolean> {
    const handoverId = randomUUID();
    const send = () => this.producer.send(HandedOver, { orderId }, { properties: { handoverId } });
    try {
      await send();
    } catch (error) {
      if (!RocketMQError.is(error)) throw error;
      // Only with `requireDurable` of the producer: it is stored, less safely than configured.
      if (error.outcome === 'stored') return true;
      // Nothing was stored: the caller can try again.
      if (error.outcome !== 'unknown') return false;
      // The message may be stored. Sending it again is safe, because the receiver drops what it has already handled.
      await send();
    }
    return true;
  }

  @RocketMQListener(HandedOver, { consumerGroup: 'carrier' })
  async receive({ orderId }: { orderId: string }, { message }: RocketMQContext): Promise<void> {
    if (this.isKnown(message)) return;
    this.handled.push(orderId);
  }

  /** In an application: `inbox.once(tx, key, work)`, in the database transaction of the work. */
  private isKnown({ properties, messageId }: MessageView): boolean {
    const key = properties.handoverId ?? messageId;
    if (this.seen.has(key)) return true;
    this.seen.add(key);
    return false;
  }
}
