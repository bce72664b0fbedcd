// The module from the options to the last hook, against the embedded broker over the wire.

import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { defineTopic, RocketMQContext, RocketMQListener, RocketMQModule, RocketMQProducer } from '../index.js';

const Paid = defineTopic<{ id: string }>('paid', { type: 'normal' });

@Injectable()
class Listener {
  readonly got: unknown[] = [];
  arrived = (): void => {};
  @RocketMQListener(Paid)
  async onPaid(body: { id: string }, context: RocketMQContext): Promise<void> {
    this.got.push([body, context.messageId, context.deliveryAttempt]);
    this.arrived();
  }
}

describe('RocketMQModule', () => {
  it('delivers what was sent', async () => {
    const moduleRef = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot({ endpoints: 'embedded:', consumerGroup: 'g' })],
      providers: [Listener],
    }).compile();
    const app = await moduleRef.init();
    const listener = app.get(Listener);
    const arrived = new Promise<void>((resolve) => {
      listener.arrived = resolve;
    });
    const receipt = await app.get(RocketMQProducer).send(Paid, { id: 'a' });
    await arrived;
    expect(listener.got).toEqual([[{ id: 'a' }, receipt.messageId, 1]]);
    await app.close();
  });
});
