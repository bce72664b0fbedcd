// Whether order-demo can do its work.

import { Controller, Get, Inject } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { sql } from 'drizzle-orm';
import { ORDER_DATABASE, type OrderDatabase } from './database/order-database.js';

@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(@Inject(ORDER_DATABASE) private readonly database: OrderDatabase) {}

  @Get()
  @ApiOperation({ summary: 'answers once consumers run, and while the database does' })
  @ApiOkResponse({ schema: { example: { status: 'ok' } } })
  async check(): Promise<{ status: 'ok' }> {
    await this.database.db.execute(sql`select 1`);
    return { status: 'ok' };
  }
}
