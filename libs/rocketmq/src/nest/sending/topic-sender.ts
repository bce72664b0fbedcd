// The producer of one topic: a typed view of `RocketMQProducer`.

import type { BatchOptions, BatchOutcome } from '../../producer/sending/send-batch.js';
import type { SendReceipt } from '../../producer/sending/send-receipt.js';
import type { CallOptions } from '../../support/deadline.js';
import type { TopicMessage } from '../messages/outgoing.js';
import type { TopicDefinition } from '../messages/topic-definition.js';
import type { CurrentTransaction, TransactionalMessage } from '../transactions/current-transaction.js';
import type { RocketMQProducer, SendOptions } from './rocketmq-producer.js';

/** Sends to one topic. Each method is that of `RocketMQProducer`. */
export class TopicSender<Input> {
  /** @internal created by `RocketMQProducer.for` */
  constructor(
    private readonly producer: Pick<RocketMQProducer, 'send' | 'sendBatch' | 'sendOneway' | 'transaction'>,
    readonly topic: TopicDefinition<unknown, Input>,
  ) {}

  /** See `RocketMQProducer.send`. */
  send(body: Input, options?: SendOptions): Promise<SendReceipt> {
    return this.producer.send(this.topic, body, options);
  }

  /** See `RocketMQProducer.sendBatch`. */
  sendBatch(messages: readonly TopicMessage<Input>[], options?: BatchOptions): Promise<BatchOutcome[]> {
    return this.producer.sendBatch(this.topic, messages, options);
  }

  /** See `RocketMQProducer.sendOneway`. */
  sendOneway(body: Input, options?: SendOptions): Promise<void> {
    return this.producer.sendOneway(this.topic, body, options);
  }

  /** See `RocketMQProducer.transaction`. */
  transaction<T>(
    message: TransactionalMessage<Input>,
    work: (transaction: CurrentTransaction) => Promise<T>,
    options?: CallOptions,
  ): Promise<T> {
    return this.producer.transaction({ ...message, topic: this.topic }, work, options);
  }
}
