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

  // Up to 500 at once, or what has come within a fifth of a second. Two batches side by side.
  @RocketMQListener(TemperatureRead, { batch: { maxSize: 500, maxWaitMs: 200 }, concurrency: 2 })
  async store(readings: Reading[], context: RocketMQBatchContext): Promise<void> {
    const plausible = readings.filter(({ celsius }, index) => {
      // This one is retried alone; the others are acknowledged.
      if (celsius < -273.15) context.fail(index, new Error('colder than possible'));
      return celsius >= -273.15;
    });
    // What this throws would fail all the others.
    this.table.push(...plausible);
  }
}
