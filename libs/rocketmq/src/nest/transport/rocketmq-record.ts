// A message of `ClientRocketMQ` with more than its body: tag, keys, message group, delivery time. Nest's clients take it as data.

import type { MessageFields } from '../messages/outgoing.js';

/** Data with the other fields of its message. Created by {@link RocketMQRecordBuilder}. */
export class RocketMQRecord<Data = unknown> {
  constructor(
    readonly data: Data,
    readonly fields: MessageFields = {},
    /** Of a request: the timeout of its answer, in milliseconds. */
    readonly timeoutMs?: number,
  ) {}
}

/** Builds a {@link RocketMQRecord}: `client.emit('orders', new RocketMQRecordBuilder(order).setKeys([order.id]).build())`. */
export class RocketMQRecordBuilder<Data = unknown> {
  private fields: MessageFields = {};
  private timeoutMs: number | undefined;

  constructor(private data?: Data) {}

  setData(data: Data): this {
    this.data = data;
    return this;
  }

  /** One label by which consumers can filter. A pattern `topic:tag` sets it, too; do not set it here then. */
  setTag(tag: string): this {
    return this.with({ tag });
  }

  /** Business keys by which operators can find a message. */
  setKeys(keys: readonly string[]): this {
    return this.with({ keys });
  }

  setProperties(properties: Readonly<Record<string, string>>): this {
    return this.with({ properties });
  }

  /** Makes it an ordered message: messages of one group are delivered in order. */
  setMessageGroup(messageGroup: string): this {
    return this.with({ messageGroup });
  }

  /** Makes it a delayed message: not visible for this time. */
  setDelayMs(delayMs: number): this {
    return this.with({ delayMs });
  }

  /** Makes it a delayed message: not visible before this time. */
  setDeliverAt(deliverAt: Date): this {
    return this.with({ deliverAt });
  }

  /** Makes it a priority message: waiting messages with the highest priority are delivered first. */
  setPriority(priority: number): this {
    return this.with({ priority });
  }

  /** Makes it a message of a lite topic, inside a topic of type `lite`. */
  setLiteTopic(liteTopic: string): this {
    return this.with({ liteTopic });
  }

  /** The timeout of the answer to `client.send()`, in milliseconds. `emit()` waits for no answer and rejects this option. */
  setTimeoutMs(timeoutMs: number): this {
    this.timeoutMs = timeoutMs;
    return this;
  }

  build(): RocketMQRecord<Data> {
    return new RocketMQRecord(this.data as Data, this.fields, this.timeoutMs);
  }

  private with(fields: MessageFields): this {
    this.fields = { ...this.fields, ...fields };
    return this;
  }
}
