import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';

/** Sends three orders and receives the European ones over 100, the most urgent first. */
export async function urgentOrders(): Promise<string[]> {
  const broker = new EmbeddedBroker({ strict: true, nameServerPort: 0 });
  await broker.start();
  // The same administration as on a cluster. Changes take effect at once.
  const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  await admin.createTopic({ topic: 'orders', type: 'priority', queues: 3 });
  await admin.createGroup({ consumerGroup: 'europe', maxDeliveryAttempts: 5 });

  const connection = new Connection({ endpoints: broker.endpoints });
  const producer = new Producer(connection, {});
  await producer.start();
  const order = { topic: 'orders', properties: { region: 'eu', amount: '250' } };
  await producer.send({ ...order, body: 'can wait', priority: 0 });
  await producer.send({ ...order, body: 'too small', priority: 2, properties: { region: 'eu', amount: '20' } });
  await producer.send({ ...order, body: 'urgent', priority: 2 });

  const filter = { kind: 'sql', expression: "region = 'eu' AND amount > 100" } as const;
  const consumer = new SimpleConsumer(connection, {
    consumerGroup: 'europe',
    subscriptions: [{ topic: 'orders', filter }],
  });
  await consumer.start();
  const messages = await consumer.receive();
  for (const message of messages) await consumer.ack(message);

  await consumer.close();
  await producer.close();
  await connection.close();
  await admin.close();
  await broker.stop();
  return messages.map(({ body }) => body.toString());
}
