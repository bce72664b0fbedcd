// The HTTP requests and responses of order-demo.

import { ApiProperty } from '@nestjs/swagger';
import { IsInt, Matches, Max, Min } from 'class-validator';
import { ORDER_STATUSES, type OrderStatus } from './order-status.js';
import type { HistoryEntry, Order } from './order-store.js';

const MAX_AT_ONCE = 1_000;

export class PlaceOrderDto {
  @ApiProperty({ example: 'book', description: 'letters, digits, "-" and "_", at most 64' })
  @Matches(/^[A-Za-z0-9_-]{1,64}$/, { message: 'sku must be 1 to 64 letters, digits, "-" or "_"' })
  sku!: string;

  @ApiProperty({ example: 1, minimum: 1, maximum: MAX_AT_ONCE, type: 'integer' })
  @IsInt({ message: `quantity must be an integer from 1 to ${MAX_AT_ONCE}` })
  @Min(1, { message: `quantity must be an integer from 1 to ${MAX_AT_ONCE}` })
  @Max(MAX_AT_ONCE, { message: `quantity must be an integer from 1 to ${MAX_AT_ONCE}` })
  quantity!: number;
}

export class OrderDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;

  @ApiProperty()
  sku!: string;

  @ApiProperty({ type: 'integer' })
  quantity!: number;

  @ApiProperty({ enum: ORDER_STATUSES })
  status!: OrderStatus;

  @ApiProperty({ format: 'date-time', description: 'an order that is not paid by then is canceled' })
  expiresAt!: string;
}

class HistoryEntryDto {
  @ApiProperty({ format: 'date-time' })
  at!: string;

  @ApiProperty({ example: 'stock reserved' })
  what!: string;

  @ApiProperty({ enum: ORDER_STATUSES, description: 'the state it led to' })
  status!: OrderStatus;

  @ApiProperty({ type: String, nullable: true, description: 'the message that was received or sent' })
  messageId!: string | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'the delivery attempt of a received message' })
  attempt!: number | null;
}

export class OrderWithHistoryDto extends OrderDto {
  @ApiProperty({ type: [HistoryEntryDto] })
  history!: HistoryEntryDto[];
}

export function toOrderDto({ id, sku, quantity, status, expiresAt }: Order): OrderDto {
  return { id, sku, quantity, status, expiresAt: expiresAt.toISOString() };
}

export function toHistoryDto({ at, what, status, messageId, attempt }: HistoryEntry): HistoryEntryDto {
  return { at: at.toISOString(), what, status, messageId, attempt };
}
