import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../test/fixtures/producer-bench.js';
import { until } from '../../../../tools/until.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { TestBroker, type TestBrokerOptions } from '../testing/test-broker.js';
import { Producer } from './producer.js';
import type { ProducerOptions } from './producer-options.js';
import type { TransactionCheckHandler } from './transactions/transaction-check.js';
import { currentLocalTransaction } from './transactions/transaction-scope.js';

const order = { topic: 'orders', body: 'one' };

const brokenAtOnce = (): never => {
  throw new Error('metrics down');
};
const brokenLater = async (): Promise<never> => brokenAtOnce();

describe('a transaction', () => {
  let bench: ProducerBench;
  let broker: TestBroker;
  let events: string[];

  beforeEach(() => begin({ manualClock: true }));
  afterEach(end);

  async function begin(options: TestBrokerOptions): Promise<void> {
    bench = await ProducerBench.start({ topics: [{ name: 'orders', type: 'transaction' }], ...options });
    broker = bench.broker;
    events = [];
  }

  function end(): Promise<void> {
    return bench.close();
  }

  async function start(checker: TransactionCheckHandler, options: ProducerOptions = {}): Promise<Producer> {
    const producer = bench.newProducer({
      transactionCheckers: { orders: checker },
      events: {
        onEnded: (_, resolution, by) => void events.push(`ended by ${by}: ${resolution}`),
        onLeftToCheck: (_, resolution) => void events.push(`left to check: ${resolution}`),
        onChecked: (_, resolution) => void events.push(`checked: ${resolution}`),
      },
      ...options,
    });
    await producer.start();
    return producer;
  }

  const visible = (): number => broker.messages('orders').length;
  const never: TransactionCheckHandler = () => {
    throw new Error('nobody should ask');
  };

  describe('whose half message may have been stored', () => {
    it('is not started a second time, and the local transaction does not run', async () => {
      const producer = await start(() => 'rollback');
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
      let ran = false;
      const running = producer.transact({ message: order }, async () => {
        ran = true;
      });
      await expect(running).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' });
      expect([ran, broker.halfMessages().length]).toEqual([false, 1]);
    });

    it('is started again if certainly nothing was stored', async () => {
      const producer = await start(never);
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' } });
      await producer.transact({ message: order }, async () => {});
      await broker.idle();
      expect([visible(), broker.halfMessages()]).toEqual([1, []]);
    });
  });

  describe('whose end the server accepted', () => {
    it.each(['commit', 'rollback'] as const)('calls the event handler once, with its ids: %s', async (resolution) => {
      const reported: unknown[][] = [];
      const producer = await start(never, { events: { onEnded: (...end) => void reported.push(end) } });
      const transaction = await producer.beginTransaction(order);
      expect(reported).toEqual([]);
      await transaction[resolution]();
      await transaction[resolution]();
      await broker.advance(10 * MINUTE_MS);
      const { topic, messageId, transactionId } = transaction;
      expect(reported).toEqual([[{ topic, messageId, transactionId }, resolution, 'client']]);
    });

    it('calls the event handler when its method failed, with the answer of the checker', async () => {
      const producer = await start(() => 'rollback');
      const running = producer.transact({ message: order }, () => Promise.reject(new Error('out of stock')));
      await expect(running).rejects.toThrow('out of stock');
      expect(events).toEqual(['ended by client: rollback']);
    });
  });

  describe('whose end the server did not accept', () => {
    it('is left to the check, which is answered as it ended, without the checker', async () => {
      const producer = await start(never);
      broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
      await producer.transact({ message: order }, async () => {});
      expect([visible(), events]).toEqual([0, ['left to check: commit']]);
      await broker.advance(10 * SECOND_MS);
      const reported = ['left to check: commit', 'checked: commit', 'ended by check: commit'];
      expect([visible(), events]).toEqual([1, reported]);
    });

    it('is visible once when the server accepted it and only the answer was lost', async () => {
      const producer = await start(never);
      broker.faults.add({ rpc: 'endTransaction', action: { kind: 'dropResponse' } });
      await producer.transact({ message: order }, async () => {});
      await broker.advance(2 * MINUTE_MS);
      expect([visible(), events]).toEqual([1, ['left to check: commit']]);
    });

    it('is ended again immediately if the server certainly did nothing', async () => {
      const producer = await start(never);
      broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' } });
      await producer.transact({ message: order }, async () => {});
      expect([visible(), events]).toEqual([1, ['ended by client: commit']]);
    });
  });

  describe('whose method throws', () => {
    it.each([
      ['commit', 1, 0],
      ['rollback', 0, 0],
      ['unknown', 0, 1],
    ] as const)('asks the checker at once; on %s, %i is visible and %i open', async (answer, seen, open) => {
      const asked: string[] = [];
      const producer = await start(({ message }) => {
        asked.push(message.body.toString());
        return answer;
      });
      const running = producer.transact({ message: order }, () => Promise.reject(new Error('out of stock')));
      await expect(running).rejects.toThrow('out of stock');
      expect([asked, visible(), broker.halfMessages().length]).toEqual([['one'], seen, open]);
    });

    it('ends, too, when it throws before its first await', async () => {
      const producer = await start(() => 'rollback');
      const running = producer.transact({ message: order }, () => {
        throw new Error('at once');
      });
      await expect(running).rejects.toThrow('at once');
      expect(broker.halfMessages()).toEqual([]);
    });
  });

  describe('that the server checks', () => {
    it('is not answered by a producer of another owner', async () => {
      const dying = await start(never, { transactionOwner: 'shop' });
      await dying.beginTransaction(order);
      await dying.close();
      await start(never, { transactionOwner: 'archive' });
      await broker.advance(10 * MINUTE_MS);
      expect([visible(), broker.halfMessages(), events]).toEqual([0, [], []]);
    });

    it('is answered by another producer of the owner', async () => {
      const dying = await start(never, { transactionOwner: 'shop' });
      await dying.beginTransaction(order);
      await dying.close();
      await start(() => 'commit', { transactionOwner: 'shop' });
      await broker.advance(10 * SECOND_MS);
      expect([visible(), events]).toEqual([1, ['checked: commit', 'ended by check: commit']]);
    });

    it('is left to the checker when it was never ended', async () => {
      const producer = await start(() => 'commit');
      await producer.beginTransaction(order);
      await broker.advance(4 * MINUTE_MS);
      expect(visible()).toBe(0);
      await broker.advance(2 * MINUTE_MS);
      expect(visible()).toBe(1);
    });

    it.each([
      ['throw', brokenAtOnce],
      ['reject', brokenLater],
    ])('ends as the checker answers, although the event handlers %s', async (_, broken) => {
      const producer = await start(() => 'commit', {
        events: { onChecked: broken, onEnded: broken, onLeftToCheck: broken },
      });
      broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
      await producer.transact({ message: order }, async () => {});
      await broker.advance(10 * SECOND_MS);
      expect(visible()).toBe(1);
    });
  });

  describe('and its method', () => {
    it('does not exist outside of it', () => {
      expect(() => currentLocalTransaction()).toThrow('[NO_TRANSACTION]');
    });

    it('can prepare once', async () => {
      const producer = await start(never);
      await producer.transact({}, async () => {
        const current = currentLocalTransaction();
        expect(() => current.transactionId).toThrow('[NOT_PREPARED]');
        await current.prepare(order);
        expect(current.isPrepared).toBe(true);
        await expect(current.prepare(order)).rejects.toMatchObject({ code: 'ALREADY_PREPARED' });
      });
      await broker.idle();
      expect([visible(), broker.halfMessages()]).toEqual([1, []]);
    });

    it('ends a half message that its method did not wait for', async () => {
      const producer = await start(never);
      await producer.transact({}, async () => {
        void currentLocalTransaction().prepare(order);
      });
      await broker.idle();
      expect([visible(), broker.halfMessages()]).toEqual([1, []]);
    });

    it('can neither prepare nor roll back once it has ended', async () => {
      const producer = await start(never);
      const current = await producer.transact({}, async () => currentLocalTransaction());
      await expect(current.prepare(order)).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' });
      expect(() => current.rollback()).toThrow('[TRANSACTION_ENDED]');
      expect(broker.halfMessages()).toEqual([]);
    });

    it('ends only one way when ended explicitly', async () => {
      const producer = await start(never);
      const transaction = await producer.beginTransaction(order);
      expect(transaction.commit()).toBe(transaction.commit());
      await expect(transaction.rollback()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' });
      expect(await transaction.commit()).toBe('accepted');
    });

    it('needs a checker for its topic', async () => {
      const producer = await start(never);
      const running = producer.transact({ message: { topic: 'others', body: 'x' } }, async () => {});
      await expect(running).rejects.toMatchObject({ code: 'NO_TRANSACTION_CHECKER', outcome: 'not-sent' });
    });
  });

  describe('that throws', () => {
    it('is not ended a second time by a check that arrives while its checker is running', async () => {
      let answer = (_: 'commit'): void => {};
      let asked = 0;
      const checker: TransactionCheckHandler = () => {
        asked++;
        return new Promise((resolve) => {
          answer = resolve;
        });
      };
      const producer = await start(checker);
      const running = producer.transact({ message: order }, async () => {
        throw new Error('after the commit of the database');
      });
      const failed = expect(running).rejects.toThrow('after the commit');
      await until(() => asked === 1);
      await broker.advance(10 * SECOND_MS);
      answer('commit');
      await failed;
      await broker.advance(10 * MINUTE_MS);
      expect([asked, visible()]).toEqual([1, 1]);
      expect(events.filter((event) => event.startsWith('ended'))).toEqual(['ended by client: commit']);
    });

    it('waits for the checker no longer than a local transaction may take', async () => {
      const producer = await start(() => new Promise(() => {}), { localTransactionTimeoutMs: 50 });
      const running = producer.transact({ message: order }, async () => {
        throw new Error('no');
      });
      await expect(running).rejects.toThrow('no');
      expect(visible()).toBe(0);
    });
  });

  describe('that takes too long', () => {
    const times = { localTransactionTimeoutMs: 20 * SECOND_MS };

    it('is aborted by its signal, and from then on the checker may decide', async () => {
      let asked = 0;
      const checker: TransactionCheckHandler = () => {
        asked++;
        return 'rollback';
      };
      const producer = await start(checker, times);
      const seen: unknown[] = [];
      await producer.transact({ message: order }, async () => {
        const { signal } = currentLocalTransaction();
        await broker.advance(19 * SECOND_MS);
        seen.push(signal.aborted, asked);
        await broker.advance(60 * SECOND_MS);
        seen.push(signal.aborted, asked, (signal.reason as { code: string }).code);
      });
      expect(seen).toEqual([false, 0, true, 1, 'TRANSACTION_TOO_LONG']);
      const answers = ['checked: unknown', 'checked: rollback', 'ended by check: rollback'];
      expect([visible(), events]).toEqual([0, [...answers, 'left to check: commit']]);
    });

    it('does not fire its signal once it has ended', async () => {
      const producer = await start(never, times);
      const signal = await producer.transact({ message: order }, async () => currentLocalTransaction().signal);
      await broker.advance(60 * SECOND_MS);
      expect(signal.aborted).toBe(false);
    });

    it('leaves its end to the check when the server would ignore it and answer OK', async () => {
      const producer = await start(never, { ...times, firstCheckAfterMs: 40 * SECOND_MS });
      await producer.transact({ message: order }, () => broker.advance(31 * SECOND_MS));
      expect([visible(), events]).toEqual([0, ['left to check: commit']]);
      await broker.advance(10 * SECOND_MS);
      const reported = ['left to check: commit', 'checked: commit', 'ended by check: commit'];
      expect([visible(), events]).toEqual([1, reported]);
    });

    it('is checked as late as its producer configures', async () => {
      const producer = await start(() => 'commit', { ...times, firstCheckAfterMs: 40 * SECOND_MS });
      await producer.beginTransaction(order);
      await broker.advance(39 * SECOND_MS);
      expect([visible(), events]).toEqual([0, []]);
      await broker.advance(SECOND_MS);
      expect([visible(), events]).toEqual([1, ['checked: commit', 'ended by check: commit']]);
    });

    it('is dropped by the server after 15 checks, and nothing is visible', async () => {
      const producer = await start(() => undefined);
      const running = producer.transact({ message: order }, async () => {
        await broker.advance(8 * MINUTE_MS);
      });
      await running;
      expect([visible(), broker.halfMessages()]).toEqual([0, []]);
      expect(events.filter((event) => event === 'checked: unknown')).toHaveLength(15);
      expect(events.at(-1)).toBe('left to check: commit');
    });
  });

  describe('with two half messages of one id', () => {
    it('ends one of them, and the check ends the other in the same way: the message is delivered twice', async () => {
      const producer = await start(never);
      const first = await producer.beginTransaction({ ...order, messageId: 'TWIN' });
      await producer.beginTransaction({ ...order, messageId: 'TWIN' });
      await first.commit();
      expect([visible(), broker.halfMessages().length]).toEqual([1, 1]);
      await broker.advance(2 * MINUTE_MS);
      expect([visible(), broker.halfMessages().length]).toEqual([2, 0]);
      expect(new Set(broker.messages('orders').map(({ messageId }) => messageId))).toEqual(new Set(['TWIN']));
    });
  });

  describe('while its producer closes', () => {
    it('runs to its end, and can still prepare', async () => {
      const producer = await start(never);
      let closed: Promise<void> | undefined;
      await producer.transact({}, async () => {
        closed = producer.close();
        await currentLocalTransaction().prepare(order);
      });
      await closed;
      expect([visible(), events]).toEqual([1, ['ended by client: commit']]);
    });

    it('is left to the check when it takes longer than the grace period', async () => {
      const producer = await start(never);
      let closeNow = (): void => {};
      const running = producer.transact({ message: order }, () => new Promise<void>((resolve) => (closeNow = resolve)));
      await until(() => broker.halfMessages().length > 0);
      await producer.close({ shutdownGraceMs: 0 });
      closeNow();
      await running;
      expect([visible(), events]).toEqual([0, ['left to check: commit']]);
      await start(() => 'commit');
      await broker.advance(10 * SECOND_MS);
      expect(visible()).toBe(1);
    });
  });

  it('is checked again after the telemetry stream was cut', async () => {
    await end();
    await begin({ transactionFirstCheckMs: 50, transactionCheckIntervalMs: 300 });
    const dying = await start(never);
    let checked = (_: string): void => {};
    const answered = new Promise<string>((resolve) => {
      checked = resolve;
    });
    const producer = await start(() => 'commit', { events: { onChecked: (_, resolution) => checked(resolution) } });
    await dying.beginTransaction(order);
    await dying.close();
    broker.faults.cutStreams(producer.clientId);
    expect(await answered).toBe('commit');
  });
});
