import { describe, expect, it } from '@jest/globals';
import { Controller, type PipeTransform, type Type, UsePipes } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { ClientBench } from '../../../../test/fixtures/client-bench.js';
import {
  defineRequest,
  defineTopic,
  RocketMQContext,
  RocketMQListener,
  RocketMQProducer,
  RocketMQReply,
} from '../entries/nest.js';

const bench = ClientBench.ofFile();

interface Order {
  readonly id: string;
}
const Orders = defineTopic<Order>('orders', { type: 'normal' });
const Price = defineRequest<Order, { readonly text: string }>('prices:of');

const calls: unknown[][] = [];
const noted = (...given: unknown[]): void => {
  calls.push(given.map((value) => (value instanceof RocketMQContext ? 'context' : value)));
};

@Controller()
class Second {
  @RocketMQListener(Orders, { consumerGroup: 'second' })
  handle(order: Order, @Ctx() context: RocketMQContext): void {
    noted('second', order, context);
  }
}

@Controller()
class First {
  @RocketMQListener(Orders, { consumerGroup: 'first' })
  handle(@Payload() order: Order, context: RocketMQContext): void {
    noted('first', order, context);
  }
}

@Controller()
class Fields {
  @RocketMQListener(Orders, { consumerGroup: 'fields', parameters: 'decorated' })
  handle(@Payload('id') given: unknown, _context?: RocketMQContext): void {
    noted('field', given);
  }
}

@Controller()
class Override extends Fields {
  @RocketMQListener(Orders, { consumerGroup: 'override' })
  override handle(order: Order, context: RocketMQContext): void {
    noted('override', order, context);
  }
}

/** Fails for anything but a body. */
class Loud implements PipeTransform<Order, Order> {
  transform({ id }: Order): Order {
    return { id: id.toUpperCase() };
  }
}

@Controller()
class Piped {
  @RocketMQListener(Orders, { consumerGroup: 'piped' })
  @UsePipes(Loud)
  decorated(@Payload() order: Order): void {
    noted('piped', order);
  }

  @RocketMQListener(Orders, { consumerGroup: 'piped-plain' })
  @UsePipes(Loud)
  plain(order: Order): void {
    noted('piped plain', order);
  }
}

@Controller()
class Rest {
  @RocketMQListener(Orders, { consumerGroup: 'rest' })
  handle(...all: [Order, RocketMQContext]): void {
    noted('rest', ...all);
  }
}

@Controller()
class Prices {
  @RocketMQReply(Price)
  of(order: Order, @Ctx() _context: RocketMQContext) {
    return { text: `price of ${order.id}` };
  }
}

/** What the listeners are called with for one order. */
async function callsOf(...listeners: readonly Type[]): Promise<unknown[][]> {
  for (const listener of listeners) await bench.server(listener);
  const { app } = await bench.asking();
  await app.get(RocketMQProducer).send(Orders, { id: 'a' });
  await bench.broker.idle();
  return calls.splice(0);
}

describe('a handler with decorators for some of its parameters', () => {
  it('gets body and context in the places that have none', async () => {
    expect((await callsOf(First, Second, Fields, Override)).sort()).toEqual([
      ['field', 'a'],
      ['first', { id: 'a' }, 'context'],
      ['override', { id: 'a' }, 'context'],
      ['second', { id: 'a' }, 'context'],
    ]);
  });

  it('has pipes that get what the method declares only', async () => {
    expect((await callsOf(Piped)).sort()).toEqual([
      ['piped plain', { id: 'A' }],
      ['piped', { id: 'A' }],
    ]);
  });

  it('gets both as rest parameters', async () => {
    expect(await callsOf(Rest)).toEqual([['rest', { id: 'a' }, 'context']]);
  });

  it('answers requests with its body', async () => {
    await bench.server(Prices);
    const { requester } = await bench.asking();
    await expect(requester.request(Price, { id: 'a' })).resolves.toEqual({ text: 'price of a' });
  });
});
