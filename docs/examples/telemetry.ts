import { Injectable, Module } from '@nestjs/common';
import { trace } from '@opentelemetry/api';
import {
  ConsoleSpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node';
import { defineTopic, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';

/** Call it before you create the application: producers and consumers look for the SDK when they are created. */
export function startTracing(exporter: SpanExporter = new ConsoleSpanExporter()): NodeTracerProvider {
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  provider.register();
  return provider;
}

export const ParcelPacked = defineTopic<{ parcel: string }>('parcel-packed', { type: 'normal' });
export const ParcelShipped = defineTopic<{ parcel: string }>('parcel-shipped', { type: 'normal' });

@Injectable()
export class Shipping {
  constructor(private readonly producer: RocketMQProducer) {}

  @RocketMQListener(ParcelPacked, { consumerGroup: 'shipping' })
  async ship({ parcel }: { parcel: string }): Promise<void> {
    // The span of the message is active. A message sent here is its child, in this process and in the next.
    trace.getActiveSpan()?.setAttribute('parcel.carrier', 'rail');
    await this.producer.send(ParcelShipped, { parcel });
  }
}

@Module({
  imports: [
    RocketMQModule.forRoot({
      endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
      telemetry: openTelemetry(),
    }),
  ],
  providers: [Shipping],
})
export class ShippingModule {}
