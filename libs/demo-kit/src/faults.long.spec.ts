// Each fault without killing a process; the browser test and the launcher spec do that.

import { describe, expect, it } from '@jest/globals';
import type { ExecutionContext } from '@nestjs/common';
import { Faults, faultsOf } from './faults.js';

const delivery = (topic: string, type = 'rocketmq') =>
  ({
    getType: () => type,
    switchToRpc: () => ({ getContext: () => ({ message: { topic }, deliveryAttempt: 1 }) }),
  }) as unknown as ExecutionContext;
const passes = (faults: Faults, context: ExecutionContext) => {
  let isHandled = false;
  const handle = () => {
    isHandled = true;
    return undefined as never;
  };
  faults.intercept(context, { handle });
  return isHandled;
};
const about = { topic: 'orders', messageId: 'M1' };

describe('Faults', () => {
  it('make deliveries of a topic fail as often as requested, and no others', () => {
    const faults = new Faults();
    faults.fail('orders', 2);
    expect(passes(faults, delivery('payments'))).toBe(true);
    expect(passes(faults, delivery('orders', 'http'))).toBe(true);
    expect(() => passes(faults, delivery('orders'))).toThrow('fails on request');
    expect(() => passes(faults, delivery('orders'))).toThrow('fails on request');
    expect(passes(faults, delivery('orders'))).toBe(true);
  });

  it('hold the library at a point once, until it is released', async () => {
    const faults = new Faults();
    const holding = faults.hold('half-sent', 'orders');
    await faults.checkpoint('half-sent', { topic: 'payments', messageId: 'M0' });
    let isOver = false;
    const held = faults.checkpoint('half-sent', about).then(() => {
      isOver = true;
    });
    expect(await holding.reached).toBe('M1');
    expect(isOver).toBe(false);
    holding.release();
    await held;
    await faults.checkpoint('half-sent', about);
  });

  it('do not hold a point that was released before it was reached', async () => {
    const faults = new Faults();
    faults.hold('half-sent', 'orders').release();
    await faults.checkpoint('half-sent', about);
  });

  it('are off unless the environment enables them', () => {
    expect(faultsOf({ DEMO_FAULTS: 'on' })).toBeInstanceOf(Faults);
    expect(faultsOf({ DEMO_FAULTS: 'off' })).toBeUndefined();
    expect(faultsOf({})).toBeUndefined();
  });
});
