// The setup of the push consumer's specs: a broker on a manual clock, a producer, consumers that are closed after each case, and a
// journal of events.

import { Connection } from '../../libs/rocketmq/src/client/connection.js';
import type { ConnectionOptions } from '../../libs/rocketmq/src/client/connection-options.js';
import type { MessageListener } from '../../libs/rocketmq/src/consumer/listeners/message-listener.js';
import type { ConsumerEvents } from '../../libs/rocketmq/src/consumer/model/consumer-events.js';
import type { MessageHandler } from '../../libs/rocketmq/src/consumer/model/handler.js';
import { PushConsumer } from '../../libs/rocketmq/src/consumer/push-consumer.js';
import type { PushConsumerOptions } from '../../libs/rocketmq/src/consumer/push-consumer-options.js';
import { Producer } from '../../libs/rocketmq/src/producer/producer.js';
import type { MessageView, OutgoingMessage } from '../../libs/rocketmq/src/protocol/model/message.js';
import { SECOND_MS } from '../../libs/rocketmq/src/support/clock.js';
import { TestBroker, type TestBrokerOptions } from '../../libs/rocketmq/src/testing/test-broker.js';
import { until } from '../../tools/until.js';
import { Arrivals } from './arrivals.js';

export const BACKOFF = { kind: 'customized', nextMs: [SECOND_MS, 5 * SECOND_MS] } as const;

export const textOf = (message: MessageView): string => message.body.toString();

/** Options of a consumer of the ordered group and topic. */
export const FIFO = { consumerGroup: 'lines', subscriptions: [{ topic: 'steps' }], requireFifo: true } as const;

/** A journal of events that a test can wait for. */
export class Journal {
  private readonly arrivals = new Arrivals();

  get lines(): string[] {
    return this.arrivals.texts;
  }

  add(line: string): void {
    this.arrivals.add(line);
  }

  async has(count: number): Promise<string[]> {
    await this.arrivals.until(() => this.lines.length >= count);
    return [...this.lines];
  }
}

/** A promise and its resolve function. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** One broker with the topics `orders`, `returns` and the ordered `steps`, the groups `stock` and the ordered `lines`. */
export class ConsumerBench {
  readonly journal = new Journal();
  private readonly consumers: PushConsumer[] = [];
  private readonly connections: Connection[] = [];

  private constructor(
    readonly broker: TestBroker,
    readonly connection: Connection,
    readonly producer: Producer,
  ) {}

  static async open(options: TestBrokerOptions = {}): Promise<ConsumerBench> {
    const broker = await TestBroker.start({
      manualClock: true,
      strict: true,
      topics: [{ name: 'orders' }, { name: 'returns' }, { name: 'steps', type: 'fifo', queues: 2 }],
      groups: [
        { name: 'stock', maxDeliveryAttempts: 3, backoff: BACKOFF },
        { name: 'lines', fifo: true, maxDeliveryAttempts: 3, backoff: BACKOFF },
      ],
      ...options,
    });
    const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    const producer = new Producer(connection, {});
    await producer.start();
    return new ConsumerBench(broker, connection, producer);
  }

  async close(): Promise<void> {
    for (const consumer of this.consumers.splice(0)) await consumer.close({ shutdownGraceMs: 0 });
    await this.producer.close();
    for (const connection of [...this.connections.splice(0), this.connection]) connection.close();
    await this.broker.stop();
  }

  /** Another connection to the broker, for instance through a forwarder. */
  connectionTo(endpoints: string, options: Partial<ConnectionOptions> = {}): Connection {
    const connection = new Connection({ endpoints, clock: this.broker.clock, ...options });
    this.connections.push(connection);
    return connection;
  }

  /** A consumer of `orders` in `stock` by default; not started. */
  consumer(
    handler: MessageHandler,
    options: Partial<PushConsumerOptions> = {},
    connection = this.connection,
  ): PushConsumer {
    const base = { consumerGroup: 'stock', subscriptions: [{ topic: 'orders' }], handler };
    const consumer = new PushConsumer(connection, { ...base, ...options });
    this.consumers.push(consumer);
    return consumer;
  }

  /** Like {@link consumer}, started. */
  async consume(...options: Parameters<ConsumerBench['consumer']>): Promise<PushConsumer> {
    const consumer = this.consumer(...options);
    await consumer.start();
    return consumer;
  }

  /** A consumer of `stock` with several listeners, started. */
  async listen(
    listeners: readonly MessageListener[],
    options: Partial<PushConsumerOptions> = {},
    connection = this.connection,
  ): Promise<PushConsumer> {
    const consumer = new PushConsumer(connection, { consumerGroup: 'stock', listeners, ...options });
    this.consumers.push(consumer);
    await consumer.start();
    return consumer;
  }

  /** A handler that records the body and the attempt. */
  readonly journalled: MessageHandler = (message) => this.journal.add(`${textOf(message)} ${message.deliveryAttempt}`);

  /** Hooks that record their arguments. */
  readonly events: Partial<ConsumerEvents> = {
    onDeadLetter: (message, reason) => this.journal.add(`dead letter ${textOf(message)} ${reason}`),
    onLeaseLost: (message) => this.journal.add(`lost ${textOf(message)}`),
    onSettleFailed: (message, settlement) => this.journal.add(`unsettled ${textOf(message)} ${settlement.kind}`),
  };

  send(...bodies: string[]): Promise<void> {
    return this.sendTo('orders', ...bodies);
  }

  sendTo(topic: string, ...bodies: string[]): Promise<void> {
    return this.inTurn(bodies.map((body) => ({ topic, body })));
  }

  /** Sends `a1` in message group `a`. */
  sendSteps(...bodies: string[]): Promise<void> {
    return this.inTurn(bodies.map((body) => ({ topic: 'steps', body, messageGroup: body.slice(0, 1) })));
  }

  deadLetters(group: string): string[] {
    return this.broker.messages(`%DLQ%${group}`).map(({ body }) => body.toString());
  }

  /** The broker has no message at a consumer and none that becomes due later. */
  get isAllSettled(): boolean {
    return this.broker.inFlight().length + this.broker.waiting().length === 0;
  }

  /** Waits until every held message has a lease that is longer than this. */
  async renewed(leftMs: number): Promise<void> {
    const ends = (): number[] => this.broker.waiting().flatMap((one) => ('dueAtMs' in one ? [one.dueAtMs] : []));
    await until(() => ends().every((end) => end - this.broker.clock.nowMs() > leftMs));
  }

  private async inTurn(messages: OutgoingMessage[]): Promise<void> {
    for (const message of messages) await this.producer.send(message);
  }
}
