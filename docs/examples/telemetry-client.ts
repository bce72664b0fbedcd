import { type Connection, SimpleConsumer } from 'nestjs-rocketmq/client';
import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';

/** Receives the waiting parcels, and traces the work for each message. */
export async function takeParcels(connection: Connection, pack: (parcel: string) => Promise<void>): Promise<void> {
  const telemetry = openTelemetry();
  const consumer = new SimpleConsumer(connection, {
    consumerGroup: 'packing',
    subscriptions: [{ topic: 'parcel-ordered' }],
    telemetry,
  });
  await consumer.start();
  // `receive parcel-ordered`, with a link to where each message was sent.
  for (const message of await consumer.receive()) {
    // `process parcel-ordered`, in the trace in which the message was sent.
    await telemetry.process(message, () => pack(message.body.toString()));
    // `ack parcel-ordered`
    await consumer.ack(message);
  }
  await consumer.close();
}
