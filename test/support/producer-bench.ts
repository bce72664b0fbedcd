// The setup of the producer specs: a broker, a connection, and producers that are closed after each case.

import { Connection } from '../../libs/rocketmq/src/client/connection.js';
import type { ConnectionOptions } from '../../libs/rocketmq/src/client/connection-options.js';
import { Producer } from '../../libs/rocketmq/src/producer/producer.js';
import type { ProducerOptions } from '../../libs/rocketmq/src/producer/producer-options.js';
import { TestBroker, type TestBrokerOptions } from '../../libs/rocketmq/src/testing/test-broker.js';

/** One strict broker, and connections on its clock. */
export class ProducerBench {
  private readonly producers: Producer[] = [];

  private constructor(
    readonly broker: TestBroker,
    readonly connection: Connection,
  ) {}

  static async start(
    brokerOptions: TestBrokerOptions,
    options: Partial<ConnectionOptions> = {},
  ): Promise<ProducerBench> {
    const broker = await TestBroker.start({ strict: true, ...brokerOptions });
    const { endpoints, clock } = broker;
    return new ProducerBench(broker, new Connection({ endpoints, clock, ...options }));
  }

  /** Not started. */
  newProducer(options: ProducerOptions = {}): Producer {
    const producer = new Producer(this.connection, options);
    this.producers.push(producer);
    return producer;
  }

  async close(): Promise<void> {
    for (const producer of this.producers) await producer.close();
    this.connection.close();
    await this.broker.stop();
  }
}
