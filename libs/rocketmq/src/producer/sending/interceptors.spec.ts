import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../../test/fixtures/producer-bench.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';
import { Producer } from '../producer.js';
import type { ProducerOptions } from '../producer-options.js';
import type { SendInterceptor } from './interceptors.js';

describe('an interceptor of sends', () => {
  let bench: ProducerBench;
  let broker: TestBroker;
  let errors: string[];

  beforeEach(async () => {
    const topics = [{ name: 'orders' }, { name: 'payments', type: 'transaction' as const }];
    errors = [];
    const logger = { ...silentLogger, error: (text: string) => void errors.push(text) };
    bench = await ProducerBench.start({ topics }, { logger });
    broker = bench.broker;
  });

  afterEach(() => bench.close());

  function producerWith(interceptors: readonly SendInterceptor[], options: ProducerOptions = {}): Producer {
    const producer = bench.newProducer({ ...options, interceptors });
    return producer;
  }

  const order = (body: string): OutgoingMessage => ({ topic: 'orders', body });
  const bodies = (): string[] => broker.messages('orders').map(({ body }) => body.toString());

  it('wraps the send, the first one outermost, and can add to the message', async () => {
    const seen: string[] = [];
    const named =
      (name: string): SendInterceptor =>
      async (message, next) => {
        seen.push(`${name} before`);
        const receipt = await next({ ...message, properties: { ...message.properties, [name]: 'was here' } });
        seen.push(`${name} after ${receipt.messageId === message.messageId}`);
        return receipt;
      };
    await producerWith([named('outer'), named('inner')]).send(order('a'));
    expect(seen).toEqual(['outer before', 'inner before', 'inner after true', 'outer after true']);
    expect(broker.messages('orders')[0]?.properties).toEqual({ outer: 'was here', inner: 'was here' });
  });

  it('sees the messages of every call, each with its kind', async () => {
    const kinds: string[] = [];
    const watch: SendInterceptor = (message, next, { kind }) => {
      kinds.push(`${kind}: ${String(message.body)}, ${Object.keys(message.properties ?? {}).length} properties`);
      return next(message);
    };
    const producer = producerWith([watch], { transactionCheckers: { payments: () => 'commit' } });
    await producer.send(order('a'));
    await producer.sendBatch([order('b'), order('c')], { concurrency: 1 });
    await producer.sendOneway(order('d'));
    await producer.transact({ message: { topic: 'payments', body: 'e' } }, async () => {});
    await producer.close();
    const expected = ['send: a', 'batch: b', 'batch: c', 'oneway: d', 'half: e'];
    expect(kinds).toEqual(expected.map((kind) => `${kind}, 0 properties`));
    expect([bodies().sort(), broker.messages('payments').length]).toEqual([['a', 'b', 'c', 'd'], 1]);
  });

  describe('that does not call next', () => {
    it('because it throws prevents the send, and the caller gets the error', async () => {
      const rejecting: SendInterceptor = () => {
        throw new Error('no tenant');
      };
      const producer = producerWith([rejecting], { transactionCheckers: { payments: () => 'commit' } });
      const rejected = { code: 'INTERCEPTOR_FAILED', outcome: 'not-sent', cause: { message: 'no tenant' } };
      await expect(producer.send(order('a'))).rejects.toMatchObject(rejected);
      await expect(producer.sendOneway(order('a'))).rejects.toMatchObject(rejected);
      expect(await producer.sendBatch([order('a')])).toMatchObject([{ status: 'failed', error: rejected }]);
      let ran = false;
      const transaction = producer.transact({ message: { topic: 'payments', body: 'a' } }, async () => {
        ran = true;
      });
      await expect(transaction).rejects.toMatchObject(rejected);
      expect([ran, bodies(), broker.halfMessages()]).toEqual([false, [], []]);
    });

    it('and throws a not-sent error passes that error to the caller', async () => {
      const error = new UsageError('NO_TENANT', 'a message needs a tenant; nothing was sent');
      await expect(producerWith([async () => Promise.reject(error)]).send(order('a'))).rejects.toBe(error);
    });

    it('and returns is an error', async () => {
      const idle: SendInterceptor = async ({ topic }) => ({
        topic,
        messageId: 'X',
        offset: 0,
        recallHandle: undefined,
        durability: 'as-configured',
      });
      const sending = producerWith([idle]).send(order('a'));
      await expect(sending).rejects.toMatchObject({ code: 'NEXT_NOT_CALLED', outcome: 'not-sent' });
    });

    it('in time ends with the deadline of the send, and cannot call it later', async () => {
      let late: Promise<unknown> = Promise.resolve();
      let goOn = (): void => {};
      const slow: SendInterceptor = async (message, next) => {
        await new Promise<void>((resolve) => (goOn = resolve));
        late = next(message);
        return next(message);
      };
      const sending = producerWith([slow]).send(order('a'), { timeoutMs: 20 });
      await expect(sending).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' });
      goOn();
      await new Promise((resolve) => setImmediate(resolve));
      await expect(late).rejects.toMatchObject({ code: 'NEXT_CALLED_LATE', outcome: 'not-sent' });
      expect(bodies()).toEqual([]);
    });

    it('before the caller aborts does not delay the caller', async () => {
      const stuck: SendInterceptor = () => new Promise(() => {});
      const caller = new AbortController();
      const sending = producerWith([stuck]).send(order('a'), { signal: caller.signal });
      caller.abort(new Error('the customer left'));
      await expect(sending).rejects.toThrow('the customer left');
    });
  });

  describe('that has called next', () => {
    it('cannot make a stored message fail', async () => {
      const broken: SendInterceptor = async (message, next) => {
        await next(message);
        throw new Error('metrics down');
      };
      const { messageId } = await producerWith([broken]).send(order('a'));
      expect(broker.messages('orders')[0]?.messageId).toBe(messageId);
      expect(errors).toHaveLength(1);
    });

    it('cannot make a failed one succeed, nor hide its outcome', async () => {
      const hiding: SendInterceptor = async (message, next) => {
        await next(message).catch(() => {});
        throw new Error('something else');
      };
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
      const sending = producerWith([hiding], { maxAttempts: 1 }).send(order('a'));
      await expect(sending).rejects.toMatchObject({ outcome: 'unknown' });
      expect(errors).toHaveLength(1);
    });

    it('sees the failure, and can rethrow it', async () => {
      const seen: unknown[] = [];
      const watching: SendInterceptor = async (message, next) => {
        try {
          return await next(message);
        } catch (error) {
          seen.push(error);
          throw error;
        }
      };
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
      const sending = producerWith([watching, watching]).send(order('a'));
      await expect(sending).rejects.toMatchObject({ code: 'FORBIDDEN' });
      expect(seen).toMatchObject([{ code: 'FORBIDDEN' }, { code: 'FORBIDDEN' }]);
      expect(errors).toEqual([]);
    });

    it('does not have to wait for it', async () => {
      const hasty: SendInterceptor = async (message, next) => {
        void next(message);
        return undefined as never;
      };
      await producerWith([hasty]).send(order('a'));
      await expect(producerWith([hasty]).send(order(''))).rejects.toMatchObject({ code: 'MESSAGE_BODY_EMPTY' });
      expect(bodies()).toEqual(['a']);
    });

    it('cannot call it twice', async () => {
      const second: unknown[] = [];
      const twice: SendInterceptor = async (message, next) => {
        const receipt = await next(message);
        await next(message).catch((error) => second.push(error));
        return receipt;
      };
      await producerWith([twice]).send(order('a'));
      expect(second).toMatchObject([{ code: 'NEXT_CALLED_TWICE', outcome: 'not-sent' }]);
      expect(bodies()).toEqual(['a']);
    });

    it('and never ends does not delay the receipt beyond the deadline', async () => {
      const stuck: SendInterceptor = async (message, next) => {
        await next(message);
        return new Promise(() => {});
      };
      const { topic } = await producerWith([stuck]).send(order('a'), { timeoutMs: 1_000 });
      expect([topic, bodies()]).toEqual(['orders', ['a']]);
    });
  });

  it('passes on a message that is validated afterwards', async () => {
    const filling: SendInterceptor = (message, next) => next({ ...message, body: `${String(message.body)}!` });
    await producerWith([filling]).sendBatch([order('')]);
    expect(bodies()).toEqual(['!']);
    const spoiling: SendInterceptor = (message, next) => next({ ...message, tag: 'a|b' });
    const spoiled = { code: 'ILLEGAL_MESSAGE_TAG', outcome: 'not-sent' };
    await expect(producerWith([spoiling]).send(order('a'))).rejects.toMatchObject(spoiled);
  });

  it.each([
    ['topic', { topic: 'payments' }],
    ['messageGroup', { messageGroup: 'g' }],
    ['messageId', { messageId: 'OTHER' }],
  ])('cannot change the %s', async (field, change) => {
    const moving: SendInterceptor = (message, next) => next({ ...message, ...change });
    const rejected = { code: 'INTERCEPTOR_MOVED_MESSAGE', outcome: 'not-sent', field };
    await expect(producerWith([moving]).send(order('a'))).rejects.toMatchObject(rejected);
    expect(bodies()).toEqual([]);
  });

  it('can send with the same producer, however low the limit of messages in flight is', async () => {
    const auditing: SendInterceptor = async (message, next) => {
      if (message.tag !== 'audit') await producer.send({ ...order(`audit of ${String(message.body)}`), tag: 'audit' });
      return next(message);
    };
    const producer = producerWith([auditing], { maxInFlight: 1 });
    await producer.send(order('a'));
    expect(bodies().sort()).toEqual(['a', 'audit of a']);
  });

  it('must be a function', () => {
    expect(() => producerWith(['log' as never])).toThrow('option interceptors');
  });
});
