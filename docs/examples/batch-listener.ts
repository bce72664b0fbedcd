import { Injectable } from '@nestjs/common';
import { defineTopic, RocketMQBatchContext, RocketMQListener } from 'nestjs-rocketmq';

interface Reading {
  readonly sensor: string;
  readonly celsius: number;
}

export const TemperatureRead = defineTopic<Reading>('temperature-read', { type: 'normal' });

@Injectable()
export class Thermometers {
  readonly table: Reading[] = [];

  // A batch has up to 500 messages, or those that arrived within 200 ms. Two batches run at the same time.
  @RocketMQListener(TemperatureRead, { batch: { maxSize: 500, maxWaitMs: 200 }, concurrency: 2 })
  async store(readings: Reading[], context: RocketMQBatchContext): Promise<void> {
    const plausible = readings.filter(({ celsius }, index) => {
      // Retries this message only. The others are acknowledged.
      if (celsius < -273.15) context.fail(index, new Error('colder than possible'));
      return celsius >= -273.15;
    });
    // An error thrown here fails all remaining messages.
    this.table.push(...plausible);
  }
}
