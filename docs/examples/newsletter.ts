import { Injectable, Module } from '@nestjs/common';
import { defineTopic, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';

export const LetterDue = defineTopic<{ reader: string }>('letter-due', { type: 'normal' });
export const LetterOpened = defineTopic<{ reader: string }>('letter-opened', { type: 'normal' });

@Injectable()
export class Newsletter {
  constructor(private readonly producer: RocketMQProducer) {}

  /** @returns the readers whose letter may not have been stored */
  async publish(readers: readonly string[]): Promise<string[]> {
    const letters = readers.map((reader) => ({ body: { reader }, keys: [reader] }));
    const outcomes = await this.producer.sendBatch(LetterDue, letters);
    return readers.filter((_, index) => outcomes[index]?.status === 'failed');
  }

  /** Statistics: nothing waits for them, and losing one does no harm. */
  async opened(reader: string): Promise<void> {
    await this.producer.sendOneway(LetterOpened, { reader });
  }
}

@Module({
  imports: [
    RocketMQModule.forRootAsync({
      useFactory: () => ({
        endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
        producer: {
          maxInFlight: 500,
          whenFull: 'reject',
          compression: {},
          interceptors: [(message, next) => next({ ...message, properties: { app: 'newsletter' } })],
        },
      }),
    }),
  ],
  providers: [Newsletter],
  exports: [RocketMQModule],
})
export class NewsletterModule {}
