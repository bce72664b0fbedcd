// The stock over HTTP.

import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiTags } from '@nestjs/swagger';
import { StockStore } from './stock-store.js';

export class StockDto {
  @ApiProperty({ example: 'book' })
  sku!: string;

  @ApiProperty({ type: 'integer' })
  available!: number;

  @ApiProperty({ type: 'integer', description: 'held by orders that are not paid yet' })
  reserved!: number;

  @ApiProperty({ type: 'integer' })
  sold!: number;
}

@ApiTags('stock')
@Controller('stock')
export class StockController {
  constructor(private readonly stock: StockStore) {}

  @Get()
  @ApiOperation({ summary: 'how many of each product are available, reserved and sold' })
  @ApiOkResponse({ type: [StockDto] })
  async list(): Promise<StockDto[]> {
    const rows = await this.stock.list();
    return rows.map(({ sku, available, reserved, sold }) => ({ sku, available, reserved, sold }));
  }
}
