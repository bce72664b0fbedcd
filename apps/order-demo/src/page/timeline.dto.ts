// The HTTP response with the time line of an order.

import { ApiProperty } from '@nestjs/swagger';
import type { TimelineEntry } from './timeline.js';

class TimelineEntryDto implements TimelineEntry {
  @ApiProperty({ enum: ['order-demo', 'inventory-demo'], description: 'where it happened' })
  service!: TimelineEntry['service'];

  @ApiProperty({ type: 'integer', description: 'counted by the service' })
  id!: number;

  @ApiProperty({ format: 'uuid' })
  orderId!: string;

  @ApiProperty({ format: 'date-time' })
  at!: string;

  @ApiProperty({ example: 'time-out scheduled' })
  what!: string;

  @ApiProperty({ type: String, nullable: true, description: 'the message that was received or sent' })
  messageId!: string | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'the delivery attempt of a received message' })
  attempt!: number | null;
}

export class TimelineDto {
  @ApiProperty({ type: [TimelineEntryDto] })
  entries!: TimelineEntryDto[];

  @ApiProperty({ description: 'false while inventory-demo does not answer' })
  isComplete!: boolean;
}
