// The stock over HTTP.

import { Controller, Get, ParseUUIDPipe, type PipeTransform, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import { badField } from 'demo-kit';
import { StockHistory } from './stock-history.js';
import { StockStore } from './stock-store.js';

class StockDto {
  @ApiProperty({ example: 'book' })
  sku!: string;

  @ApiProperty({ type: 'integer' })
  available!: number;

  @ApiProperty({ type: 'integer', description: 'held by orders that are not paid yet' })
  reserved!: number;

  @ApiProperty({ type: 'integer' })
  sold!: number;

  @ApiProperty({ type: 'integer', description: 'what the three must add up to' })
  total!: number;
}

class StockHistoryDto {
  @ApiProperty({ type: 'integer' })
  id!: number;

  @ApiProperty({ format: 'uuid' })
  orderId!: string;

  @ApiProperty({ format: 'date-time' })
  at!: string;

  @ApiProperty({ example: 'reserved' })
  what!: string;

  @ApiProperty({ type: String, nullable: true, description: 'the message that was received' })
  messageId!: string | null;

  @ApiProperty({ type: 'integer', nullable: true, description: 'its delivery attempt' })
  attempt!: number | null;
}

/** Parses a number in the range of database ids. */
const entryId = (): PipeTransform<unknown, number | undefined> => ({
  transform: (after) => {
    if (after === undefined) return undefined;
    if (typeof after === 'string' && /^\d{1,9}$/.test(after)) return Number(after);
    throw badField('after', 'after must be the id of an entry, an integer of at most 9 digits');
  },
});
const orderId = () =>
  new ParseUUIDPipe({ optional: true, exceptionFactory: () => badField('orderId', 'orderId must be a UUID') });

@ApiTags('stock')
@Controller('stock')
export class StockController {
  constructor(
    private readonly stock: StockStore,
    private readonly entries: StockHistory,
  ) {}

  @Get()
  @ApiOperation({ summary: 'how many of each product are available, reserved and sold' })
  @ApiOkResponse({ type: [StockDto] })
  async list(): Promise<StockDto[]> {
    const rows = await this.stock.list();
    return rows.map((row) => ({ ...row, total: this.stock.totalOf(row.sku) }));
  }

  @Get('history')
  @ApiOperation({ summary: 'what happened to the stock of orders, oldest first: of one, or after an entry' })
  @ApiOkResponse({ type: [StockHistoryDto] })
  async history(
    @Query('orderId', orderId()) ofOrder?: string,
    @Query('after', entryId()) after?: number,
  ): Promise<StockHistoryDto[]> {
    const entries = await this.entries.list({ orderId: ofOrder, after });
    return entries.map((entry) => ({ ...entry, at: entry.at.toISOString() }));
  }

  @Get('history/newest')
  @ApiOperation({ summary: 'the id of the newest entry' })
  async newest(): Promise<{ id: number }> {
    return { id: await this.entries.newest() };
  }
}
