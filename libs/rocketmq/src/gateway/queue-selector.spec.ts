import { describe, expect, it } from '@jest/globals';
import { gatewayWorld, TOPIC, usual } from '../../../../test/fixtures/gateway-world.js';
import { Connection } from '../client/connection.js';
import { Producer } from '../producer/producer.js';
import type { QueueSelector } from '../producer/sending/queue-choice.js';
import type { QueueInLayout } from '../protocol/model/layout.js';
import { REQUEST_CODES as CODES } from '../protocol/remoting/codes.js';

describe('queueSelector', () => {
  const { closers, connected, producerOn } = gatewayWorld();
  const byKey: QueueSelector = ({ keys: [key] = [] }, queues) => queues[Number(key) % queues.length];
  const message = (key: string) => ({ topic: TOPIC, body: key, keys: [key] });

  it('chooses among all queues, by broker and number, and receipts name its choice', async () => {
    const { producer, brokers } = await producerOn([usual, usual], { queueSelector: byKey });
    const receipts = await producer.sendBatch(['0', '5', '13'].map(message));
    const queuesAt = brokers.map(({ requests }) =>
      requests.filter(({ code }) => code === CODES.sendMessageV2).map(({ fields }) => fields.e),
    );
    expect(queuesAt).toEqual([['0'], ['1', '1']]);
    expect(receipts).toMatchObject(
      ['broker-0', 'broker-1', 'broker-1'].map((brokerName) => ({ status: 'sent', receipt: { brokerName } })),
    );
  });

  it('chooses for a message group, too, and for half messages', async () => {
    const queueSelector: QueueSelector = (_, queues) => queues.at(-1);
    const { producer, sent } = await producerOn([usual], {
      queueSelector,
      transactionCheckers: { [TOPIC]: () => 'commit' },
    });
    await producer.send({ topic: TOPIC, body: 'x', messageGroup: 'g' });
    await producer.transact({ message: { topic: TOPIC, body: 'x' } }, async () => {});
    expect(sent(CODES.sendMessageV2).map(({ fields }) => fields.e)).toEqual(['3', '3']);
  });

  it('leaves the choice to the producer when it chooses none', async () => {
    const { producer, sent } = await producerOn([usual], { queueSelector: () => undefined });
    for (let index = 0; index < 4; index++) await producer.send({ topic: TOPIC, body: 'x' });
    expect(
      sent(CODES.sendMessageV2)
        .map(({ fields }) => fields.e)
        .sort(),
    ).toEqual(['0', '1', '2', '3']);
  });

  it.each([
    ['another queue', { brokerName: 'broker-0', queueId: 4 }],
    ['a number', 2],
    ['null', null],
  ])('sends nothing when it returns %s', async (_, returned) => {
    const queueSelector = (() => returned) as unknown as QueueSelector;
    const { producer, sent } = await producerOn([usual], { queueSelector });
    const sending = producer.send({ topic: TOPIC, body: 'x' });
    await expect(sending).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', field: 'queueSelector' });
    expect(sent(CODES.sendMessageV2)).toEqual([]);
  });

  it('cannot change the queues that it is given, which later sends choose among', async () => {
    const changing = (_: unknown, queues: QueueInLayout[]) => queues.reverse()[0];
    const { producer, sent } = await producerOn([usual], { queueSelector: changing as unknown as QueueSelector });
    await expect(producer.send({ topic: TOPIC, body: 'x' })).rejects.toThrow(TypeError);
    expect(sent(CODES.sendMessageV2)).toEqual([]);
  });

  it('sends nothing when it waits, and its rejection does not end the process', async () => {
    const queueSelector = (() => Promise.reject(new Error('no queue'))) as unknown as QueueSelector;
    const { producer } = await producerOn([usual], { queueSelector });
    const sending = producer.send({ topic: TOPIC, body: 'x' });
    await expect(sending).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', field: 'queueSelector' });
  });

  it('fails the send with its own error', async () => {
    const queueSelector: QueueSelector = () => {
      throw new RangeError('no queue for it');
    };
    const { producer, sent } = await producerOn([usual], { queueSelector });
    await expect(producer.send({ topic: TOPIC, body: 'x' })).rejects.toThrow(new RangeError('no queue for it'));
    expect(sent(CODES.sendMessageV2)).toEqual([]);
  });

  it('keeps its queues while a broker is missing, and sends nothing to others instead', async () => {
    const { connection, brokers, hide } = await connected([usual, usual]);
    const producer = new Producer(connection, { queueSelector: byKey });
    closers.push(() => producer.close());
    await producer.send(message('5'));
    hide(1);
    await brokers[1]?.close();
    // Finds the connection closed, which leaves its outcome open.
    await producer.send(message('5'), { timeoutMs: 500 }).catch(() => {});
    const sending = producer.send(message('5'), { timeoutMs: 2_000 });
    await expect(sending).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true });
    await expect(producer.send(message('1'))).resolves.toMatchObject({ brokerName: 'broker-0' });
  });

  it('is rejected for a proxy, which chooses itself', async () => {
    const connection = new Connection({ endpoints: '127.0.0.1:1' });
    closers.push(() => connection.close());
    expect(() => new Producer(connection, { queueSelector: byKey })).toThrow(
      expect.objectContaining({ code: 'ILLEGAL_OPTION', field: 'queueSelector' }),
    );
  });
});
