import { Controller, type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { DeadLetterError, MINUTE_MS, RocketMQContext, RocketMQModule, ServerRocketMQ } from 'nestjs-rocketmq';

@Controller()
export class Prices {
  private readonly cents = new Map([['tea', 250]]);

  // The pattern is a topic with tags. The second argument has the options of a listener.
  @EventPattern<string>('prices:changed || corrected', { concurrency: 4, backoff: MINUTE_MS })
  async changed(@Payload() price: { item: string; cents: number }, @Ctx() context: RocketMQContext): Promise<void> {
    if (price.cents < 0) throw new DeadLetterError(`${price.item} has a price below zero`);
    this.cents.set(price.item, price.cents);
    context.logger.info('new price');
  }

  // The return value, or the error, is the response.
  @MessagePattern<string>('price-requests')
  async priceOf(@Payload() { item }: { item: string }): Promise<{ cents: number }> {
    const cents = this.cents.get(item);
    if (cents === undefined) throw new RangeError(`no price for ${item}`);
    return { cents };
  }
}

@Module({
  imports: [
    RocketMQModule.forRoot({ endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:', consumerGroup: 'prices' }),
  ],
  controllers: [Prices],
})
export class PricesModule {}

// For an application that also serves HTTP.
export async function startPrices(): Promise<INestApplication> {
  const app = await NestFactory.create(PricesModule);
  app.connectMicroservice({ strategy: app.get(ServerRocketMQ) }, { inheritAppConfig: true });
  await app.startAllMicroservices();
  await app.listen(process.env.PORT ?? 0);
  return app;
}
