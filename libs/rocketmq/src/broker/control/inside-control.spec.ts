import { afterEach, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from '../embedded-broker.js';

let broker: EmbeddedBroker;
afterEach(() => broker.stop());

describe('the control of a broker in its process', () => {
  it('answers as the control port does, without a port', async () => {
    broker = new EmbeddedBroker({ topics: [{ name: 'orders', queues: 2 }] });
    await broker.start();
    const { control } = broker;
    expect(await control.state()).toMatchObject({ topics: 1, endpoints: broker.endpoints });
    expect((await control.topics({ limit: 1 })).items).toMatchObject([{ name: 'orders', messages: 0 }]);
    expect(await control.metrics()).toContain('rocketmq_');
    const { id } = await control.refuseConnections({ times: 1 });
    expect(broker.faults.list()).toMatchObject([{ id, kind: 'connections' }]);
    expect(await control.clearFaults(id)).toEqual([]);
    expect(() => broker.controlEndpoint).toThrow('NO_CONTROL_PORT');
  });

  it('rejects what the control port rejects, and ends with the signal of the caller', async () => {
    broker = new EmbeddedBroker();
    await broker.start();
    const { control } = broker;
    const waiting = control.deliverNow({ topic: 'orders', messageId: 'unknown' });
    await expect(waiting).rejects.toMatchObject({ name: 'ControlError', code: 'NOT_WAITING', status: 404 });
    await expect(control.topics({ limit: 0 })).rejects.toMatchObject({ code: 'ILLEGAL_ARGUMENT', status: 400 });
    const reason = new Error('the caller has left');
    await expect(control.state({ signal: AbortSignal.abort(reason) })).rejects.toThrow(reason.message);
  });

  it('rejects what is no argument of a call, before anything is done', async () => {
    broker = new EmbeddedBroker();
    await broker.start();
    const { control } = broker;
    const calls: readonly [string, (given: never) => Promise<unknown>][] = [
      ['topic', (given) => control.messages(given)],
      ['name', (given) => control.deliverNow(given)],
      ['name', (given) => control.deliverAgain(given)],
      ['jump', (given) => control.advanceTime(given)],
      ['rule', (given) => control.addFault(given)],
    ];
    for (const [field, call] of calls) {
      for (const given of [undefined, null, 5, ['orders']]) {
        await expect(call(given as never)).rejects.toMatchObject({
          code: 'ILLEGAL_OPTION',
          outcome: 'not-sent',
          field,
        });
      }
    }
    const rejected: readonly [string, Promise<unknown>][] = [
      ['topic', control.messages({ topic: 'orders' } as never)],
      ['limti', control.messages('orders', { limti: 1 } as never)],
      ['key', control.messages('orders', { key: { a: 1 } } as never)],
      ['options', control.lag(null as never)],
      ['group', control.lag({ group: ['a'] } as never)],
      ['options', control.topics(null as never)],
      ['rpc', control.addFault({ times: 1 } as never)],
      ['rpc', control.refuseConnections({ rpc: 'sendMessage' } as never)],
    ];
    for (const [field, call] of rejected) {
      await expect(call).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', outcome: 'not-sent', field });
    }
    await expect(control.advanceTime({ byMs: 1n } as never)).rejects.toMatchObject({ code: 'ILLEGAL_OPTION' });
    expect(broker.faults.list()).toEqual([]);
  });

  it('fails while the broker is not running', async () => {
    broker = new EmbeddedBroker();
    const { control } = broker;
    await expect(control.state()).rejects.toMatchObject({ code: 'NOT_STARTED' });
    await broker.start();
    await control.state();
    await broker.stop();
    await expect(control.state()).rejects.toMatchObject({ code: 'NOT_STARTED' });
  });
});
