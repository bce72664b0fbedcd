// A message of `ClientRocketMQ` with more than its body: tag, keys, order, time. Nest's clients take it where they take data.

import type { MessageFields } from '../messages/outgoing.js';

/** Data with the rest of its message. Made by {@link RocketMQRecordBuilder}. */
export class RocketMQRecord<Data = unknown> {
  constructor(
    readonly data: Data,
    readonly fields: MessageFields = {},
    /** Of a request: how long its answer may take. */
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

  /** One label by which consumers filter. A pattern `topic:tag` gives it, too; then leave it out here. */
  setTag(tag: string): this {
    return this.with({ tag });
  }

  /** Business keys by which operators look a message up. */
  setKeys(keys: readonly string[]): this {
    return this.with({ keys });
  }

  setProperties(properties: Readonly<Record<string, string>>): this {
    return this.with({ properties });
  }

  /** Makes it an ordered message: in order within the group. */
  setMessageGroup(messageGroup: string): this {
    return this.with({ messageGroup });
  }

  /** Makes it a delayed message: not visible for this time. */
  setDelayMs(delayMs: number): this {
    return this.with({ delayMs });
  }

  /** Makes it a delayed message: not visible before. */
  setDeliverAt(deliverAt: Date): this {
    return this.with({ deliverAt });
  }

  /** Makes it a priority message: of what waits, the highest comes first. */
  setPriority(priority: number): this {
    return this.with({ priority });
  }

  /** How long the answer to `client.send()` may take. `emit()` does not wait for one and refuses it. */
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
