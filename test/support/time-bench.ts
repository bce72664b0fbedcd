// A broker whose time can be moved, and real clients of it, which stay on real time.

import { RocketMQAdmin } from '../../libs/rocketmq/src/admin/rocketmq-admin.js';
import { ControlClient } from '../../libs/rocketmq/src/broker/control/control-client.js';
import { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../../libs/rocketmq/src/broker/embedded-broker-options.js';
import { Connection } from '../../libs/rocketmq/src/client/connection.js';
import { PushConsumer } from '../../libs/rocketmq/src/consumer/push-consumer.js';
import type { PushConsumerOptions } from '../../libs/rocketmq/src/consumer/push-consumer-options.js';
import { SimpleConsumer } from '../../libs/rocketmq/src/consumer/simple/simple-consumer.js';
import { Producer } from '../../libs/rocketmq/src/producer/producer.js';
import type { ProducerOptions } from '../../libs/rocketmq/src/producer/producer-options.js';

/** Everything that it creates ends with `close()`. */
export class TimeBench {
  readonly control: ControlClient;
  readonly connection: Connection;
  private readonly ends: (() => unknown)[] = [];

  private constructor(readonly broker: EmbeddedBroker) {
    this.control = new ControlClient({ endpoint: broker.controlEndpoint });
    this.connection = new Connection({ endpoints: broker.endpoints });
    this.ends.push(
      () => broker.stop(),
      () => this.connection.close(),
    );
  }

  static async start(options: EmbeddedBrokerOptions = {}): Promise<TimeBench> {
    const own = { timeTravel: true, controlPort: 0, adminPort: 0, recallEnabled: true };
    const broker = new EmbeddedBroker({ ...own, ...options });
    await broker.start();
    return new TimeBench(broker);
  }

  async producer(options: ProducerOptions = {}): Promise<Producer> {
    const producer = new Producer(this.connection, options);
    this.ends.push(() => producer.close());
    await producer.start();
    return producer;
  }

  async simpleConsumer(consumerGroup: string, topic: string): Promise<SimpleConsumer> {
    const consumer = new SimpleConsumer(this.connection, {
      consumerGroup,
      subscriptions: [{ topic }],
      longPollingTimeoutMs: 2_000,
    });
    this.ends.push(() => consumer.close());
    await consumer.start();
    return consumer;
  }

  async pushConsumer(options: PushConsumerOptions): Promise<PushConsumer> {
    const consumer = new PushConsumer(this.connection, options);
    this.ends.push(() => consumer.close());
    await consumer.start();
    return consumer;
  }

  admin(): RocketMQAdmin {
    const admin = new RocketMQAdmin({ nameServer: this.broker.adminEndpoint });
    this.ends.push(() => admin.close());
    return admin;
  }

  async close(): Promise<void> {
    for (const end of this.ends.splice(0).reverse()) await end();
  }
}
