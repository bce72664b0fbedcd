import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../../test/fixtures/producer-bench.js';
import type { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { silentLogger } from '../../support/logger.js';
import type { TestBroker } from '../../testing/test-broker.js';
import type { Producer } from '../producer.js';
import type { ProducerOptions } from '../producer-options.js';
import type { LessDurableMessage } from './durability.js';

const CODES = [
  ['MASTER_PERSISTENCE_TIMEOUT', 'not-flushed'],
  ['SLAVE_PERSISTENCE_TIMEOUT', 'not-replicated'],
  ['HA_NOT_AVAILABLE', 'no-replica'],
] as const satisfies readonly (readonly [keyof typeof Code, LessDurableMessage['durability']])[];

describe.each(CODES)('a message that the server has stored with %s', (code, durability) => {
  let bench: ProducerBench;
  let broker: TestBroker;
  let reported: LessDurableMessage[];
  let left: unknown[];
  let warnings: object[];

  beforeEach(async () => {
    const topics = [
      { name: 'orders', queues: 1 },
      { name: 'steps', type: 'fifo' as const },
      { name: 'payments', type: 'transaction' as const },
    ];
    [reported, left, warnings] = [[], [], []];
    const warn = (_: string, fields = {}): void => void warnings.push(fields);
    bench = await ProducerBench.start({ topics, manualClock: true }, { logger: { ...silentLogger, warn } });
    broker = bench.broker;
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code }, times: 2 });
  });

  afterEach(() => bench.close());

  const newProducer = (options: ProducerOptions = {}): Producer =>
    bench.newProducer({
      transactionCheckers: { payments: () => 'commit' },
      events: {
        onLessDurable: (message) => void reported.push(message),
        onLeftToCheck: (_, resolution, error) => void left.push([resolution, (error as { code: string }).code]),
      },
      ...options,
    });
  const order = { topic: 'orders', body: 'one', messageId: 'ORDER-7' };
  const ids = (topic: string): string[] => broker.messages(topic).map(({ messageId }) => messageId);

  it('is sent once, and its receipt says how safe it is', async () => {
    const producer = newProducer();
    expect(await producer.send(order)).toMatchObject({ messageId: 'ORDER-7', offset: -1, durability });
    expect(ids('orders')).toEqual(['ORDER-7']);
    expect(reported).toEqual([{ topic: 'orders', messageId: 'ORDER-7', durability }]);
    await producer.send({ ...order, messageId: 'ORDER-8' });
    expect(await producer.send({ ...order, messageId: 'ORDER-9' })).toMatchObject({
      offset: 2,
      durability: 'as-configured',
    });
    expect(ids('orders')).toEqual(['ORDER-7', 'ORDER-8', 'ORDER-9']);
    expect([reported.length, warnings]).toEqual([2, [expect.objectContaining({ topic: 'orders', durability })]]);
  });

  it('fails with the outcome "stored" where more is required, and holds back nothing behind it', async () => {
    const producer = newProducer({ requireDurable: true });
    const step = (body: string) => ({ topic: 'steps', body, messageGroup: 'g' });
    const batch = producer.sendBatch([step('1'), step('2'), step('3')]);
    const behind = producer.send(step('4'));
    expect(await batch).toMatchObject([
      { status: 'failed', error: { code, outcome: 'stored', retryable: false } },
      { status: 'failed', error: { code, outcome: 'stored' } },
      { status: 'sent' },
    ]);
    await behind;
    expect(broker.messages('steps').map(({ body }) => body.toString())).toEqual(['1', '2', '3', '4']);
    expect(reported).toHaveLength(2);
  });

  it('keeps that outcome after an attempt whose outcome is unknown', async () => {
    broker.faults.clear();
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code } });
    await expect(newProducer({ requireDurable: true }).send(order)).rejects.toMatchObject({ code, outcome: 'stored' });
    expect(ids('orders')).toEqual(['ORDER-7']);
  });

  it('of a transaction is ended by the answer to the check, because the proxy has named no transaction', async () => {
    const producer = newProducer();
    await producer.start();
    let ran = 0;
    await producer.transact({ message: { topic: 'payments', body: 'x' } }, async () => void ran++);
    expect([ran, reported.length, left]).toEqual([1, 1, [['commit', 'TRANSACTION_NOT_ENDABLE']]]);
    expect(broker.halfMessages()).toHaveLength(1);
    await broker.advance(60_000);
    expect([broker.halfMessages(), ids('payments').length]).toEqual([[], 1]);
  });

  it('of a transaction does not run it where more is required', async () => {
    const producer = newProducer({ requireDurable: true });
    let ran = 0;
    const transacting = producer.transact({ message: { topic: 'payments', body: 'x' } }, async () => void ran++);
    // Nothing is delivered: the caller has to begin again.
    await expect(transacting).rejects.toMatchObject({
      code,
      outcome: 'rejected',
      retryable: false,
      message: expect.stringContaining('the local transaction did not run'),
    });
    expect([ran, ids('payments')]).toEqual([0, []]);
  });
});
