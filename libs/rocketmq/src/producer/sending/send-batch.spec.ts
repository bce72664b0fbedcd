import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection } from '../../client/connection.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { TestBroker } from '../../testing/test-broker.js';
import { Producer } from '../producer.js';
import type { BatchOutcome } from './send-batch.js';

describe('a batch', () => {
  let broker: TestBroker;
  let connection: Connection;
  let producer: Producer;

  beforeEach(async () => {
    const topics = [{ name: 'orders' }, { name: 'steps', type: 'fifo' as const }];
    broker = await TestBroker.start({ strict: true, topics });
    connection = new Connection({ endpoints: broker.endpoints });
    producer = new Producer(connection);
  });

  afterEach(async () => {
    await producer.close();
    connection.close();
    await broker.stop();
  });

  const order = (body: string): OutgoingMessage => ({ topic: 'orders', body });
  const step = (messageGroup: string, body: string): OutgoingMessage => ({ topic: 'steps', body, messageGroup });
  const bodies = (topic: string): string[] => broker.messages(topic).map(({ body }) => body.toString());
  const brief = (outcomes: readonly BatchOutcome[]): unknown[] =>
    outcomes.map((one) => (one.status === 'sent' ? 'sent' : (one.error as { code: string }).code));

  it('returns the outcome of each message, in the given order', async () => {
    const outcomes = await producer.sendBatch([order('a'), { ...order('b'), messageId: 'B' }, step('g', 'c')]);
    expect(brief(outcomes)).toEqual(['sent', 'sent', 'sent']);
    expect(outcomes[1]).toMatchObject({ receipt: { topic: 'orders', messageId: 'B' } });
    expect([bodies('orders').sort(), bodies('steps')]).toEqual([['a', 'b'], ['c']]);
  });

  it('without messages resolves immediately', async () => {
    expect(await producer.sendBatch([])).toEqual([]);
  });

  it('fails only an invalid message, before anything is sent', async () => {
    const outcomes = await producer.sendBatch([order('a'), order(''), { topic: 'missing', body: 'x' }, order('b')]);
    expect(brief(outcomes)).toEqual(['sent', 'MESSAGE_BODY_EMPTY', 'TOPIC_NOT_FOUND', 'sent']);
    expect(outcomes[1]).toMatchObject({ error: { outcome: 'not-sent' } });
    expect(bodies('orders').sort()).toEqual(['a', 'b']);
  });

  it('keeps the order within each message group, however many messages are in flight', async () => {
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 20 }, times: 2 });
    await producer.sendBatch(['1', '2', '3', '4'].flatMap((body) => [step('a', `a${body}`), step('b', `b${body}`)]));
    const of = (group: string): string[] => bodies('steps').filter((body) => body.startsWith(group));
    expect([of('a'), of('b')]).toEqual([
      ['a1', 'a2', 'a3', 'a4'],
      ['b1', 'b2', 'b3', 'b4'],
    ]);
  });

  it('stops a message group at its first failure, and only it', async () => {
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
    const outcomes = await producer.sendBatch([step('a', 'a1'), step('a', 'a2'), step('b', 'b1'), step('a', '')], {
      concurrency: 1,
    });
    expect(brief(outcomes)).toEqual(['FORBIDDEN', 'EARLIER_MESSAGE_FAILED', 'sent', 'MESSAGE_BODY_EMPTY']);
    expect(outcomes[1]).toMatchObject({
      error: { outcome: 'not-sent', retryable: true, cause: { code: 'FORBIDDEN' } },
    });
    expect(bodies('steps')).toEqual(['b1']);
  });

  it('stops a message group at an invalid message, because the following ones would leave a gap', async () => {
    const outcomes = await producer.sendBatch([step('a', 'a1'), step('a', ''), step('a', 'a3')]);
    expect(brief(outcomes)).toEqual(['sent', 'MESSAGE_BODY_EMPTY', 'EARLIER_MESSAGE_FAILED']);
    expect(bodies('steps')).toEqual(['a1']);
  });

  it('never reports that a message was not stored when it may be', async () => {
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' }, times: 3 });
    const outcomes = await producer.sendBatch([order('a'), order('b')], { concurrency: 1 });
    expect(outcomes).toMatchObject([{ status: 'failed', error: { outcome: 'unknown' } }, { status: 'sent' }]);
  });

  it('sends no more after its timeout', async () => {
    await producer.send(order('first'));
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 2_000 } });
    const outcomes = await producer.sendBatch([order('a'), order('b')], { concurrency: 1, timeoutMs: 400 });
    expect(outcomes).toMatchObject([
      { error: { code: 'DEADLINE_EXCEEDED', outcome: 'unknown' } },
      { error: { code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' } },
    ]);
  });

  it('sends no more once the caller has aborted', async () => {
    const aborted = AbortSignal.abort(new Error('never mind'));
    const outcomes = await producer.sendBatch([order('a')], { signal: aborted });
    expect(outcomes).toMatchObject([
      { error: { code: 'ABORTED', outcome: 'not-sent', cause: { message: 'never mind' } } },
    ]);
    expect(bodies('orders')).toEqual([]);
  });

  it('sends no more once the producer closes, which waits for messages in flight', async () => {
    await producer.send(order('first'));
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 20 } });
    const sending = producer.sendBatch([order('a'), order('b')], { concurrency: 1 });
    await producer.close();
    const outcomes = await sending;
    expect(brief(outcomes)).toEqual(['sent', 'CLOSED']);
    await expect(producer.sendBatch([order('c')])).rejects.toMatchObject({ code: 'CLOSED', outcome: 'not-sent' });
  });

  it('names an invalid option', async () => {
    await expect(producer.sendBatch([order('a')], { concurrency: 0 })).rejects.toThrow('option concurrency');
    await expect(producer.sendBatch([order('a')], { timeoutMs: -1 })).rejects.toThrow('option timeoutMs');
  });
});
