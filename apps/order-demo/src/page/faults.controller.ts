// Faults that the page can inject. Requires DEMO_FAULTS=on.

import { setTimeout as pause } from 'node:timers/promises';
import { Controller, HttpCode, Inject, Post, UseFilters } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { BrokerErrorFilter, type Faults, OrderCreated } from 'demo-kit';
import { ORDER_DEMO_OPTIONS, type OrderDemoOptions } from '../options.js';
import { type OrderDto, toOrderDto } from '../orders/order.dto.js';
import { OrderFlow } from '../orders/order-flow.js';
import { OrderStore } from '../orders/order-store.js';
import { InventoryClient } from './inventory.client.js';

/** The delay by which the return overtakes the reservation. */
const HEAD_START_MS = 1_000;

@ApiTags('faults')
@Controller('faults')
@UseFilters(BrokerErrorFilter)
export class FaultsController {
  private readonly faults: Faults;

  constructor(
    @Inject(ORDER_DEMO_OPTIONS) { faults }: OrderDemoOptions,
    private readonly orders: OrderStore,
    private readonly flow: OrderFlow,
    private readonly inventory: InventoryClient,
  ) {
    if (faults === undefined) throw new Error('this controller needs the option faults');
    this.faults = faults;
  }

  @Post('crash-before-database-commit')
  @HttpCode(202)
  @ApiOperation({
    summary: 'the next order kills order-demo after its half message: neither order nor message will exist',
  })
  crashBeforeDatabaseCommit(): { done: true } {
    this.faults.killAt('half-sent', OrderCreated.name);
    return { done: true };
  }

  @Post('crash-before-commit')
  @HttpCode(202)
  @ApiOperation({
    summary: 'the next order kills order-demo between the commits of database and message: the check commits it',
  })
  crashBeforeCommit(): { done: true } {
    this.faults.killAt('local-transaction-done', OrderCreated.name);
    return { done: true };
  }

  @Post('fail-twice')
  @HttpCode(202)
  @ApiOperation({ summary: 'the next two deliveries of order-created fail at inventory-demo' })
  async failTwice(): Promise<{ done: true }> {
    await this.inventory.break('fail-twice');
    return { done: true };
  }

  @Post('stop-inventory')
  @HttpCode(202)
  @ApiOperation({ summary: 'ends inventory-demo as if by SIGKILL; the launcher starts it again' })
  async stopInventory(): Promise<{ done: true }> {
    await this.inventory.break('stop');
    return { done: true };
  }

  @Post('return-before-reservation')
  @ApiOperation({ summary: 'places an order and cancels it before its message is committed: its return comes first' })
  async returnBeforeReservation(): Promise<OrderDto> {
    const holding = this.faults.hold('local-transaction-done', OrderCreated.name);
    const placing = this.flow.place('lamp', 1);
    try {
      const messageId = await Promise.race([holding.reached, placing.then(() => undefined)]);
      const order = messageId === undefined ? undefined : await this.orders.ofMessage(messageId);
      if (order !== undefined) {
        await this.flow.cancel(order.id);
        await pause(HEAD_START_MS);
      }
    } finally {
      holding.release();
    }
    return toOrderDto(await placing);
  }
}
