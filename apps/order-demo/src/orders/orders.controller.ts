// Orders over HTTP.

import {
  Body,
  ConflictException,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  ParseUUIDPipe,
  Post,
  UseFilters,
  UsePipes,
} from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { BrokerErrorFilter, badField, requestValidation } from 'demo-kit';
import { TimelineDto } from '../page/timeline.dto.js';
import { Timeline } from '../page/timeline.js';
import { OrderDto, OrderWithHistoryDto, PlaceOrderDto, toHistoryDto, toOrderDto } from './order.dto.js';
import { OrderFlow } from './order-flow.js';
import { type Order, OrderStore } from './order-store.js';

const orderId = () => new ParseUUIDPipe({ exceptionFactory: () => badField('id', 'id must be the UUID of an order') });

@ApiTags('orders')
@Controller('orders')
@UsePipes(requestValidation())
@UseFilters(BrokerErrorFilter)
export class OrdersController {
  constructor(
    private readonly orders: OrderStore,
    private readonly flow: OrderFlow,
    private readonly timeline: Timeline,
  ) {}

  @Post()
  @ApiOperation({ summary: 'places an order' })
  @ApiCreatedResponse({ type: OrderDto })
  @ApiBadRequestResponse({ description: 'names the wrong field' })
  async place(@Body() { sku, quantity }: PlaceOrderDto): Promise<OrderDto> {
    return toOrderDto(await this.flow.place(sku, quantity));
  }

  @Get()
  @ApiOperation({ summary: 'the latest orders, newest first' })
  @ApiOkResponse({ type: [OrderDto] })
  async list(): Promise<OrderDto[]> {
    return (await this.orders.list()).map(toOrderDto);
  }

  @Get(':id')
  @ApiOperation({ summary: 'an order and what happened to it' })
  @ApiOkResponse({ type: OrderWithHistoryDto })
  @ApiNotFoundResponse()
  async find(@Param('id', orderId()) id: string): Promise<OrderWithHistoryDto> {
    const order = await this.existing(id);
    return { ...toOrderDto(order), history: (await this.orders.history(id)).map(toHistoryDto) };
  }

  @Get(':id/timeline')
  @ApiOperation({ summary: 'the steps of an order in both services, oldest first' })
  @ApiOkResponse({ type: TimelineDto })
  @ApiNotFoundResponse()
  async steps(@Param('id', orderId()) id: string): Promise<TimelineDto> {
    await this.existing(id);
    return this.timeline.of(id);
  }

  @Post(':id/pay')
  @HttpCode(200)
  @ApiOperation({ summary: 'pays an order whose stock is reserved' })
  @ApiOkResponse({ type: OrderDto })
  @ApiNotFoundResponse()
  @ApiConflictResponse({ description: 'not payable; `status` says why' })
  async pay(@Param('id', orderId()) id: string): Promise<OrderDto> {
    await this.existing(id);
    const paid = await this.flow.pay(id);
    if (paid === undefined) throw await this.conflict(id, 'cannot be paid');
    return toOrderDto(paid);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @ApiOperation({ summary: 'cancels an order that is not paid yet' })
  @ApiOkResponse({ type: OrderDto })
  @ApiNotFoundResponse()
  @ApiConflictResponse({ description: 'not to be canceled any more; `status` says why' })
  async cancel(@Param('id', orderId()) id: string): Promise<OrderDto> {
    await this.existing(id);
    const canceled = await this.flow.cancel(id);
    if (canceled === undefined) throw await this.conflict(id, 'cannot be canceled');
    return toOrderDto(canceled);
  }

  private async existing(id: string): Promise<Order> {
    const order = await this.orders.find(id);
    if (order === undefined) throw new NotFoundException(`there is no order ${id}`);
    return order;
  }

  private async conflict(id: string, problem: string): Promise<ConflictException> {
    const { status } = await this.existing(id);
    const message = `order ${id} ${problem}: it is ${status}`;
    return new ConflictException({ statusCode: 409, error: 'Conflict', message, status });
  }
}
