import { Controller, type INestApplication, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type BodyOf,
  defineRequest,
  defineTopic,
  RocketMQAsyncApi,
  RocketMQListener,
  RocketMQModule,
  RocketMQReply,
  ServerRocketMQ,
} from 'nestjs-rocketmq';
import { z } from 'zod';

const OrderPlaced = defineTopic('order-placed', {
  type: 'fifo',
  schema: z.object({ orderId: z.string(), weightGrams: z.number().int() }),
});
const ParcelSent = defineTopic('parcel-sent', { type: 'normal', schema: z.object({ orderId: z.string() }) });
const PostageOf = defineRequest('postage:quote', {
  request: z.object({ weightGrams: z.number().int() }),
  answer: z.object({ cents: z.number().int() }),
});

@Injectable()
export class Packing {
  @RocketMQListener(OrderPlaced)
  async pack(_order: BodyOf<typeof OrderPlaced>): Promise<void> {}
}

@Controller()
export class Postage {
  @RocketMQReply(PostageOf)
  quote({ weightGrams }: { weightGrams: number }): { cents: number } {
    return { cents: weightGrams };
  }
}

@Module({
  imports: [
    RocketMQModule.forRoot({
      endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
      consumerGroup: 'shipping',
      // What the application sends to.
      topics: [ParcelSent],
    }),
  ],
  providers: [Packing],
  controllers: [Postage],
})
export class AppModule {}

export async function createApp(): Promise<INestApplication> {
  const app = await NestFactory.create(AppModule);
  app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
  const document = RocketMQAsyncApi.createDocument(app, { title: 'shipping', version: '1.4.0' });
  RocketMQAsyncApi.setup('asyncapi', app, document);
  return app;
}
