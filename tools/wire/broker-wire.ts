// The brokers and raw clients of one spec file, closed together.

import { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../../libs/rocketmq/src/broker/embedded-broker-options.js';
import type { Code, Message } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { ReceiveMessageResponse } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { consumerSettings, RawClient } from './raw-grpc-client.js';

/** Starts brokers and clients, and closes them all. */
export class BrokerWire {
  private readonly brokers: EmbeddedBroker[] = [];
  private readonly clients: RawClient[] = [];

  async broker(options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
    const broker = new EmbeddedBroker(options);
    this.brokers.push(broker);
    await broker.start();
    return broker;
  }

  client(broker: EmbeddedBroker, clientId = 'client', metadata: Record<string, string> = {}): RawClient {
    const client = new RawClient(broker.endpoints, clientId, metadata);
    this.clients.push(client);
    return client;
  }

  /** A client that has sent its settings as a consumer of the group. */
  async consumer(broker: EmbeddedBroker, group: string): Promise<RawClient> {
    const client = this.client(broker, `consumer of ${group}`);
    await client.settle(consumerSettings(group));
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.clients.splice(0)) client.close();
    await Promise.all(this.brokers.splice(0).map((broker) => broker.stop()));
  }
}

export function messagesIn(items: readonly ReceiveMessageResponse[]): Message[] {
  return items.flatMap(({ content }) => (content?.$case === 'message' ? [content.value] : []));
}

export function statusIn(items: readonly ReceiveMessageResponse[]): Code | undefined {
  const [status] = items.flatMap(({ content }) => (content?.$case === 'status' ? [content.value.code] : []));
  return status;
}
