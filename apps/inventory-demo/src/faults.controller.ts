// Faults that order-demo's page can inject. Requires DEMO_FAULTS=on.

import { Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { killThisProcess, OrderCreated } from 'demo-kit';
import { INVENTORY_DEMO_OPTIONS, type InventoryDemoOptions } from './options.js';

@ApiTags('faults')
@Controller('faults')
export class FaultsController {
  constructor(@Inject(INVENTORY_DEMO_OPTIONS) private readonly options: InventoryDemoOptions) {}

  @Post('fail-twice')
  @HttpCode(202)
  @ApiOperation({ summary: 'lets the next two deliveries of order-created fail' })
  failTwice(): { done: true } {
    this.options.faults?.fail(OrderCreated.name, 2);
    return { done: true };
  }

  @Post('stop')
  @HttpCode(202)
  @ApiOperation({ summary: 'ends this process as if by SIGKILL, after the answer' })
  stop(): { done: true } {
    setImmediate(() => void killThisProcess());
    return { done: true };
  }
}
