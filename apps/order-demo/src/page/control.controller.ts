// Actions of the page that use the embedded broker's control port.

import { Controller, HttpCode, NotFoundException, Param, ParseUUIDPipe, Post, UseFilters } from '@nestjs/common';
import { ApiConflictResponse, ApiNotFoundResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { BrokerErrorFilter, badField } from 'demo-kit';
import { type Order, OrderStore } from '../orders/order-store.js';
import { Control } from './control.js';

const orderId = () => new ParseUUIDPipe({ exceptionFactory: () => badField('id', 'id must be the UUID of an order') });

@ApiTags('page')
@Controller('orders')
@UseFilters(BrokerErrorFilter)
export class ControlController {
  constructor(
    private readonly orders: OrderStore,
    private readonly control: Control,
  ) {}

  @Post(':id/time-out-now')
  @HttpCode(202)
  @ApiOperation({ summary: 'delivers the time-out of an order at once; embedded broker only' })
  @ApiNotFoundResponse()
  @ApiConflictResponse({ description: 'it does not wait any more, or not yet' })
  async timeOutNow(@Param('id', orderId()) id: string): Promise<{ done: true }> {
    await this.control.timeOutNow(await this.existing(id));
    return { done: true };
  }

  @Post(':id/deliver-again')
  @HttpCode(202)
  @ApiOperation({ summary: 'delivers order-created to inventory-demo once more; embedded broker only' })
  @ApiNotFoundResponse()
  @ApiConflictResponse({ description: 'it is at inventory-demo at the moment' })
  async deliverAgain(@Param('id', orderId()) id: string): Promise<{ done: true }> {
    await this.control.deliverAgain(await this.existing(id));
    return { done: true };
  }

  private async existing(id: string): Promise<Order> {
    const order = await this.orders.find(id);
    if (order === undefined) throw new NotFoundException(`there is no order ${id}`);
    return order;
  }
}
