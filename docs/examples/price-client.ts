import { Inject, Injectable, Module } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { ClientRocketMQ, RocketMQModule, RocketMQRecordBuilder, RocketMQRequester, SECOND_MS } from 'nestjs-rocketmq';
import { firstValueFrom, lastValueFrom } from 'rxjs';

@Injectable()
export class Till {
  constructor(
    @Inject('PRICES') private readonly client: ClientRocketMQ,
    @Inject(RocketMQRequester) private readonly requester: RocketMQRequester,
  ) {}

  // emit() sends the message even if nothing subscribes. A subscriber gets the receipt or the error.
  async change(item: string, cents: number): Promise<void> {
    const record = new RocketMQRecordBuilder({ item, cents }).setKeys([item]).build();
    await lastValueFrom(this.client.emit('prices:changed', record));
  }

  async priceOf(item: string): Promise<{ cents: number }> {
    return firstValueFrom(this.client.send<{ cents: number }>('price-requests', { item }));
  }

  // Requests as promises, without observables.
  async cheaper(item: string, other: string): Promise<string> {
    const ask = (name: string) =>
      this.requester.request<{ cents: number }>('price-requests', { item: name }, { timeoutMs: 5 * SECOND_MS });
    const [one, two] = await Promise.all([ask(item), ask(other)]);
    return one.cents <= two.cents ? item : other;
  }
}

@Module({
  imports: [
    RocketMQModule.forRoot({
      endpoints: process.env.ROCKETMQ_ENDPOINTS,
      // Each instance receives responses in a consumer group of its own, created and deleted through the name server.
      nameServer: process.env.ROCKETMQ_NAME_SERVER,
      requests: { application: 'till', timeoutMs: 10 * SECOND_MS },
    }),
    ClientsModule.registerAsync([
      {
        name: 'PRICES',
        inject: [RocketMQRequester],
        useFactory: (requester: RocketMQRequester) => ({ customClass: ClientRocketMQ, options: { requester } }),
      },
    ]),
  ],
  providers: [Till],
})
export class TillModule {}
