import { Controller, Get, Param, Post } from '@nestjs/common';
import { type Order, OrdersService } from './orders.service.js';

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post(':item')
  place(@Param('item') item: string): Promise<Order> {
    return this.orders.place(item);
  }

  @Post(':id/pay')
  pay(@Param('id') id: string): Order {
    return this.orders.pay(id);
  }

  @Get()
  all(): Order[] {
    return this.orders.all();
  }
}
