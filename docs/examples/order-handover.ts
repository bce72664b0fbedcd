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

  /** True when the server has the message, false when it does not; an error when that cannot be told even after a repeat. */
  async handOver(orderId: string): Promise<boolean> {
    const handoverId = randomUUID();
    const send = () => this.producer.send(HandedOver, { orderId }, { properties: { handoverId } });
    try {
      await send();
    } catch (error) {
      if (!RocketMQError.is(error)) throw error;
      // Nothing was stored: whoever called may do it again, or something else.
      if (error.outcome !== 'unknown') return false;
      // It may be stored, or not. A repeat is safe because the receiver drops what it has seen.
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
