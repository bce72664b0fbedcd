// "Time out now" and "Deliver twice" use the control port of the embedded broker. A real server has none.

import { ConflictException, Inject, Injectable, NotFoundException } from '@nestjs/common';
import { INVENTORY_SERVICE, OrderCreated, OrderTimeout } from 'demo-kit';
import { ControlClient, ControlError } from 'nestjs-rocketmq/broker';
import { ORDER_DEMO_OPTIONS, type OrderDemoOptions } from '../options.js';
import { type Order, OrderStore } from '../orders/order-store.js';

@Injectable()
export class Control {
  private readonly client: ControlClient | undefined;

  constructor(
    @Inject(ORDER_DEMO_OPTIONS) { controlEndpoint }: OrderDemoOptions,
    private readonly orders: OrderStore,
  ) {
    this.client = controlEndpoint === undefined ? undefined : new ControlClient({ endpoint: controlEndpoint });
  }

  /** Delivers the time-out of an order now. The clock does not change, so nothing else becomes due. */
  async timeOutNow(order: Order): Promise<void> {
    const messageId = order.timeoutMessageId ?? undefined;
    if (messageId === undefined) throw new ConflictException(`the time-out of order ${order.id} is not scheduled yet`);
    await this.ask((client) => client.deliverNow({ topic: OrderTimeout.name, messageId }));
    const trace = { what: 'time-out delivered now, on request', messageId };
    await this.orders.noteAlone(order, trace);
  }

  /** Delivers `order-created` of an order to inventory-demo again. */
  async deliverAgain(order: Order): Promise<void> {
    const [created] = await this.orders.history(order.id);
    if (created?.messageId == null) throw new NotFoundException(`order ${order.id} has no message`);
    const name = { group: INVENTORY_SERVICE, topic: OrderCreated.name, messageId: created.messageId };
    await this.ask((client) => client.deliverAgain(name));
  }

  /** @throws ConflictException with the message of the control port if it rejects the request */
  private async ask(request: (client: ControlClient) => Promise<unknown>): Promise<void> {
    if (this.client === undefined) throw new NotFoundException('there is no control port: not with a real server');
    try {
      await request(this.client);
    } catch (error) {
      if (error instanceof ControlError) throw new ConflictException(error.message);
      throw error;
    }
  }
}
